import type { Bytes } from '../../model/units.ts';
import type { Census } from '../heap/census.ts';
import { isPlausible } from '../process/memory.ts';
import { scanFields } from './fields.ts';
import type { TypeInfo } from './types.ts';

/** array.array: items 24, allocated 32, description 40 (its item size at 4). */
export function visitArray(census: Census, object: number): Bytes {
  const { memory } = census;
  const description = memory.word(object + 40);
  if (!isPlausible(description)) return 0;
  const bytes = memory.word(object + 32) * memory.i32(description + 4);
  if (!(bytes >= 0 && bytes <= memory.writableBytes)) return 0;
  census.addBuffer(memory.word(object + 24), bytes);
  return bytes;
}

/** mmap.mmap: the mapping is not in the heap; data 16, size 24. */
export function visitMmap(census: Census, object: number): Bytes {
  const bytes = census.memory.word(object + 24);
  if (bytes < 2 ** 47) census.externalBytes += bytes;
  return 0;
}

/** ctypes data: pointer 16, whether it owns it 24, base 32, size 40. */
export function visitCtypes(census: Census, object: number, type: TypeInfo, owner: number): Bytes {
  const { memory } = census;
  census.visitWords(object + 32, object + type.baseBasicBytes, owner);
  const bytes = memory.word(object + 40);
  const isOwn = memory.i32(object + 24) !== 0;
  const data = memory.word(object + 16);
  // Small values lie in the object itself.
  const isInside = data >= object && data < object + type.basicBytes;
  if (!isOwn || isInside || bytes > memory.writableBytes) return 0;
  census.addBuffer(data, bytes);
  return bytes;
}

/** pyarrow.lib.Buffer: native memory, counted where the buffer has no parent; a size by its fields would be a guess. */
export function visitArrowBuffer(
  census: Census,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  scanFields(census, object, type, owner, 16);
  return 0;
}
