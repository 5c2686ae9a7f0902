import type { Smell } from '../../model/report.ts';
import { kinds } from '../objects/types.ts';
import { count, sampleOf } from './scan.ts';
import type { CheckContext, SmellRule } from './smell.ts';

const tinyBytes = 512;

/** Many tiny numpy arrays: each costs more than 100 bytes besides its data. */
export const tinyArrays: SmellRule = {
  id: 'tiny-arrays',
  title: 'Many tiny arrays',
  check: (context: CheckContext) => {
    const { describe } = context.found;
    return context.candidates.flatMap((check): readonly Smell[] => {
      if (check.type.kind === kinds.ndarray) return [];
      const { items, weight } = sampleOf(describe, check, 300);
      if (items.length < 100) return [];
      let overhead = 0;
      for (const item of items) {
        const type = describe.typeOf(item);
        const size = describe.sizeOf(item);
        if (type?.kind !== kinds.ndarray || size > tinyBytes) return [];
        // A row of a larger array needs no object; a block of malloc's has 16 bytes of its own.
        overhead += type.basicBytes + 16 + 16;
      }
      return [
        {
          id: 'tiny-arrays',
          holder: check.holder,
          savesBytes: Math.round(overhead * weight),
          says: `${check.holder} holds ${count(check.length)} tiny numpy arrays: one array with a dimension more (numpy.stack) holds the same data`,
        },
      ];
    });
  },
};
