import { textOf } from '../machine/read.ts';

/** The terminal sends these to the whole foreground group: the command has them already. */
const fromTerminal: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
/** SIGUSR1 too: without a listener Node would open its debugger. */
const fromOthers: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
];

/**
 * Keeps us alive until the command ends, and hands on what was meant for it. Ctrl-Z and SIGCONT need nothing: the kernel stops and
 * continues the whole group, us included.
 */
export function passSignals(send: (signal: NodeJS.Signals) => void): () => void {
  const handlers: [NodeJS.Signals, () => void][] = [
    ...fromTerminal.map((signal): [NodeJS.Signals, () => void] => [
      signal,
      () => {
        // Node cannot tell who sent a signal. In the foreground of a terminal it was the terminal.
        if (!inForeground()) send(signal);
      },
    ]),
    ...fromOthers.map((signal): [NodeJS.Signals, () => void] => [signal, () => send(signal)]),
  ];
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

function inForeground(): boolean {
  // Fields 5 and 8 of stat: our process group, and the one in the foreground of our terminal.
  const fields = textOf('/proc/self/stat')
    ?.replace(/^.*\) /s, '')
    .split(' ');
  return fields !== undefined && fields[2] === fields[5];
}
