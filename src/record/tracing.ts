/** The kernel's tracepoints as second witness of a run: refused memory, senders of signals, OOM victims. Needs root; optional. */
import { replaceFile } from '../files/held-folder.ts';
import { startTracing, startTracingSoon, traceFolders, type Tracing } from '../machine/tracing.ts';
import { traceFile } from '../model/incident-folder.ts';
import type { Companion } from './companion.ts';

/**
 * `complete`: the trace begins with the first instruction, which makes the start slower. Otherwise it is switched on while the command
 * starts, as the agent sees what comes before.
 */
export function tracingCompanion(
  complete: boolean,
  roots: readonly string[] = traceFolders,
  starters: readonly number[] = [process.pid],
): Companion {
  let tracing: Tracing | null = null;
  let folder = '';
  return {
    prepare: (_env, into) => {
      folder = into;
      if (!complete) return;
      // The pids of who starts the command: what they start inherits the trace.
      const start = startTracing(starters, roots);
      if ('tracing' in start) tracing = start.tracing;
    },
    started: (pid) => {
      if (complete || folder === '') return;
      const begin = async () => {
        const start = await startTracingSoon([pid], roots);
        if ('tracing' in start) tracing = start.tracing;
      };
      void begin();
    },
    ended: () => {
      if (tracing === null) return;
      replaceFile(folder, traceFile, tracing.read());
      // Not waited for: closing takes longer than the verdict may.
      void tracing.close();
    },
  };
}
