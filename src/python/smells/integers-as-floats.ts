import type { Smell } from '../../model/report.ts';
import { readNdarray } from '../objects/numpy.ts';
import { kinds } from '../objects/types.ts';
import type { CheckContext, SmellRule } from './smell.ts';

const samples = 64;
const run = 64;

/** float64 (or int64) arrays whose values would fit a smaller integer. */
export const integersAsFloats: SmellRule = {
  id: 'integers-as-floats',
  title: 'Wide numbers holding small integers',
  check: (context: CheckContext) => {
    const { memory } = context.heap.census;
    return context.candidates.flatMap(({ holder, object, type }): readonly Smell[] => {
      if (type.kind !== kinds.ndarray) return [];
      const array = readNdarray(memory, object);
      if (array.itemBytes !== 8 || (array.kind !== 'f' && array.kind !== 'i') || array.items < 4096)
        return [];
      if (!array.ownsData) return [];
      let largest = 0;
      let isNegative = false;
      for (let i = 0; i < samples; i++) {
        const start = Math.floor((i * (array.items - run)) / samples);
        const bytes = memory.bytes(array.data + 8 * start, 8 * run);
        const view = new DataView(bytes.buffer);
        for (let j = 0; j < run; j++) {
          const value =
            array.kind === 'f'
              ? view.getFloat64(8 * j, true)
              : view.getInt32(8 * j + 4, true) * 4_294_967_296 + view.getUint32(8 * j, true);
          if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 31) return [];
          largest = Math.max(largest, Math.abs(value));
          isNegative ||= value < 0;
        }
      }
      // Untouched zeros say nothing about what will be in there.
      if (largest === 0) return [];
      const bits =
        largest < (isNegative ? 128 : 256) ? 8 : largest < (isNegative ? 32_768 : 65_536) ? 16 : 32;
      const was = `${array.kind === 'f' ? 'float' : 'int'}64`;
      const name = `${isNegative ? '' : 'u'}int${bits}`;
      return [
        {
          id: 'integers-as-floats',
          holder,
          savesBytes: array.items * (8 - bits / 8),
          says: `${holder} is ${was}, but its values (${samples * run} sampled) are integers that fit ${name}: astype("${name}")`,
        },
      ];
    });
  },
};
