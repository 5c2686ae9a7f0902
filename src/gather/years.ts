import type { Evidence } from '../model/evidence.ts';
import { isoTime } from '../model/units.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Clocks and zones differ: a line may be a little later than its file. */
const toleranceMs = 86_400_000;

/**
 * Gives facts of a classic syslog (`Nov 30 12:00:00`) their year: a line is not later than its file, so a December in a file of
 * January is of the year before. `writtenMs`: when the file was last written, since 1970. As local time of its source, taken for UTC.
 */
export function withYear(fact: Evidence, writtenMs: number): Evidence {
  const { when } = fact;
  if (when?.printed === undefined || when.wall !== undefined) return fact;
  const match = /^([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d\d):(\d\d):(\d\d)/.exec(when.printed);
  const month = months.indexOf(match?.[1] ?? '');
  if (match === null || month < 0) return fact;
  const [day, hour, minute, second] = match.slice(2, 6).map(Number);
  const latest = new Date(writtenMs).getUTCFullYear();
  // The last five: a 29 February waits for its leap year.
  for (let year = latest; year > latest - 5; year -= 1) {
    const atMs = Date.UTC(year, month, day, hour, minute, second);
    if (atMs > writtenMs + toleranceMs || new Date(atMs).getUTCDate() !== day) continue;
    const wall = isoTime(atMs);
    return wall === undefined ? fact : { ...fact, when: { ...when, wall } };
  }
  return fact;
}
