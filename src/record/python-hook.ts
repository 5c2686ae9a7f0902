import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Companion } from './companion.ts';

const hookFolder = fileURLToPath(new URL('../../python-hook', import.meta.url));

/**
 * Keeps a Python's last words without reading its stderr: a `sitecustomize` found through PYTHONPATH writes uncaught exceptions and
 * faulthandler's dump into the incident folder (python-hook/sitecustomize.py). Commands that are not Python never notice.
 */
export function pythonHook(folder = hookFolder): Companion {
  let words: string | null = null;
  return {
    prepare: (env, incident) => {
      if (!existsSync(join(folder, 'sitecustomize.py'))) return;
      words = join(incident, 'python');
      const theirs = env['PYTHONPATH'];
      const entries = theirs === undefined || theirs === '' ? [] : theirs.split(delimiter);
      // A run inside a run has the hook already.
      if (entries.includes(folder)) return;
      env['PYTHONPATH'] = [folder, ...entries].join(delimiter);
    },
    notable: () => words !== null && readdirSync(words).length > 0,
    ended: () => {
      if (words !== null) removeEmpty(words);
    },
  };
}

/** Every Python process opens a file for faulthandler's dump, and most never write one. */
function removeEmpty(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.fault')) continue;
    const path = join(folder, name);
    // A daemon that still runs keeps its file open: an empty one can be removed, at worst its dump is lost.
    if (statSync(path).size === 0) unlinkSync(path);
  }
}
