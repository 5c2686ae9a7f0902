// Not by the index: a run, which needs this much alone, would load all of elf/ with it.
import { regionAt } from '../../elf/memory-reader.ts';
import type { MissingFile } from '../../elf/mapped-files.ts';
import type { OpenFile } from './open-file.ts';

/** A mapping of the process that is read. */
export interface Region {
  readonly start: number;
  readonly end: number;
  readonly writable: boolean;
  readonly shared: boolean;
  /** The mapped file, `[heap]`, `[stack]`, or ''. */
  readonly path: string;
  /** Offset in the file of `start`. */
  readonly offset: number;
}

/** A thread as the kernel knows it. */
export interface NativeThread {
  readonly tid: number;
  readonly name: string | null;
  /** null: not known, e.g. the thread was running. */
  readonly stackPointer: number | null;
  /** General registers, where a core file keeps them. */
  readonly registers: readonly number[];
}

/** Where bytes come from: a living process or a core file. 64-bit little endian. */
export interface MemorySource {
  readonly kind: 'process' | 'core';
  readonly pid: number | null;
  /** Readable mappings, sorted by address, without overlap. */
  readonly regions: readonly Region[];
  /** Fills `into` from `address` on; what cannot be read is left as it is. Returns the number of bytes read. Never throws. */
  readonly read: (address: number, into: Uint8Array) => number;
  readonly threads: () => readonly NativeThread[];
  /** The mapped file, to look for symbols that are not in memory. null: it cannot be opened, or is no plain file. */
  readonly openFile: (path: string) => OpenFile | null;
  /** Of a core: mapped files that were needed for what was read so far, and are not here. */
  readonly missingFiles?: () => readonly MissingFile[];
  /** Whether the process still runs the program that was opened: it may end, or start another one (exec), at any moment. */
  readonly isCurrent: () => boolean;
  /** Tells the program from any that ran in the process before or will after it. Absent: a core. */
  readonly program?: string;
  /** What the source lacks from the start, in words. Absent: nothing. */
  readonly missing?: string;
  readonly close: () => void;
  /** What a core says about itself. */
  readonly processName?: string;
  readonly commandLine?: string;
}

/** User space ends below 2^47 on x86-64 and (by default) on aarch64. */
export const addressLimit = 2 ** 47;
/** Chunks of a census. Looking at single objects here and there takes smaller ones: `new Memory(source, 256, 16)`. */
const censusShift = 20;
/** Bytes of a chunk of a census: 1 MiB. */
export const chunkBytes = 2 ** censusShift;
/** Address space is divided into blocks of 1 GiB, only the mapped ones of which have chunks. */
const blockShift = 30;
const absent = 1;

function reserve(bytes: number): ArrayBuffer | null {
  try {
    return new ArrayBuffer(bytes);
  } catch {
    // Under a limit of address space, or with overcommitting switched off.
    return null;
  }
}

/** An address that may point to an aligned word of user space. */
export const isPlausible = (address: number): boolean =>
  address >= 65_536 && address < addressLimit && address % 8 === 0;

/** Chunks that the next `Memory` uses again, carved out of mappings that go back to the system as a whole. */
export class ChunkPool {
  private readonly free = new Map<number, Uint32Array<ArrayBuffer>[]>();
  private slab: ArrayBuffer | null = null;
  private used = 0;

  take(bytes: number): Uint32Array<ArrayBuffer> {
    const chunk = this.free.get(bytes)?.pop();
    if (chunk !== undefined) return chunk;
    if (this.slab === null || this.used + bytes > this.slab.byteLength) {
      this.slab = reserve(slabBytes);
      this.used = 0;
    }
    if (this.slab === null) return new Uint32Array(bytes / 4);
    this.used += bytes;
    return new Uint32Array(this.slab, this.used - bytes, bytes / 4);
  }

  give(chunk: Uint32Array<ArrayBuffer>): void {
    const chunks = this.free.get(chunk.byteLength);
    if (chunks === undefined) this.free.set(chunk.byteLength, [chunk]);
    else chunks.push(chunk);
  }

