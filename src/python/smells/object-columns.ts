import type { Smell } from '../../model/report.ts';
import { readNdarray } from '../objects/numpy.ts';
import { kinds } from '../objects/types.ts';
import { count, sampleOf } from './scan.ts';
import type { CheckContext, SmellRule } from './smell.ts';

const minor12Overhead = 41;

/** numpy arrays and pandas columns of Python objects: each value costs a pointer and an object. */
export const objectColumns: SmellRule = {
  id: 'object-columns',
  title: 'Columns of Python objects',
  check: (context: CheckContext) => {
    const { describe } = context.found;
    const { memory } = context.heap.census;
    return context.candidates.flatMap((check): readonly Smell[] => {
      if (check.type.kind !== kinds.ndarray || check.length < 1000) return [];
      if (readNdarray(memory, check.object).kind !== 'O') return [];
      const { items, weight } = sampleOf(describe, check, 400);
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
          holder: check.holder,
          savesBytes: Math.round(saved),
          says: `${check.holder} has an object column of ${count(check.length)} ${isNumber ? 'numbers' : 'strings'}: ${instead} holds them without an object each`,
        },
      ];
    });
  },
};
