import type { Smell } from '../../model/report.ts';
import { kinds } from '../objects/types.ts';
import { count, percentOf, sampleOf } from './scan.ts';
import type { CheckContext, SmellRule } from './smell.ts';

const sampled = 1500;
const fields = 12;
const maxCompared = 256;

/** Many str objects of the same text: `sys.intern`, a pandas category, or a dict of one's own keeps one of each. */
export const equalStrings: SmellRule = {
  id: 'equal-strings',
  title: 'Many equal strings',
  check: (context: CheckContext) => {
    const { describe } = context.found;
    const { python, memory } = context.heap.census;
    return context.candidates.flatMap((check): readonly Smell[] => {
      const { items, weight } = sampleOf(describe, check, sampled);
      const strings = new Map<number, number>();
      const take = (object: number) => {
        const type = describe.typeOf(object);
        if (type?.kind !== kinds.string) return;
        // One object that many refer to is one already.
        if (python.references(object) < 50) strings.set(object, describe.sizeOf(object));
      };
      for (const item of items) {
        take(item);
        if (describe.typeOf(item)?.kind !== kinds.ndarray)
          for (const field of describe.sample(item, fields)) take(field);
      }
      if (strings.size < 200) return [];
      const bytesOfText = new Map<string, number>();
      let bytes = 0;
      for (const [object, size] of strings) {
        bytes += size;
        // Compared with each other, and forgotten.
        const text = `${memory.word(object + 16)} ${python.string(object, maxCompared)}`;
        bytesOfText.set(text, size);
      }
      const needed = [...bytesOfText.values()].reduce((sum, size) => sum + size, 0);
      const saved = (bytes - needed) * weight;
      const share = bytesOfText.size / strings.size;
      if (share > 0.5) return [];
      return [
        {
          id: 'equal-strings',
          holder: check.holder,
          savesBytes: Math.round(saved),
          says: `${check.holder} holds about ${count(strings.size * weight)} strings, ${percentOf(1 - share)} of which are equal to others: intern them (sys.intern) or use a category`,
        },
      ];
    });
  },
};
