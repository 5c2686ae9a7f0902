import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back what a snapshot leaves behind: up to 200 MiB of buffers. Left to itself V8 keeps them until it has allocated as much again, which
 * a thread that sleeps never does: 300 MiB were seen for the rest of a run.
 */
export const collectGarbage = ((): (() => void) => {
  try {
    // The only way to it from within a process that was started without the flag; contexts made before have no `gc`.
    setFlagsFromString('--expose-gc');
    const collect: unknown = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    if (typeof collect === 'function') return () => void collect();
  } catch {
    // An engine without it: V8 decides when.
  }
  return () => {};
})();