  /** Makes `count` chunks and touches their pages, so that to use them later needs no more memory. */
  fill(bytes: number, count: number): void {
    const chunks = Array.from({ length: count }, () => this.take(bytes).fill(1));
    for (const chunk of chunks) this.give(chunk);
  }

  /** Forgets the chunks that are not in use: the garbage collector frees them. */
  clear(): void {
    this.free.clear();
    this.slab = null;
  }
}
/** Chunks that have a buffer each before all others share one. */
const singleChunks = 8;
/** More than the 32 MiB from which on glibc maps each buffer for itself, whatever it has seen freed. */
const slabBytes = 48 * 2 ** 20;

/** What is not there reads as zeros, one chunk of them for all. */
const zeroChunks = new Map<number, Uint32Array<ArrayBuffer>>();
function zeroChunk(bytes: number): Uint32Array<ArrayBuffer> {
  let chunk = zeroChunks.get(bytes);
  if (chunk === undefined) zeroChunks.set(bytes, (chunk = new Uint32Array(bytes / 4)));
  return chunk;
}

/**
 * Memory in chunks of 1 MiB, at most `maxChunks` of them at a time: reading piecemeal costs 7 µs a read, in bulk 0.5 to 1 GB/s.
 * Words are given as doubles made of two 32-bit halves: exact below 2^53, and free of BigInt.
 * What is not mapped or cannot be read reads as zeros, which no check of an object passes.
 */
export class Memory {
  readonly source: MemorySource;
  readonly regions: readonly Region[];
  /** Chunks that are numbered densely: `denseChunk`. */
  readonly denseChunks: number;
  /** Sum of writable mappings: no object can be larger. */
  readonly writableBytes: number;
  readonly statistics = { loads: 0, bytesRead: 0, evictions: 0, unreadableBytes: 0 };
  // The next four are open to the census, whose inner loop cannot pay for a call a word.
  /** 1 GiB block of address space -> first entry of its chunks in `slots`; block 0 of `slots` is for what is not mapped. */
  readonly blocks = new Int32Array(2 ** (47 - blockShift));
  /** Chunk -> index in `words`: 0 not loaded, 1 nothing there. */
  readonly slots: Int32Array;
  private readonly blockNumbers: number[] = [0];
  readonly words: Uint32Array<ArrayBuffer>[] = [new Uint32Array(0)];
  readonly octets: Uint8Array<ArrayBuffer>[] = [new Uint8Array(0)];
  private readonly slotDense: number[] = [0, 0];
  private hand = 2;
  /** All chunks in one buffer. null: it was not to be had, each has its own. */
  private slab: ArrayBuffer | null | undefined;
  private readonly maxChunks: number;
  readonly shift: number;
  private readonly size: number;
  private readonly perChunk: number;
  private readonly blockBits: number;
  private readonly blockMask: number;

  /** Where its chunks come from and go to; null: from the system. */
  readonly pool: ChunkPool | null;

  constructor(
    source: MemorySource,
    maxChunks = 64,
    shift = censusShift,
    pool: ChunkPool | null = null,
  ) {
    this.shift = shift;
    this.pool = pool;
    this.size = 2 ** shift;
    this.perChunk = 1 / this.size;
    this.blockBits = blockShift - shift;
    const blockChunks = 2 ** this.blockBits;
    this.blockMask = blockChunks - 1;
    const zeros = zeroChunk(this.size);
    this.words.push(zeros);
    this.octets.push(new Uint8Array(zeros.buffer));
    this.source = source;
    this.regions = source.regions;
    this.maxChunks = Math.max(4, maxChunks);
    let blocks = 1;
    let writableBytes = 0;
    for (const { start, end, writable } of this.regions) {
      if (writable) writableBytes += end - start;
      const last = Math.floor((end - 1) / 2 ** blockShift);
      for (let block = Math.floor(start / 2 ** blockShift); block <= last; block++) {
        if (block >= this.blocks.length || blocks >= 65_536) break;
        if (this.blocks[block] !== 0) continue;
        this.blocks[block] = blocks++ * blockChunks;
        this.blockNumbers.push(block);
      }
    }
    this.writableBytes = writableBytes;
    this.denseChunks = blocks * blockChunks;
    this.slots = new Int32Array(this.denseChunks);
    this.slots.fill(absent, 0, blockChunks);
  }

