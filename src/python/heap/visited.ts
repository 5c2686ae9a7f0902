import { chunkBytes, type ChunkPool, type Memory } from '../process/memory.ts';

/** 32-bit words that hold a bit for each aligned word of a chunk. */
const bitWords = chunkBytes / 8 / 32;
const pageBytes = 4096;
/** 32-bit words that hold a bit for each page of a chunk. */
const pageWords = chunkBytes / pageBytes / 32;

/** Addresses of objects that were visited: a bit for each aligned word of the chunks that have any. */
export class VisitedObjects {
  /** By dense number of the chunk; null: nothing was visited there. Open to the census, whose inner loop cannot pay for a call. */
  readonly bits: (Uint32Array | null)[];
  /** Bits of another set, which must not be changed: what is marked here goes into a copy. null: there are none. */
  private readonly borrowed: readonly (Uint32Array | null)[] | null;
  private readonly memory: Memory;
  private readonly pool: ChunkPool | null;
  private readonly segments: Uint32Array<ArrayBuffer>[] = [];
  private used = 0;

  /** An empty set, or one that holds what another one holds now. */
  constructor(memory: Memory, chunks: number, from: VisitedObjects | null) {
    this.memory = memory;
    this.pool = memory.pool;
    this.borrowed = from?.bits ?? null;
    this.bits = from === null ? Array.from({ length: chunks }, () => null) : [...from.bits];
  }

  has(address: number): boolean {
    const bits = this.bits[this.memory.denseChunk(address)];
    if (bits === null || bits === undefined) return false;
    const bit = (address % chunkBytes) >>> 3;
    return (bits[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  add(address: number): void {
    this.mark(this.memory.denseChunk(address), (address % chunkBytes) >>> 3);
  }

  /** Adds the aligned word number `bit` of a chunk. */
  mark(dense: number, bit: number): void {
    let bits = this.bits[dense]!;
    if (bits === null || this.borrowed !== null) bits = this.ownBits(dense);
    bits[bit >>> 5]! |= 1 << (bit & 31);
  }

  /** Whether any object in the page of 4 KiB at this address was visited. */
  hasInPage(address: number): boolean {
    const bits = this.bits[this.memory.denseChunk(address)];
    if (bits === null || bits === undefined) return false;
    const first = (address % chunkBytes) >>> 8;
    for (let word = first; word < first + 16; word++) if (bits[word] !== 0) return true;
    return false;
  }

  /** Forgets everything, and gives its memory back to the pool. */
  release(): void {
    this.bits.fill(null);
    for (const segment of this.segments) this.pool?.give(segment);
    this.segments.length = 0;
  }

  /** Bits of a chunk that may be changed. */
  private ownBits(dense: number): Uint32Array {
    const bits = this.bits[dense]!;
    if (bits !== null && bits !== this.borrowed?.[dense]) return bits;
    const own = this.newBits();
    if (bits !== null) own.set(bits);
    this.bits[dense] = own;
    return own;
  }

  /** Bits of 64 chunks are carved out of one chunk of the pool. */
  private newBits(): Uint32Array {
    if (this.pool === null) return new Uint32Array(bitWords);
    let segment = this.segments.at(-1);
    if (segment === undefined || this.used === segment.length) {
      segment = this.pool.take(chunkBytes);
      this.segments.push(segment);
      this.used = 0;
    }
    const bits = segment.subarray(this.used, this.used + bitWords).fill(0);
    this.used += bitWords;
    return bits;
  }
}

/** Pages of 4 KiB, a bit each. */
export class PageSet {
  private readonly memory: Memory;
  private readonly bits: Uint32Array;

  constructor(memory: Memory, chunks: number) {
    this.memory = memory;
    this.bits = new Uint32Array(chunks * pageWords);
  }

  has(address: number): boolean {
    const page = (address % chunkBytes) >>> 12;
    const word = this.memory.denseChunk(address) * pageWords + (page >>> 5);
    return (this.bits[word]! & (1 << (page & 31))) !== 0;
  }

  /** Adds the pages that begin in a range, and the one in which it begins. */
  addRange(address: number, bytes: number): void {
    for (
      let at = address;
      at < address + bytes;
      at = (Math.floor(at / pageBytes) + 1) * pageBytes
    ) {
      const page = (at % chunkBytes) >>> 12;
      this.bits[this.memory.denseChunk(at) * pageWords + (page >>> 5)]! |= 1 << (page & 31);
    }
  }
}
