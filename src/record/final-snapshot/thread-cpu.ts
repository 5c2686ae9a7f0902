import { readFileSync } from 'node:fs';
import type { Ms } from '../../model/units.ts';

/** CPU time of the calling thread; where the kernel does not tell, the wall clock, which is never less. */
export function threadCpuMs(): Ms {
  try {
    return Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'latin1'), 10) / 1e6;
  } catch {
    return performance.now();
  }
}
