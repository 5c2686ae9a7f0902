/** Looks at new peaks, far from any limit, where they were asked for. */
import type { Bytes } from '../../model/units.ts';
import type { WatchedProcess } from './messages.ts';

/** Smaller processes are not worth a stop. */
export const leastPeakBytes: Bytes = 48 * 2 ** 20;
/** A peak is worth another look when it is so much higher than the one before. */
const higherBy = 1.2;

/** The process that has come to a new peak; null: none has. `looked`: by pid, what it held at its last look. */
export function newPeak(
  processes: readonly WatchedProcess[],
  looked: ReadonlyMap<number, Bytes>,
): WatchedProcess | null {
  return processes.reduce<WatchedProcess | null>((largest, process) => {
    const { pid, rssBytes } = process;
    const isNew = rssBytes >= Math.max(leastPeakBytes, (looked.get(pid) ?? 0) * higherBy);
    return isNew && rssBytes > (largest?.rssBytes ?? 0) ? process : largest;
  }, null);
}
