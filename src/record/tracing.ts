/** The kernel as second witness of a run: refused memory, senders of signals, OOM victims. Root only; nothing is lost without. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTracing, startTracingSoon, traceFolders, type Tracing } from '../machine/tracing.ts';
import { traceFile } from '../model/incident-folder.ts';
import type { Companion } from './recorder.ts';

/**
 * `complete`: from the first instruction on, at the price of a slower start; else beside the start, for where the agent is
 * there to see what comes before.
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
      // The pids of who starts the command: what they start inherits it.
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
      writeFileSync(join(folder, traceFile), tracing.read(), { mode: 0o600 });
      // Not waited for: it takes longer than a verdict may.
      void tracing.close();
    },
  };
}