  /** Number of the chunk that holds `address`, counted over mapped address space only. */
  denseChunk(address: number): number {
    const chunk = (address * this.perChunk) | 0;
    return this.blocks[chunk >>> this.blockBits]! + (chunk & this.blockMask);
  }

  /** Whether something is mapped in the 1 GiB around. */
  isNearMapped(address: number): boolean {
    return this.denseChunk(address) > this.blockMask;
  }

  /** Inverse of `denseChunk`: number of the chunk in the whole address space. */
  chunkOf(dense: number): number {
    return (
      (this.blockNumbers[dense >>> this.blockBits]! << this.blockBits) | (dense & this.blockMask)
    );
  }

  /** Whether reading at `address` costs nothing. */
  isLoaded(address: number): boolean {
    const chunk = (address * this.perChunk) | 0;
    return this.slots[this.blocks[chunk >>> this.blockBits]! + (chunk & this.blockMask)] !== 0;
  }

  /** The aligned 8-byte word at `address`. */
  word(address: number): number {
    if (!(address < addressLimit)) return 0;
    const chunk = (address * this.perChunk) | 0;
    const dense = this.blocks[chunk >>> this.blockBits]! + (chunk & this.blockMask);
    const slot = this.slots[dense]! || this.load(chunk, dense);
    const words = this.words[slot]!;
    const index = (address - chunk * this.size) >>> 2;
    return words[index]! + words[index + 1]! * 4_294_967_296;
  }

  u32(address: number): number {
    if (!(address < addressLimit)) return 0;
    const chunk = (address * this.perChunk) | 0;
    const dense = this.blocks[chunk >>> this.blockBits]! + (chunk & this.blockMask);
    const slot = this.slots[dense]! || this.load(chunk, dense);
    return this.words[slot]![(address - chunk * this.size) >>> 2]!;
  }

  i32(address: number): number {
    return this.u32(address) | 0;
  }

  u8(address: number): number {
    if (!(address < addressLimit)) return 0;
    const chunk = (address * this.perChunk) | 0;
    const dense = this.blocks[chunk >>> this.blockBits]! + (chunk & this.blockMask);
    const slot = this.slots[dense]! || this.load(chunk, dense);
    return this.octets[slot]![address - chunk * this.size]!;
  }

  u16(address: number): number {
    return this.u8(address) | (this.u8(address + 1) << 8);
  }

  /** The aligned signed 8-byte word at `address`. */
  signedWord(address: number): number {
    return this.u32(address) + this.i32(address + 4) * 4_294_967_296;
  }

