/** All processes of a run together over time. */
import type { Recording, Series } from '../model/recording.ts';
import type { Bytes, Ms } from '../model/units.ts';

export interface MomentOfRun {
  readonly atMs: Ms;
  /** Resident sets together: shared pages count in each. */
  readonly bytes: Bytes;
  readonly processes: number;
}

/** In the order of time. */
export function memoryOfRun({ processes }: Recording): readonly MomentOfRun[] {
  const readings = processes.flatMap(({ samples, endedMs }, index) =>
    readingsOf(samples, index, endedMs !== null),
  );
  readings.sort((a, b) => a.atMs - b.atMs);
  const held = new Map<number, Bytes>();
  const moments: MomentOfRun[] = [];
  let sum = 0;
  for (const [at, { atMs, index, bytes }] of readings.entries()) {
    sum += bytes - (held.get(index) ?? 0);
    if (bytes === 0) held.delete(index);
    else held.set(index, bytes);
    if (readings[at + 1]?.atMs !== atMs) moments.push({ atMs, bytes: sum, processes: held.size });
  }
  return moments;
}

interface Reading {
  readonly atMs: Ms;
  readonly index: number;
  readonly bytes: Bytes;
}

function readingsOf(
  { atMs, columns }: Series,
  index: number,
  hasEnded: boolean,
): readonly Reading[] {
  const rss = columns['rssBytes'] ?? [];
  const readings = atMs.flatMap((at, row): Reading[] => {
    const bytes = rss[row];
    return bytes === null || bytes === undefined ? [] : [{ atMs: at, index, bytes }];
  });
  const last = readings.at(-1);
  return last === undefined || !hasEnded
    ? readings
    : [...readings, { atMs: last.atMs + 0.5, index, bytes: 0 }];
}
