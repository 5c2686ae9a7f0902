import type { Smell } from '../../model/report.ts';
import { kinds } from '../objects/types.ts';
import { count, sampleOf } from './scan.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** One huge list of small tuples (or lists): columns (array, numpy) hold the values without the objects. */
export const smallTuples: SmellRule = {
  id: 'small-tuples',
  title: 'A huge list of small tuples',
  check: (context: CheckContext) => {
    const { describe } = context.found;
    return context.candidates.flatMap((check): readonly Smell[] => {
      if (check.length < 10_000 || check.type.kind === kinds.ndarray) return [];
      const { items, weight } = sampleOf(describe, check, 300);
      if (items.length < 100) return [];
      const kind = describe.typeOf(items[0]!)?.kind;
      if (kind !== kinds.tuple && kind !== kinds.list) return [];
      const width = describe.length(items[0]!);
      if (width === null || width === 0 || width > 8) return [];
      let bytes = 0;
      for (const item of items) {
        if (describe.typeOf(item)?.kind !== kind || describe.length(item) !== width) return [];
        bytes += describe.sizeOf(item) - 8 * width;
        for (const field of describe.sample(item, 8)) {
          const name = describe.typeOf(field)?.name;
          // Numbers need no object in a column, either.
          if (name === 'float' || name === 'int') bytes += describe.sizeOf(field) - 8;
        }
      }
      const what = kind === kinds.tuple ? 'tuples' : 'lists';
      return [
        {
          id: 'small-tuples',
          holder: check.holder,
          savesBytes: Math.round(bytes * weight),
          says: `${check.holder} holds ${count(check.length)} ${what} of ${width}: ${width} columns (array.array, numpy, a DataFrame) hold the values without an object for each row`,
        },
      ];
    });
  },
};
