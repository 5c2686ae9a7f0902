import type { TypeTotal } from '../../model/report.ts';
import type { Bytes } from '../../model/units.ts';
import type { Census } from './census.ts';

const maxTypes = 60;

/** Objects and bytes of each type, the most bytes first, at most 60 types. Types of the same name (a class made anew in each call) are one. */
export function typeTotals({ types, typeCounts, typeBytes }: Census): readonly TypeTotal[] {
  const totals = new Map<string, { count: number; bytes: Bytes }>();
  for (const { name, index } of types.types) {
    const count = typeCounts[index]!;
    if (count === 0) continue;
    const total = totals.get(name) ?? { count: 0, bytes: 0 };
    total.count += count;
    total.bytes += typeBytes[index]!;
    totals.set(name, total);
  }
  return [...totals]
    .map(([type, { count, bytes }]) => ({ type, count, bytes }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, maxTypes);
}

/** What a reader of the census's figures must know, in sentences. */
export function censusNotes(census: Census): readonly string[] {
  const notes = [...census.notes];
  if (!census.isComplete)
    notes.push(
      `the time for the look was over after ${census.objectCount.toLocaleString('en')} objects: figures are lower bounds`,
    );
  if (census.listsBeingSorted > 0)
    notes.push('a list was being sorted: its items count for the sort, not for the list');
  if (census.externalBytes > 0)
    notes.push(
      `mmap objects map ${Math.round(census.externalBytes / 1024 ** 2).toLocaleString('en')} MiB besides`,
    );
  return notes;
}
