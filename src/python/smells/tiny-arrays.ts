import type { Smell } from '../../model/report.ts';
import { kinds } from '../objects/types.ts';
import { count, sampleOf } from './scan.ts';
import type { Scene, SmellRule } from './smell.ts';

const tinyBytes = 512;

/** Many tiny numpy arrays: each costs more than 100 bytes besides its data. */
export const tinyArrays: SmellRule = {
  id: 'tiny-arrays',
  title: 'Many tiny arrays',
  find: (scene: Scene) => {
    const { describe } = scene.found;
    return scene.finds.flatMap((find): readonly Smell[] => {
      if (find.type.kind === kinds.ndarray) return [];
      const { items, weight } = sampleOf(describe, find, 300);
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
          holder: find.holder,
          savesBytes: Math.round(overhead * weight),
          says: `${find.holder} holds ${count(find.length)} tiny numpy arrays: one array with a dimension more (numpy.stack) holds the same data`,
        },
      ];
    });
  },
};
