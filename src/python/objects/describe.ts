import type { Bytes } from '../../model/units.ts';
import type { Census } from '../heap/census.ts';
import { isPlausible } from '../process/memory.ts';
import { dtypeName, readNdarray } from './numpy.ts';
import { sizeAndVisit } from './traverse.ts';
import { kinds, type TypeInfo } from './types.ts';

/** Looks at single objects after the census: what they are, how large, what they are made of. Reads no values. */
export interface Describer {
  readonly typeOf: (object: number) => TypeInfo | null;
  /** Its own bytes, without what it refers to. */
  readonly sizeOf: (object: number) => Bytes;
  /** `list[64]`, `dict[str]`, `numpy.ndarray[float64]`. */
  readonly label: (object: number) => string;
  /** Some of its items, evenly spaced; for a dict its values. */
  readonly sample: (object: number, limit: number) => readonly number[];
  /** Number of items of a container; null: it is none. */
  readonly length: (object: number) => number | null;
}

export function describer(census: Census): Describer {
  const { memory, python, types } = census;
  // The same size functions, but nothing is followed.
  const nothing = () => {};
  const sizer: Census = Object.create(census, {
    visit: { value: nothing },
    visitWords: { value: nothing },
    visitArray: { value: nothing },
    visitStrided: { value: nothing },
    visitEntries: { value: nothing },
    hasItems: { value: nothing },
    isNamespace: { value: nothing },
    addBuffer: { value: nothing },
    root: { value: () => 0 },
  });
  const typeOf = (object: number) => types.of(object);

  const sizeOf = (object: number): Bytes => {
    const type = typeOf(object);
    if (type === null) return 0;
    const size = sizeAndVisit(sizer, object, type, 0);
    return size >= 0 && size <= 2 * memory.writableBytes ? size : type.basicBytes;
  };

  const length = (object: number): number | null => {
    const type = typeOf(object);
    if (type === null) return null;
    const { kind } = type;
    if (kind === kinds.list || kind === kinds.tuple || kind === kinds.deque)
      return memory.word(object + 16);
    if (kind === kinds.dict || kind === kinds.orderedDict) return memory.word(object + 16);
    if (kind === kinds.set) return memory.word(object + 24);
    if (kind === kinds.ndarray) return readNdarray(memory, object).items;
    return null;
  };

  const spaced = (count: number, limit: number, at: (index: number) => number) => {
    const take = Math.min(count, limit);
    const found: number[] = [];
    for (let i = 0; i < take; i++) {
      const item = at(Math.floor((i * count) / take));
      if (isPlausible(item)) found.push(item);
    }
    return found;
  };

  const dictSlots = (dict: number, limit: number, part: 'key' | 'value') => {
    const keys = memory.word(dict + 32);
    const values = memory.word(dict + 40);
    if (!isPlausible(keys)) return [];
    const table = python.keysEntries(keys);
    const split = isPlausible(values) ? values + (python.minor >= 13 ? 8 : 0) : 0;
    return spaced(table.count, limit, (index) => {
      const entry = table.start + index * table.width + table.keyAt;
      if (part === 'key') return memory.word(entry);
      return split === 0 ? memory.word(entry + 8) : memory.word(split + 8 * index);
    });
  };

  const sample = (object: number, limit: number): readonly number[] => {
    const type = typeOf(object);
    if (type === null) return [];
    switch (type.kind) {
      case kinds.list:
        return spaced(memory.word(object + 16), limit, (i) =>
          memory.word(memory.word(object + 24) + 8 * i),
        );
      case kinds.tuple:
        return spaced(memory.word(object + 16), limit, (i) => memory.word(object + 24 + 8 * i));
      case kinds.dict:
      case kinds.orderedDict:
        return dictSlots(object, limit, 'value');
      case kinds.set:
        return spaced(memory.word(object + 32) + 1, limit * 4, (i) =>
          memory.word(memory.word(object + 40) + 16 * i),
        );
      case kinds.deque: {
        const block = memory.word(object + 24);
        const first = memory.word(object + 40);
        if (!isPlausible(block) || first > 63) return [];
        return spaced(Math.min(memory.word(object + 16), 64 - first), limit, (i) =>
          memory.word(block + 8 + 8 * (first + i)),
        );
      }
      case kinds.ndarray: {
        const array = readNdarray(memory, object);
        return array.kind === 'O'
          ? spaced(array.items, limit, (i) => memory.word(array.data + 8 * i))
          : [];
      }
      default:
        return [];
    }
  };

  const label = (object: number): string => {
    const type = typeOf(object);
    if (type === null) return '?';
    const { kind, name } = type;
    if (kind === kinds.ndarray) return `${name}[${dtypeName(readNdarray(memory, object))}]`;
    if (kind === kinds.dict || kind === kinds.orderedDict) {
      const names = new Set(dictSlots(object, 16, 'key').map((key) => typeOf(key)?.name ?? '?'));
      return names.size === 1 ? `${name}[${[...names][0]!}]` : name;
    }
    const count = kind >= kinds.list && kind <= kinds.deque ? length(object) : null;
    return count === null ? name : `${name}[${count}]`;
  };

  return { typeOf, sizeOf, label, sample, length };
}
