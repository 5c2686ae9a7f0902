import { textOf } from '../machine/read.ts';

/** The terminal sends these to its whole foreground group, the command included. */
const fromTerminal: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
/** Includes SIGUSR1, on which Node would open its debugger if nobody listened. */
const fromOthers: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
];

/**
 * Keeps coroner alive until the command ends, and hands on the signals that were meant for the command. Ctrl-Z and SIGCONT need nothing: the
 * kernel stops and continues the whole group, coroner included. Returns what removes the handlers.
 */
export function passSignals(send: (signal: NodeJS.Signals) => void): () => void {
  const handlers: [NodeJS.Signals, () => void][] = [
    ...fromTerminal.map((signal): [NodeJS.Signals, () => void] => [
      signal,
      () => {
        // Node cannot tell who sent a signal. In the foreground of a terminal we take it for the terminal's.
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
