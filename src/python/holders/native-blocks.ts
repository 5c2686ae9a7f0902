import type { Bytes } from '../../model/units.ts';
import type { TypeInfo, TypeTable } from '../objects/types.ts';
import { isPlausible, type Memory, type Region } from '../process/memory.ts';

/** Objects whose memory lies in structs of C++, Rust or C behind them. Their layouts differ by release. */
const opaque =
  /(?:^|\.)(?:PyDataFrame|PySeries|PyLazyFrame|ImagingCore|TensorBase|_TensorBase|Tensor|Parameter)$|^pyarrow\.lib\.(?:Table|RecordBatch|ChunkedArray|Buffer|\w*Array)$|^lxml\.etree\._Document$/;

/** A block that is smaller is not told from the struct that leads to it. */
const leastBlock = 4096;
/** Structs that are looked at behind one object, and bytes of each whose allocator does not say how large it is. */
const maxStructs = 240;
const unknownStruct = 192;
const largestStruct = 2048;
/** Of a type with many objects these are measured, and are taken for the others. */
const mostMeasured = 40;

interface Measured {
  objects: number;
  bytes: Bytes;
}

/**
 * What objects of native libraries keep outside of Python's own memory: from the object on, pointers are followed through the structs that
 * they lead to, as a conservative collector does. A pointer leads to a block of data where its length stands beside it, where another
 * pointer beside it marks its end, or where the C library's allocator has written its size before it. A block counts for the object
 * that leads to it first.
 */
export class NativeBlocks {
  private readonly memory: Memory;
  private readonly types: TypeTable;
  private readonly seen = new Set<number>();
  private readonly measured = new Map<number, Measured>();

  constructor(memory: Memory, types: TypeTable) {
    this.memory = memory;
    this.types = types;
  }

  /** Bytes of the blocks behind an object; 0 where its type keeps none that is known. */
  behind(object: number, type: TypeInfo): Bytes {
    if (!opaque.test(type.rawName) && !opaque.test(type.name)) return 0;
    let known = this.measured.get(type.index);
    if (known === undefined) {
      known = { objects: 0, bytes: 0 };
      this.measured.set(type.index, known);
    }
    if (known.objects >= mostMeasured) return known.bytes / known.objects;
    const bytes = this.measure(object + 16, Math.min(type.basicBytes - 16, largestStruct));
    known.objects += 1;
    known.bytes += bytes;
    return bytes;
  }

  private measure(start: number, length: number): Bytes {
    const structs: { readonly at: number; readonly length: number }[] = [{ at: start, length }];
    let total = 0;
    for (let next = 0; next < structs.length && next < maxStructs; next++) {
      const { at, length: bytes } = structs[next]!;
      const count = Math.floor(bytes / 8);
      const words = Array.from({ length: count }, (_, index) => this.memory.word(at + 8 * index));
      for (const [index, pointer] of words.entries()) {
        const region = this.dataRegion(pointer);
        if (region === null || this.isObject(pointer)) continue;
        this.seen.add(pointer);
        const chunk = this.chunkBytes(pointer, region);
        // The allocator knows best.
        const block = chunk > 0 ? chunk : lengthBeside(words, index, region);
        if (block >= leastBlock) total += block;
        // A long block of pointers is an array of structs: its beginning tells of it.
        const most = chunk > 0 ? Math.min(chunk, largestStruct) : unknownStruct;
        structs.push({ at: pointer, length: Math.min(most, region.end - pointer) });
      }
    }
    return total;
  }

  /** The memory that a pointer leads into, where it may hold data and has not been looked at; else null. */
  private dataRegion(pointer: number): Region | null {
    if (!isPlausible(pointer) || pointer % 8 !== 0 || this.seen.has(pointer)) return null;
    if (!this.memory.isNearMapped(pointer)) return null;
    const region = this.memory.region(pointer);
    if (region === null || !region.writable || region.end - pointer < 64) return null;
    return region.path === '' || region.path === '[heap]' || region.path.startsWith('[anon')
      ? region
      : null;
  }

  private isObject(pointer: number): boolean {
    return this.types.of(pointer) !== null && this.memory.u32(pointer) < 1 << 24;
  }

  /** What glibc's malloc() says of a block, in the word before it; 0: it is none of its blocks. */
  private chunkBytes(pointer: number, region: Region): Bytes {
    const { memory } = this;
    if (pointer % 16 !== 0 || pointer - 16 < region.start) return 0;
    const head = memory.word(pointer - 8);
    const size = head - (head % 8);
    if (size < 32 || size % 16 !== 0 || pointer - 16 + size > region.end) return 0;
    const isMapped = (head & 2) !== 0;
    if (isMapped) return size % 4096 === 0 ? size - 16 : 0;
    // The block behind it says whether this one is in use, and has a size of that kind itself.
    const behind = pointer - 16 + size + 8;
    const next = behind + 8 <= region.end ? memory.word(behind) : 1;
    return next % 2 === 1 && next < 2 ** 40 ? size - 16 : 0;
  }
}

/** Bytes of a block by what stands beside its pointer: its length or capacity, or (of a vector) its end and the end of its room; 0: nothing does. */
function lengthBeside(words: readonly number[], index: number, region: Region): Bytes {
  const pointer = words[index]!;
  const [end = 0, room = 0] = words.slice(index + 1);
  const isWithin = (bytes: Bytes) => bytes >= leastBlock && bytes <= region.end - pointer;
  if (end > pointer && room >= end && isWithin(room - pointer)) return room - pointer;
  // A length and the room behind it. What stands before a pointer mostly belongs to the one before: not where it is the room of this one.
  if (isWithin(end)) return room > end && isWithin(room) ? room : end;
  const before = words[index - 1] ?? 0;
  return end > 0 && end <= before && isWithin(before) ? before : 0;
}
