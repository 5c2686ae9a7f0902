import type { Bytes } from '../../model/units.ts';
import type { Visitor } from './visitor.ts';
import { isPlausible } from '../process/memory.ts';
import {
  visitDict,
  visitInlineValues,
  visitList,
  visitOrderedDict,
  visitSet,
  visitDeque,
  visitTuple,
} from './containers.ts';
import { visitCode, visitFrame, visitGenerator } from './frames.ts';
import {
  visitArray,
  visitArrowBuffer,
  visitBytearray,
  visitCtypes,
  visitMmap,
  visitStringIo,
} from './buffers.ts';
import { scanFields } from './fields.ts';
import { visitNdarray } from './numpy.ts';
import { integerSize, stringSize } from './strings.ts';
import { visitModule, visitType } from './namespaces.ts';
import { kinds, type TypeInfo } from './types.ts';

/**
 * Size of an object in bytes: what `sys.getsizeof` counts, and what the object owns out of line (attribute values, buffers). Tells the
 * visitor every reference of the object, on behalf of the node `owner`.
 */
export function sizeAndVisit(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  const size = ofKind(visitor, object, type, owner);
  if (type.isAtomic) return size;
  return size + visitSubclassParts(visitor, object, type, owner);
}

/** Size without what a subclass adds; follows the references of the type that gave the kind. */
function ofKind(visitor: Visitor, object: number, type: TypeInfo, owner: number): Bytes {
  const base = type.basicBytes + type.preBytes;
  switch (type.kind) {
    case kinds.integer:
      return integerSize(visitor, object, type);
    case kinds.plain:
      return base;
    case kinds.string:
      return stringSize(visitor, object, type);
    case kinds.bytes:
      return base + visitor.memory.word(object + 16);
    case kinds.type:
      return visitType(visitor, object, type, owner);
    default:
      return base + visitParts(visitor, object, type, owner);
  }
}

/** Follows the references of an object of variable kind. Returns the bytes beyond the fixed part of the object. */
function visitParts(visitor: Visitor, object: number, type: TypeInfo, owner: number): Bytes {
  switch (type.kind) {
    case kinds.list:
      return visitList(visitor, object, owner);
    case kinds.tuple:
      return visitTuple(visitor, object, owner);
    case kinds.dict:
      return visitDict(visitor, object, owner);
    case kinds.orderedDict:
      return visitOrderedDict(visitor, object, owner);
    case kinds.set:
      return visitSet(visitor, object, owner);
    case kinds.bytearray:
      return visitBytearray(visitor, object);
    case kinds.deque:
      return visitDeque(visitor, object, owner);
    case kinds.array:
      return visitArray(visitor, object);
    case kinds.ndarray:
      return visitNdarray(visitor, object, owner);
    case kinds.mmap:
      return visitMmap(visitor, object);
    case kinds.ctypes:
      return visitCtypes(visitor, object, type, owner);
    case kinds.arrowBuffer:
      return visitArrowBuffer(visitor, object, type, owner);
    case kinds.stringIo:
      return visitStringIo(visitor, object, type, owner);
    case kinds.weakref:
      // A weak reference does not keep its referent, but it keeps its callback.
      visitor.visit(visitor.memory.word(object + 24), owner);
      return 0;
    case kinds.module:
      return visitModule(visitor, object, type, owner);
    case kinds.code:
      return visitCode(visitor, object, type, owner);
    case kinds.generator:
      return visitGenerator(visitor, object, type, owner);
    case kinds.frame:
      return visitFrame(visitor, object, owner);
    default:
      return visitGeneric(visitor, object, type, owner);
  }
}

/** A type of some C module: takes every word that points to an object for a reference. */
function visitGeneric(visitor: Visitor, object: number, type: TypeInfo, owner: number): Bytes {
  scanFields(visitor, object, type, owner, 16);
  if (type.itemBytes === 0) return 0;
  const { memory } = visitor;
  let count = Math.abs(memory.signedWord(object + 16));
  if (count * type.itemBytes > memory.writableBytes) count = 0;
  if (type.itemBytes === 8 && count < 1_000_000)
    visitor.visitWords(object + type.basicBytes, object + type.basicBytes + 8 * count, owner);
  return count * type.itemBytes;
}

/** `__slots__`, `__dict__` and inline attribute values of a subclass or a plain instance. */
function visitSubclassParts(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  const isScanned =
    type.kind === kinds.generic ||
    type.kind === kinds.module ||
    type.kind === kinds.type ||
    type.kind === kinds.stringIo;
  if (!isScanned && !type.isExact && type.basicBytes > type.baseBasicBytes)
    scanFields(visitor, object, type, owner, type.baseBasicBytes);
  if (type.hasManagedDict) return visitInlineValues(visitor, object, type, owner);
  if (type.dictOffset < 0 && type.itemBytes > 0) {
    // Objects of variable size keep the dict behind their items (tuple and int subclasses up to 3.11).
    const count = Math.abs(visitor.memory.signedWord(object + 16));
    const end = object + Math.ceil((type.basicBytes + count * type.itemBytes) / 8) * 8;
    const dict = end + type.dictOffset;
    if (count < visitor.memory.writableBytes && isPlausible(dict))
      visitor.visit(visitor.memory.word(dict), owner);
  }
  return 0;
}
