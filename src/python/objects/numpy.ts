import type { Bytes } from '../../model/units.ts';
import type { Visitor } from './visitor.ts';
import { isPlausible, type Memory } from '../process/memory.ts';

/** An array of numpy, from its C struct. */
export interface Ndarray {
  readonly data: number;
  /** Array that this one is a view of, or another owner of its memory; 0: none. */
  readonly base: number;
  readonly ownsData: boolean;
  readonly items: number;
  readonly itemBytes: number;
  readonly shape: readonly number[];
  /** `dtype.kind`: `f`, `i`, `u`, `O`, … */
  readonly kind: string;
}

const maxDimensions = 64;
const ownsDataFlag = 4;

/**
 * numpy's PyArrayObject_fields: data 16, nd 24, dimensions 32, strides 40, base 48, descr 56, flags 64; numpy 1 and 2.
 * PyArray_Descr: kind 24; item size at 40 as 64 bits in numpy 2, at 32 as 32 bits in numpy 1.
 */
export function readNdarray(memory: Memory, object: number): Ndarray {
  const dimensions = memory.word(object + 32);
  const count = Math.min(Math.max(0, memory.i32(object + 24)), maxDimensions);
  const shape = isPlausible(dimensions)
    ? Array.from({ length: count }, (_, i) => memory.word(dimensions + 8 * i))
    : [];
  const descriptor = memory.word(object + 56);
  return {
    data: memory.word(object + 16),
    base: memory.word(object + 48),
    ownsData: (memory.u32(object + 64) & ownsDataFlag) !== 0,
    items: shape.reduce((product, length) => product * length, 1),
    itemBytes: isPlausible(descriptor) ? itemBytesOf(memory, descriptor) : 0,
    shape,
    kind: isPlausible(descriptor) ? String.fromCharCode(memory.u8(descriptor + 24)) : '?',
  };
}

function itemBytesOf(memory: Memory, descriptor: number): number {
  const size = memory.word(descriptor + 40);
  const alignment = memory.word(descriptor + 48);
  const isNumpy2 = size > 0 && size < 2 ** 31 && alignment > 0 && alignment <= 64;
  return isNumpy2 ? size : Math.max(0, memory.i32(descriptor + 32));
}

const names: Readonly<Record<string, string>> = { f: 'float', i: 'int', u: 'uint', c: 'complex' };

/** `float64`, `int32`, `object`, `datetime64`, … */
export function dtypeName({ kind, itemBytes }: Ndarray): string {
  const name = names[kind];
  if (name !== undefined) return `${name}${itemBytes * 8}`;
  if (kind === 'O') return 'object';
  if (kind === 'b') return 'bool';
  if (kind === 'M') return 'datetime64';
  if (kind === 'm') return 'timedelta64';
  if (kind === 'U') return `str${Math.floor(itemBytes / 4)}`;
  return kind === 'S' ? `bytes${itemBytes}` : kind === 'V' ? 'record' : kind;
}

/** Bytes of the data where the array owns them; a view keeps its base. */
export function visitNdarray(visitor: Visitor, object: number, owner: number): Bytes {
  const { memory } = visitor;
  const array = readNdarray(memory, object);
  visitor.visit(array.base, owner);
  visitor.visit(memory.word(object + 56), owner);
  const bytes = array.items * array.itemBytes;
  if (!(bytes >= 0 && bytes <= 2 ** 46)) return 0;
  const isOwner = array.ownsData || array.base === 0;
  if (isOwner && array.kind === 'O' && array.items * 8 <= memory.writableBytes) {
    visitor.noteItems(owner, array.items);
    visitor.visitArray(array.data, array.items, owner);
  }
  // Dimensions and strides, as numpy's __sizeof__ counts them.
  const extra = array.shape.length * 16;
  if (!isOwner) return extra;
  visitor.addBuffer(array.data, bytes);
  return bytes + extra;
}
