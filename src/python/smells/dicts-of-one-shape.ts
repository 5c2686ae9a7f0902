import type { Smell } from '../../model/report.ts';
import { isPlausible } from '../process/memory.ts';
import { kinds } from '../objects/types.ts';
import { count, sampleOf } from './scan.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** A container of dicts that all have the same keys: rows. Slots, tuples or columns hold the values without the tables. */
export const dictsOfOneShape: SmellRule = {
  id: 'dicts-of-one-shape',
  title: 'Dicts of one shape',
  check: (context: CheckContext) => {
    const { describe } = context.found;
    const { memory, python } = context.heap.census;
    return context.candidates.flatMap((check): readonly Smell[] => {
      const { items, weight } = sampleOf(describe, check, 300);
      if (items.length < 100) return [];
      let shape: string | null = null;
      let bytes = 0;
      let keys = 0;
      for (const item of items) {
        if (describe.typeOf(item)?.kind !== kinds.dict) return [];
        const table = memory.word(item + 32);
        if (!isPlausible(table)) return [];
        const entries = python.keysEntries(table);
        if (entries.count > 64) return [];
        // Keys of rows are mostly the very same objects; their texts are compared, not kept.
        const own = Array.from({ length: entries.count }, (_, i) =>
          python.string(memory.word(entries.start + i * entries.width + entries.keyAt), 64),
        ).join('\0');
        shape ??= own;
        if (own !== shape) return [];
        keys = entries.count;
        bytes += describe.sizeOf(item);
      }
      if (keys === 0) return [];
      // An object with __slots__: header, collector's head, a pointer for each.
      const slotted = items.length * (16 + 16 + 8 * keys);
      return [
        {
          id: 'dicts-of-one-shape',
          holder: check.holder,
          savesBytes: Math.max(0, Math.round((bytes - slotted) * weight)),
          says: `${check.holder} holds ${count(check.length)} dicts with the same ${keys} keys: a class with __slots__ (dataclass(slots=True)) or columns take a fraction`,
        },
      ];
    });
  },
};
