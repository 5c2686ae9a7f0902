import type { Bytes } from '../../model/units.ts';
import { isPlausible } from '../process/memory.ts';
import { dtypeName, readNdarray } from './numpy.ts';
import { sizeAndVisit } from './traverse.ts';
import { kinds, type TypeInfo } from './types.ts';
import type { ObjectReader, Visitor } from './visitor.ts';

/** Items in one block of a deque (BLOCKLEN of _collectionsmodule.c). */
const dequeBlockItems = 64;

/** Says what single objects are, how large, and what they are made of. Reads no values. */
export class Describer {
  private readonly reader: ObjectReader;
  private readonly sizer: Visitor;

  constructor(reader: ObjectReader) {
    this.reader = reader;
    this.sizer = sizeOnly(reader);
  }

  /** null: no object lies at this address. */
  typeOf(object: number): TypeInfo | null {
    return this.reader.types.of(object);
  }

  /** Bytes of the object alone, without what it refers to. */
  sizeOf(object: number): Bytes {
    const type = this.typeOf(object);
    if (type === null) return 0;
    const size = sizeAndVisit(this.sizer, object, type, 0);
    return size >= 0 && size <= 2 * this.reader.memory.writableBytes ? size : type.basicBytes;
  }

  /** Number of items of a container; null: the object is no container. */
  length(object: number): number | null {
    const { memory } = this.reader;
    switch (this.typeOf(object)?.kind) {
      case kinds.list:
      case kinds.tuple:
      case kinds.deque:
      case kinds.dict:
      case kinds.orderedDict:
        return memory.word(object + 16);
      case kinds.set:
        return memory.word(object + 24);
      case kinds.ndarray:
        return readNdarray(memory, object).items;
      default:
        return null;
    }
  }

  /** Type and content in short: `list[64]`, `dict[str]`, `numpy.ndarray[float64]`; `?` where there is no object. */
  label(object: number): string {
    const type = this.typeOf(object);
    if (type === null) return '?';
    const { kind, name } = type;
    if (kind === kinds.ndarray)
      return `${name}[${dtypeName(readNdarray(this.reader.memory, object))}]`;
    if (kind === kinds.dict || kind === kinds.orderedDict) {
      const keys = this.dictSlots(object, 16, 'key');
      const names = new Set(keys.map((key) => this.typeOf(key)?.name ?? '?'));
      return names.size === 1 ? `${name}[${[...names][0]!}]` : name;
    }
    const count = kind >= kinds.list && kind <= kinds.deque ? this.length(object) : null;
    return count === null ? name : `${name}[${count}]`;
  }

  /** At most `limit` items of a container, evenly spaced; values for a dict. Empty for all else. */
  sample(object: number, limit: number): readonly number[] {
    const { memory } = this.reader;
    switch (this.typeOf(object)?.kind) {
      case kinds.list:
        return spaced(memory.word(object + 16), limit, (i) =>
          memory.word(memory.word(object + 24) + 8 * i),
        );
      case kinds.tuple:
        return spaced(memory.word(object + 16), limit, (i) =>
          memory.word(this.reader.python.tupleItems(object) + 8 * i),
        );
      case kinds.dict:
      case kinds.orderedDict:
        return this.dictSlots(object, limit, 'value');
      case kinds.set:
        // Most slots of a set's table are empty.
        return spaced(memory.word(object + 32) + 1, limit * 4, (i) =>
          memory.word(memory.word(object + 40) + 16 * i),
        );
      case kinds.deque:
        return this.firstOfDeque(object, limit);
      case kinds.ndarray:
        return this.elements(object, limit);
      default:
        return [];
    }
  }

  /** Items of the first block: the others are a walk away. */
  private firstOfDeque(deque: number, limit: number): readonly number[] {
    const { memory } = this.reader;
    const block = memory.word(deque + 24);
    const first = memory.word(deque + 40);
    if (!isPlausible(block) || first >= dequeBlockItems) return [];
    const count = Math.min(memory.word(deque + 16), dequeBlockItems - first);
    return spaced(count, limit, (i) => memory.word(block + 8 + 8 * (first + i)));
  }

  /** Only an array of dtype object has elements that are objects. */
  private elements(object: number, limit: number): readonly number[] {
    const { memory } = this.reader;
    const { kind, items, data } = readNdarray(memory, object);
    return kind === 'O' ? spaced(items, limit, (i) => memory.word(data + 8 * i)) : [];
  }

  private dictSlots(dict: number, limit: number, part: 'key' | 'value'): readonly number[] {
    const { memory, python } = this.reader;
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
  }
}

/** A visitor for who wants to know sizes alone: it follows nothing. */
function sizeOnly({ memory, python, types }: ObjectReader): Visitor {
  const nothing = () => {};
  return {
    memory,
    python,
    types,
    visit: nothing,
    visitWords: nothing,
    visitArray: nothing,
    visitStrided: nothing,
    visitEntries: nothing,
    root: () => 0,
    noteItems: nothing,
    markNamespace: nothing,
    addBuffer: nothing,
    addExternal: nothing,
    noteListBeingSorted: nothing,
  };
}

/** The plausible ones among at most `limit` of `count` addresses, evenly spaced. */
function spaced(count: number, limit: number, at: (index: number) => number): readonly number[] {
  const take = Math.min(count, limit);
  const found: number[] = [];
  for (let i = 0; i < take; i++) {
    const item = at(Math.floor((i * count) / take));
    if (isPlausible(item)) found.push(item);
  }
  return found;
}
