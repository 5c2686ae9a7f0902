import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Companion } from './companion.ts';

const hookFolder = fileURLToPath(new URL('../../python-hook', import.meta.url));

/**
 * Python's last words although stderr is not ours: a `sitecustomize` found through PYTHONPATH writes uncaught exceptions and faulthandler's
 * dump into the incident folder (python-hook/sitecustomize.py). Commands that are not Python never notice.
 */
export function pythonHook(folder = hookFolder): Companion {
  let words: string | null = null;
  return {
    prepare: (env, incident) => {
      if (!existsSync(join(folder, 'sitecustomize.py'))) return;
      words = join(incident, 'python');
      const theirs = env['PYTHONPATH'];
      const entries = theirs === undefined || theirs === '' ? [] : theirs.split(delimiter);
      // A run inside a run: once is enough.
      if (entries.includes(folder)) return;
      env['PYTHONPATH'] = [folder, ...entries].join(delimiter);
    },
    notable: () => words !== null && readdirSync(words).length > 0,
    ended: () => {
      if (words !== null) removeEmpty(words);
    },
  };
}

/** Every Python process has a file for a dump that never came. */
function removeEmpty(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.fault')) continue;
    const path = join(folder, name);
    // A process that still runs goes on writing into the file it has open; an empty one of a daemon is no loss.
    if (statSync(path).size === 0) unlinkSync(path);
  }
}
