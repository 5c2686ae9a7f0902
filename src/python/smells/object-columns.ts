import type { Smell } from '../../model/report.ts';
import { readNdarray } from '../objects/numpy.ts';
import { kinds } from '../objects/types.ts';
import { count, sampleOf } from './scan.ts';
import type { Scene, SmellRule } from './smell.ts';

const minor12Overhead = 41;

/** numpy arrays and pandas columns of Python objects: each value costs a pointer and an object. */
export const objectColumns: SmellRule = {
  id: 'object-columns',
  title: 'Columns of Python objects',
  find: (scene: Scene) => {
    const { describe } = scene.found;
    const { memory } = scene.heap.census;
    return scene.finds.flatMap((find): readonly Smell[] => {
      if (find.type.kind !== kinds.ndarray || find.length < 1000) return [];
      if (readNdarray(memory, find.object).kind !== 'O') return [];
      const { items, weight } = sampleOf(describe, find, 400);
      const distinct = [...new Set(items)];
      const bytes = distinct.reduce((sum, item) => sum + describe.sizeOf(item), 0) * weight;
      const names = items.map((item) => describe.typeOf(item)?.name ?? '?');
      const isText = names.every((name) => name === 'str' || name === 'NoneType');
      const isNumber = names.every((name) => ['int', 'float', 'bool', 'NoneType'].includes(name));
      if (!isText && !isNumber) return [];
      const saved = isNumber ? bytes : distinct.length * weight * minor12Overhead;
      const instead = isNumber
        ? 'a column of numbers (float64, Int64)'
        : 'a string column (string[pyarrow]) or a category';
      return [
        {
          id: 'object-columns',
          holder: find.holder,
          savesBytes: Math.round(saved),
          says: `${find.holder} has an object column of ${count(find.length)} ${isNumber ? 'numbers' : 'strings'}: ${instead} holds them without an object each`,
        },
      ];
    });
  },
};
