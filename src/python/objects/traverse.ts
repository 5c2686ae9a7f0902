import type { Bytes } from '../../model/units.ts';
import type { Census } from '../heap/census.ts';
import { isPlausible } from '../process/memory.ts';
import {
  visitDict,
  visitInlineValues,
  visitList,
  visitOrderedDict,
  visitSet,
  visitDeque,
} from './containers.ts';
import { visitCode, visitFrame, visitGenerator } from './frames.ts';
import { visitArray, visitArrowBuffer, visitCtypes, visitMmap } from './buffers.ts';
import { scanFields } from './fields.ts';
import { visitNdarray } from './numpy.ts';
import { integerSize, stringSize } from './strings.ts';
import { visitModule, visitType } from './namespaces.ts';
import { kinds, type TypeInfo } from './types.ts';

/**
 * Size of an object as `sys.getsizeof` counts it, and of what it owns out of line (attribute values, buffers);
 * follows its references on behalf of `owner`.
 */
export function sizeAndVisit(census: Census, object: number, type: TypeInfo, owner: number): Bytes {
  const size = ofKind(census, object, type, owner);
  if (type.isAtomic) return size;
  return size + visitSubclassParts(census, object, type, owner);
}

function ofKind(census: Census, object: number, type: TypeInfo, owner: number): Bytes {
  const { memory } = census;
  const base = type.basicBytes + type.preBytes;
  switch (type.kind) {
    case kinds.integer:
      return integerSize(census, object, type);
    case kinds.plain:
      return base;
    case kinds.string:
      return stringSize(census, object, type);
    case kinds.bytes: {
      const length = memory.word(object + 16);
      return base + length;
    }
    case kinds.list:
      return base + visitList(census, object, owner);
    case kinds.tuple: {
      const count = memory.word(object + 16);
      if (count > memory.writableBytes) return base;
      census.hasItems(owner, count);
      census.visitArray(object + 24, count, owner);
      return base + count * 8;
    }
    case kinds.dict:
      return base + visitDict(census, object, owner);
    case kinds.orderedDict:
      return base + visitOrderedDict(census, object, owner);
    case kinds.set:
      return base + visitSet(census, object, owner);
    case kinds.bytearray: {
      const allocated = memory.word(object + 24);
      census.addBuffer(memory.word(object + 32), allocated);
      return base + allocated;
    }
    case kinds.deque:
      return base + visitDeque(census, object, owner);
    case kinds.array:
      return base + visitArray(census, object);
    case kinds.ndarray:
      return base + visitNdarray(census, object, owner);
    case kinds.mmap:
      return base + visitMmap(census, object);
    case kinds.ctypes:
      return base + visitCtypes(census, object, type, owner);
    case kinds.arrowBuffer:
      return base + visitArrowBuffer(census, object, type, owner);
    case kinds.stringIo: {
      // A growing array of UCS-4 at 32 (position and size before it): `buf_size` at 40.
      const characters = memory.word(object + 40);
      const bytes = characters < 2 ** 40 ? characters * 4 : 0;
      census.addBuffer(memory.word(object + 16), bytes);
      scanFields(census, object, type, owner, 16);
      return base + bytes;
    }
    case kinds.weakref:
      // The referent is not kept by it, the callback is.
      census.visit(memory.word(object + 24), owner);
      return base;
    case kinds.type:
      return visitType(census, object, type, owner);
    case kinds.module:
      return base + visitModule(census, object, type, owner);
    case kinds.code:
      return base + visitCode(census, object, type, owner);
    case kinds.generator:
      return base + visitGenerator(census, object, type, owner);
    case kinds.frame:
      return base + visitFrame(census, object, owner);
    default:
      return base + visitGeneric(census, object, type, owner);
  }
}

/** A type of some C module: every word that is a reference to an object is taken for one. */
function visitGeneric(census: Census, object: number, type: TypeInfo, owner: number): Bytes {
  scanFields(census, object, type, owner, 16);
  if (type.itemBytes === 0) return 0;
  const { memory } = census;
  let count = Math.abs(memory.signedWord(object + 16));
  if (count * type.itemBytes > memory.writableBytes) count = 0;
  if (type.itemBytes === 8 && count < 1_000_000)
    census.visitWords(object + type.basicBytes, object + type.basicBytes + 8 * count, owner);
  return count * type.itemBytes;
}

/** `__slots__`, `__dict__` and inline attribute values of a subclass or a plain instance. */
function visitSubclassParts(census: Census, object: number, type: TypeInfo, owner: number): Bytes {
  const isScanned =
    type.kind === kinds.generic ||
    type.kind === kinds.module ||
    type.kind === kinds.type ||
    type.kind === kinds.stringIo;
  if (!isScanned && !type.isExact && type.basicBytes > type.baseBasicBytes)
    scanFields(census, object, type, owner, type.baseBasicBytes);
  if (type.hasManagedDict) return visitInlineValues(census, object, type, owner);
  if (type.dictOffset < 0 && type.itemBytes > 0) {
    // Objects of variable size keep the dict behind their items (tuple and int subclasses up to 3.11).
    const count = Math.abs(census.memory.signedWord(object + 16));
    const end = object + Math.ceil((type.basicBytes + count * type.itemBytes) / 8) * 8;
    const dict = end + type.dictOffset;
    if (count < census.memory.writableBytes && isPlausible(dict))
      census.visit(census.memory.word(dict), owner);
  }
  return 0;
}
