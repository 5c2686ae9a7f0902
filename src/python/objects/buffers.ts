import type { Bytes } from '../../model/units.ts';
import type { Visitor } from './visitor.ts';
import { isPlausible } from '../process/memory.ts';
import { scanFields } from './fields.ts';
import type { TypeInfo } from './types.ts';

/** Head of a bytes object and the zero at its end: in 3.15 the buffer of a bytearray is one, which nothing else refers to. */
const bytesObjectBytes = 33;

/** bytearray: `ob_alloc` 24, `ob_bytes` 32. Returns the bytes of the buffer. */
export function visitBytearray(visitor: Visitor, object: number): Bytes {
  const { memory, python } = visitor;
  const wanted = memory.word(object + 24);
  const allocated = python.minor >= 15 && wanted > 0 ? wanted + bytesObjectBytes : wanted;
  visitor.addBuffer(memory.word(object + 32), allocated);
  return allocated;
}

/** io.StringIO: a growing array of UCS-4, `buf` 16 and `buf_size` (characters) 40. Returns the bytes of the array. */
export function visitStringIo(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  const { memory } = visitor;
  const characters = memory.word(object + 40);
  const bytes = characters < 2 ** 40 ? characters * 4 : 0;
  visitor.addBuffer(memory.word(object + 16), bytes);
  scanFields(visitor, object, type, owner, 16);
  return bytes;
}

/** array.array: `ob_item` 24, `allocated` 32, `ob_descr` 40 (its `itemsize` at 4). Returns the bytes of the items. */
export function visitArray(visitor: Visitor, object: number): Bytes {
  const { memory } = visitor;
  const description = memory.word(object + 40);
  if (!isPlausible(description)) return 0;
  const bytes = memory.word(object + 32) * memory.i32(description + 4);
  if (!(bytes >= 0 && bytes <= memory.writableBytes)) return 0;
  visitor.addBuffer(memory.word(object + 24), bytes);
  return bytes;
}

/** mmap.mmap: `data` 16, `size` 24. The mapping is not in the heap: returns 0. */
export function visitMmap(visitor: Visitor, object: number): Bytes {
  const bytes = visitor.memory.word(object + 24);
  if (bytes < 2 ** 47) visitor.addExternal(bytes);
  return 0;
}

/** ctypes data: `b_ptr` 16, `b_needsfree` 24, `b_base` 32, `b_size` 40. Returns the bytes of the data where the object owns them out of line. */
export function visitCtypes(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  const { memory } = visitor;
  visitor.visitWords(object + 32, object + type.baseBasicBytes, owner);
  const bytes = memory.word(object + 40);
  const isOwn = memory.i32(object + 24) !== 0;
  const data = memory.word(object + 16);
  // Small values lie in the object itself.
  const isInside = data >= object && data < object + type.basicBytes;
  if (!isOwn || isInside || bytes > memory.writableBytes) return 0;
  visitor.addBuffer(data, bytes);
  return bytes;
}

/** pyarrow.lib.Buffer: its fields differ by release, so that its size would be a guess: returns 0. */
export function visitArrowBuffer(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  scanFields(visitor, object, type, owner, 16);
  return 0;
}