  bytes(address: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const at = address + done;
      if (!(at >= 0 && at < addressLimit)) break;
      const chunk = (at * this.perChunk) | 0;
      const dense = this.blocks[chunk >>> this.blockBits]! + (chunk & this.blockMask);
      const slot = this.slots[dense]! || this.load(chunk, dense);
      const offset = at - chunk * this.size;
      const size = Math.min(length - done, this.size - offset);
      out.set(this.octets[slot]!.subarray(offset, offset + size), done);
      done += size;
    }
    return out;
  }

  /** As `bytes`, into a buffer: the form in which ELF structures are read. Returns its length; what is not known is 0. */
  readMemory(address: number, into: Uint8Array): number {
    into.set(this.bytes(address, into.length));
    return into.length;
  }

  /** Bytes up to the first zero, as Latin-1. */
  cString(address: number, maxLength: number): string {
    let text = '';
    for (let i = 0; i < maxLength; i++) {
      const code = this.u8(address + i);
      if (code === 0) break;
      text += String.fromCharCode(code);
    }
    return text;
  }

  /** The mapping that holds `address`; null: nothing readable is mapped there. */
  region(address: number): Region | null {
    return regionAt(this.regions, address) ?? null;
  }

  /** Forgets what was read: the same living process is to be read anew. */
  forget(): void {
    for (let slot = 2; slot < this.words.length; slot++) {
      const dense = this.slotDense[slot]!;
      if (dense !== 0) this.slots[dense] = 0;
      this.slotDense[slot] = 0;
    }
  }

  /** Gives its chunks back to the pool. Whatever is read through it afterwards is zero. */
  release(): void {
    this.forget();
    // Not a table of a chunk each: what a damaged core claims to have mapped makes it gigabytes.
    this.blocks.fill(0);
    if (this.pool !== null) for (const words of this.words.slice(2)) this.pool.give(words);
    this.words.length = 2;
    this.octets.length = 2;
  }

  /** Makes the chunk resident and returns its slot. */
  load(chunk: number, dense: number): number {
    const start = chunk * this.size;
    const end = start + this.size;
    const { regions } = this;
    let low = 0;
    let high = regions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (regions[middle]!.end <= start) low = middle + 1;
      else high = middle;
    }
    if (!(dense > this.blockMask) || low >= regions.length || regions[low]!.start >= end) {
      if (dense > this.blockMask) this.slots[dense] = absent;
      return absent;
    }
    const slot = this.freeSlot();
    const octets = this.octets[slot]!;
    let filled = start;
    for (let i = low; i < regions.length && regions[i]!.start < end; i++) {
      const from = Math.max(start, regions[i]!.start);
      const to = Math.min(end, regions[i]!.end);
      if (from > filled) octets.fill(0, filled - start, from - start);
      const part = octets.subarray(from - start, to - start);
      const read = this.source.read(from, part);
      this.statistics.bytesRead += read;
      if (read < to - from) {
        this.statistics.unreadableBytes += to - from - read;
        part.fill(0, read);
      }
      filled = to;
    }
    if (filled < end) octets.fill(0, filled - start);
    this.statistics.loads += 1;
    this.slots[dense] = slot;
    this.slotDense[slot] = dense;
    return slot;
  }

  /**
   * One buffer of more than 32 MiB is a mapping of its own, whose pages come when they are touched and go for good with it. Chunks of
   * 1 MiB each end up in a heap of the C library that never shrinks again (glibc raises its threshold for mappings to what was freed).
   * The first few chunks have buffers of their own: to read a few places, of one core of a thousand, must not take 64 MiB.
   */
  private fromSlab(): { readonly buffer: ArrayBuffer; readonly byteOffset: number } {
    const at = this.words.length - 2 - singleChunks;
    if (at >= 0 && this.slab === undefined)
      this.slab = reserve(Math.max(1, this.maxChunks - singleChunks) * this.size);
    return at < 0 || this.slab == null
      ? { buffer: new ArrayBuffer(this.size), byteOffset: 0 }
      : { buffer: this.slab, byteOffset: at * this.size };
  }

  /** A new chunk while there may be more, else the one that was loaded first. */
  private freeSlot(): number {
    if (this.words.length < this.maxChunks + 2) {
      const { buffer, byteOffset } = this.pool?.take(this.size) ?? this.fromSlab();
      this.words.push(new Uint32Array(buffer, byteOffset, this.size / 4));
      this.octets.push(new Uint8Array(buffer, byteOffset, this.size));
      this.slotDense.push(0);
      return this.words.length - 1;
    }
    const slot = this.hand;
    this.hand = this.hand + 1 < this.words.length ? this.hand + 1 : 2;
    const dense = this.slotDense[slot]!;
    if (dense !== 0) {
      this.slots[dense] = 0;
      this.statistics.evictions += 1;
    }
    return slot;
  }
}
