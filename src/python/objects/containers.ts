import type { Bytes } from '../../model/units.ts';
import type { Visitor } from './visitor.ts';
import { isPlausible } from '../process/memory.ts';
import type { TypeInfo } from './types.ts';

/** Returns the bytes of the items' array: `ob_size` 16, `ob_item` 24, `allocated` 32. */
export function visitList(visitor: Visitor, list: number, owner: number): Bytes {
  const { memory } = visitor;
  const count = memory.word(list + 16);
  const items = memory.word(list + 24);
  let allocated = memory.signedWord(list + 32);
  // list.sort() empties the list and marks it with -1 while it works on the items.
  if (allocated < 0) {
    visitor.noteListBeingSorted();
    allocated = 0;
  }
  if (count > memory.writableBytes / 8 || (count > 0 && !isPlausible(items))) return 0;
  visitor.noteItems(owner, count);
  visitor.addBuffer(items, allocated * 8);
  visitor.visitArray(items, count, owner);
  return allocated * 8;
}

/** Returns the bytes of the items, which lie at the end of the object. */
export function visitTuple(visitor: Visitor, tuple: number, owner: number): Bytes {
  const { memory, python } = visitor;
  const count = memory.word(tuple + 16);
  if (count > memory.writableBytes) return 0;
  visitor.noteItems(owner, count);
  visitor.visitArray(python.tupleItems(tuple), count, owner);
  return count * 8;
}

/** Returns the bytes of the keys' table (`ma_keys` 32) and of the split values (`ma_values` 40). */
export function visitDict(visitor: Visitor, dict: number, owner: number): Bytes {
  const { memory, python } = visitor;
  const keys = memory.word(dict + 32);
  const values = memory.word(dict + 40);
  if (!isPlausible(keys)) return 0;
  const table = python.keysEntries(keys);
  if (table.bytes > memory.writableBytes) return 0;
  visitor.noteItems(owner, table.count);
  let bytes = 0;
  if (values === 0) visitor.visitEntries(table.start, table.count, table.width, table.keyAt, owner);
  else if (isPlausible(values)) {
    const usable = python.minor >= 11 ? memory.word(keys + 16) + table.count : table.usable;
    bytes += Math.min(usable, 1 << 20) * 8;
    visitor.visitArray(values + (python.minor >= 13 ? 8 : 0), table.count, owner);
    visitor.visitStrided(table.start + table.keyAt, table.count, table.width, owner);
  }
  // A table that belongs to this dict alone: shared ones (instances of a class) count with the class; the empty one is static.
  if (memory.u32(keys) === 1) {
    visitor.addBuffer(keys, table.bytes);
    bytes += table.bytes;
  }
  return bytes;
}

/** As `visitDict`, with `od_fast_nodes`, as wide as the table, and a node of 32 bytes for each key (odictobject.c). */
export function visitOrderedDict(visitor: Visitor, dict: number, owner: number): Bytes {
  const { memory, python } = visitor;
  const bytes = visitDict(visitor, dict, owner);
  const keys = memory.word(dict + 32);
  if (!isPlausible(keys)) return bytes;
  const size = python.minor >= 11 ? 2 ** Math.min(memory.u8(keys + 8), 40) : memory.word(keys + 8);
  return bytes + size * 8 + memory.word(dict + 16) * 32;
}

/** Returns the bytes of the table (`mask` 32, `table` 40), or 0 where it is the `smalltable` of 8 slots in the object (64). */
export function visitSet(visitor: Visitor, set: number, owner: number): Bytes {
  const { memory } = visitor;
  const slots = memory.word(set + 32) + 1;
  const table = memory.word(set + 40);
  if (slots > memory.writableBytes / 16 || !isPlausible(table)) return 0;
  visitor.noteItems(owner, memory.word(set + 24));
  visitor.visitStrided(table, slots, 16, owner);
  if (table === set + 64) return 0;
  visitor.addBuffer(table, slots * 16);
  return slots * 16;
}

const dequeItems = 64;
const dequeBlockBytes = 528;

/** Returns the bytes of the blocks (BLOCKLEN of _collectionsmodule.c): left link, 64 items, right link. */
export function visitDeque(visitor: Visitor, deque: number, owner: number): Bytes {
  const { memory } = visitor;
  const count = memory.word(deque + 16);
  if (count > memory.writableBytes / 8) return 0;
  visitor.noteItems(owner, count);
  let block = memory.word(deque + 24);
  let index = memory.word(deque + 40);
  let left = count;
  let blocks = 1;
  const most = Math.ceil(count / dequeItems) + 2;
  while (left > 0 && isPlausible(block) && index < dequeItems && blocks <= most) {
    const here = Math.min(left, dequeItems - index);
    visitor.visitArray(block + 8 + 8 * index, here, owner);
    visitor.addBuffer(block, dequeBlockBytes);
    left -= here;
    index = 0;
    if (left > 0) {
      block = memory.word(block + 8 + 8 * dequeItems);
      blocks += 1;
    }
  }
  return blocks * dequeBlockBytes;
}

/**
 * Follows the attributes of an instance that has no dict yet, and its dict where it has one. Returns the bytes of the values.
 * 3.11: values at -32, dict at -24. 3.12: one word at -24, odd: values. 3.13: values behind the object, dict at -24.
 */
export function visitInlineValues(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  const { memory, python } = visitor;
  const word = memory.word(object - 24);
  if (word !== 0 && word % 2 === 0) visitor.visit(word, owner);
  const { cachedKeys } = type;
  let bytes = 0;
  if (python.minor >= 13) {
    if ((type.flags & 4) === 0) return 0;
    const capacity = memory.u8(object + type.basicBytes);
    // Header of the size rounded up, capacity + 1 words of values and insertion order.
    bytes = Math.ceil(capacity / 8) * 8 + (capacity + 1) * 8;
  }
  const values = python.inlineValues(object, type.address, type.flags);
  if (!isPlausible(values) || !isPlausible(cachedKeys)) return bytes;
  const count = Math.min(memory.word(cachedKeys + 24), 256);
  visitor.visitArray(values, count, owner);
  if (python.minor < 13) {
    const usable = Math.min(memory.word(cachedKeys + 16) + count, 256);
    // The prefix of insertion order lies before the values, its length in the byte before them.
    bytes = usable * 8 + memory.u8(values - 1);
    visitor.addBuffer(values - memory.u8(values - 1), bytes);
  }
  return bytes;
}
