/** Linux signals by number, the generic numbering of x86, arm and arm64 (`asm-generic/signal.h`). */
const names = [
  null,
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGKILL',
  'SIGUSR1',
  'SIGSEGV',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGSTKFLT',
  'SIGCHLD',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGPROF',
  'SIGWINCH',
  'SIGIO',
  'SIGPWR',
  'SIGSYS',
] as const;

/** `SIGSEGV` for 11; null where there is no such signal. */
export const signalName = (number: number): string | null =>
  names[number] ?? (number >= 34 && number <= 64 ? `SIGRTMIN+${number - 34}` : null);

/** `SIGSEGV` for `SEGV`, `SIGSEGV` or `11`. */
export function signalByText(text: string): string | null {
  if (/^\d+$/.test(text)) return signalName(Number(text));
  const name = text.startsWith('SIG') ? text : `SIG${text}`;
  return (names as readonly (string | null)[]).includes(name) ? name : null;
}
