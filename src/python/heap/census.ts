import type { Bytes, Ms } from '../../model/units.ts';
import { Graph } from './graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { addressLimit, chunkBytes, isPlausible, type Memory } from '../process/memory.ts';
import { sizeAndVisit } from '../objects/traverse.ts';
import { kinds, TypeTable, type TypeInfo } from '../objects/types.ts';
import type { Visitor } from '../objects/visitor.ts';
import { PendingReferences } from './pending-references.ts';

export interface CensusOptions {
  /** `performance.now()` at which it must have ended, however far it got. */
  readonly deadline: Ms;
  /** Beyond this number, what one holder alone keeps gets no nodes of its own. Default 400,000. */
  readonly softNodes?: number;
  /** Beyond this number, shared objects count for whoever was seen first. Default 2,500,000. */
  readonly maxNodes?: number;
  /**
   * Beyond this number of waiting references, an array is left in its middle until they are followed: less memory, but chunks are read
   * again where the array's order is not that of its items. Default: no bound.
   */
  readonly maxPending?: number;
}

/** Flags of a node: its children are counted into it; its children each get a node (they have names). */
export const collapsing = 1;
export const namespace = 2;

/** Containers of this many items count what they alone hold as their own. */
const manyItems = 256;
/** Buffers of this size are nodes of their own, and are remembered as ranges of memory. */
export const largeBytes = 32_768;

const typeCacheMask = 8191;
const validated = 0x8000_0000 | 0;
const perChunk = 1 / chunkBytes;
/** Arrays of fewer items are never left in their middle. */
const fewItems = 10_000;
const bitWords = chunkBytes / 8 / 32;

/**
 * Counts a CPython's objects by following references.
 *
 * Memory is visited chunk by chunk: a reference into a chunk of 1 MiB that is loaded is followed at once, one into
 * another chunk waits in that chunk's queue, so that a chunk is read a few times at most, however references are shuffled.
 * An object whose reference count is 1 belongs to who refers to it; others become nodes of the graph.
 * Addresses travel as two 32-bit halves: doubles would be boxed at every call.
 */
export class Census implements Visitor {
  readonly python: Interpreter;
  readonly memory: Memory;
  readonly graph = new Graph();
  readonly types: TypeTable;
  /** Objects and bytes by type index. */
  readonly typeCounts = new Float64Array(65_536);
  readonly typeBytes = new Float64Array(65_536);
  /** Ranges of large buffers: start, bytes, start, bytes, … */
  readonly buffers: number[] = [];
  readonly notes = new Set<string>();
  /** Native memory that Python objects own outside of the heap: mmap, foreign buffers. */
  externalBytes: Bytes = 0;
  objectCount = 0;
  invalidReferences = 0;
  isComplete = true;
  listsBeingSorted = 0;
  /** Called for each object, for tests that compare with what the process itself sees. */
  trace: ((address: number, type: TypeInfo, bytes: Bytes) => void) | null = null;
  readonly deadline: Ms;
  private softNodes: number;
  private maxNodes: number;
  /** With so many nodes or more, shared objects were given to who was seen first. */
  readonly mostNodes: number;
  /** Of a probe: told of every reference to an object that was visited before. */
  private onKnown: ((address: number) => void) | null = null;
  /** Of a probe: bits that are another count's. */
  private borrowed: readonly (Uint32Array | null)[] | null = null;
  private readonly hasWideCounts: boolean;
  private bits: (Uint32Array | null)[];
  private readonly bitSegments: Uint32Array<ArrayBuffer>[] = [];
  private bitsUsed = 0;
  /** One bit a page: memory out of line, and objects that are longer than a page. */
  private readonly pages: Uint32Array;
  private readonly pending: PendingReferences;
  private readonly visitPending: (entry: number, owner: number) => boolean;
  private pendingChunk = 0;
  private pendingDense = 0;
  private stackLow = new Int32Array(1 << 14);
  private stackHigh = new Int32Array(1 << 14);
  private stackOwner = new Int32Array(1 << 14);
  private stackLength = 0;
  private readonly cacheLow = new Int32Array(typeCacheMask + 1);
  private readonly cacheHigh = new Int32Array(typeCacheMask + 1);
  private readonly cacheType: (TypeInfo | null)[] = Array.from(
    { length: typeCacheMask + 1 },
    () => null,
  );
  private steps = 0;

  private readonly maxPending: number;
  /** Rests of arrays: start, count, stride, owner, … */
  private readonly partialArrays: number[] = [];

  constructor(python: Interpreter, { deadline, softNodes, maxNodes, maxPending }: CensusOptions) {
    this.maxPending = maxPending ?? Infinity;
    this.python = python;
    this.memory = python.memory;
    this.types = new TypeTable(python);
    this.deadline = deadline;
    this.softNodes = softNodes ?? 400_000;
    this.mostNodes = maxNodes ?? 2_500_000;
    this.maxNodes = this.mostNodes;
    this.hasWideCounts = python.minor >= 12;
    // Where single objects are looked at, nothing is counted.
    const denseChunks = 2 ** this.memory.shift === chunkBytes ? this.memory.denseChunks : 1024;
    this.bits = Array.from({ length: denseChunks }, () => null);
    this.pages = new Uint32Array(denseChunks * 8);
    this.pending = new PendingReferences(denseChunks, this.memory.pool);
    this.visitPending = (entry, owner) => this.visitOne(entry, owner);
  }

  /** Whether the object at this address was counted. */
  isVisited(address: number): boolean {
    const bits = this.bits[this.memory.denseChunk(address)];
    if (bits === null || bits === undefined) return false;
    const bit = (address % chunkBytes) >>> 3;
    return (bits[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /** Whether something that was counted lies in the page of 4 KiB at this address. */
  hasObjectsInPage(address: number): boolean {
    const dense = this.memory.denseChunk(address);
    const page = (address % chunkBytes) >>> 12;
    if ((this.pages[dense * 8 + (page >>> 5)]! & (1 << (page & 31))) !== 0) return true;
    const bits = this.bits[dense];
    if (bits === null || bits === undefined) return false;
    const first = (address % chunkBytes) >>> 8;
    for (let word = first; word < first + 16; word++) if (bits[word] !== 0) return true;
    return false;
  }

  /** Follows a reference that may be anything: a word of an unknown struct. */
  visit(address: number, owner: number): void {
    if (address < 65_536 || address >= addressLimit || ((address | 0) & 7) !== 0) return;
    this.arrive(address | 0, (address / 4_294_967_296) | 0, owner);
  }

  /** Follows every word from `start` to `end` but the one at `skip`. */
  visitWords(start: number, end: number, owner: number, skip = 0): void {
    const { memory } = this;
    if (this.isOver((end - start) / 8)) return;
    for (let at = start; at + 8 <= end; at += 8)
      if (at !== skip) this.visit(memory.word(at), owner);
  }

  /** Follows `count` pointers of an array. */
  visitArray(start: number, count: number, owner: number): void {
    this.visitStrided(start, count, 8, owner);
  }

  /** Follows the pointers at `start`, `start + stride`, …: chunk by chunk, without a call a word. */
  visitStrided(start: number, count: number, stride: number, owner: number): void {
    const { memory } = this;
    let left = count;
    let at = start;
    while (left > 0) {
      if (this.pending.count > this.maxPending && left > fewItems) {
        this.partialArrays.push(at, left, stride, owner);
        return;
      }
      const chunk = (at * perChunk) | 0;
      const dense = memory.blocks[chunk >>> 10]! + (chunk & 1023);
      const offset = at - chunk * chunkBytes;
      const here = Math.min(left, Math.ceil((chunkBytes - offset) / stride));
      if (this.isOver(here)) return;
      const slot = memory.slots[dense]! || memory.load(chunk, dense);
      if (slot === 1) {
        // Not mapped: the array is no array.
        left -= here;
        at += here * stride;
        continue;
      }
      let words = memory.words[slot]!;
      let { loads } = memory.statistics;
      let index = offset >>> 2;
      const step = stride >>> 2;
      for (let i = 0; i < here; i++, index += step) {
        const low = words[index]! | 0;
        const high = words[index + 1]! | 0;
        if ((low | high) === 0) continue;
        this.arrive(low, high, owner);
        if (memory.statistics.loads !== loads) {
          // A type had to be read: this chunk may have made room for it.
          loads = memory.statistics.loads;
          words = memory.words[memory.slots[dense]! || memory.load(chunk, dense)]!;
          loads = memory.statistics.loads;
        }
      }
      left -= here;
      at += here * stride;
    }
  }

  /** Follows the keys and values of a dict's table. */
  visitEntries(start: number, count: number, width: number, keyAt: number, owner: number): void {
    const { memory } = this;
    for (let i = 0; i < count; i++) {
      if (i % fewItems === 0 && this.isOver(Math.min(fewItems, count - i))) return;
      const entry = start + i * width + keyAt;
      const chunk = (entry * perChunk) | 0;
      const dense = memory.blocks[chunk >>> 10]! + (chunk & 1023);
      const index = (entry - chunk * chunkBytes) >>> 2;
      const words = memory.words[memory.slots[dense]! || memory.load(chunk, dense)]!;
      if (index + 4 > words.length) {
        const value = memory.word(entry + 8);
        if (value !== 0) {
          this.visit(memory.word(entry), owner);
          this.visit(value, owner);
        }
        continue;
      }
      const low = words[index + 2]! | 0;
      const high = words[index + 3]! | 0;
      if ((low | high) === 0) continue;
      const keyLow = words[index]! | 0;
      const keyHigh = words[index + 1]! | 0;
      this.arrive(keyLow, keyHigh, owner);
      this.arrive(low, high, owner);
    }
  }

  /** A root: gets a node of its own, however few refer to it. Returns it; 0: nothing is there, or it has no node. */
  root(address: number, owner: number): number {
    if (!isPlausible(address)) return 0;
    const known = this.graph.find(address);
    if (known !== 0) {
      this.graph.edge(owner, known);
      return known;
    }
    if (this.isVisited(address)) return 0;
    const type = this.types.of(address);
    if (type === null || type.isSingleton || !this.isAlive(address)) return 0;
    this.markVisited(address);
    const node = this.graph.node(address, type.index, owner);
    this.graph.edge(owner, node);
    if (type.isAtomic) this.count(address, type, sizeAndVisit(this, address, type, node), node);
    else this.push(address | 0, (address / 4_294_967_296) | 0, node);
    return node;
  }

  /** As `root`, but only for what nothing else was seen to hold. */
  lateRoot(address: number, owner: number): number {
    if (!isPlausible(address) || !this.memory.isNearMapped(address)) return 0;
    return this.isVisited(address) ? 0 : this.root(address, owner);
  }

  /**
   * A count of its own over the same memory: follows nothing that was visited here, makes no nodes, and tells of every reference to
   * what was visited before, here or there.
   */
  probe(onKnown: (address: number) => void): Census {
    const { deadline, maxPending, bits } = this;
    const probe = new Census(this.python, { deadline, maxPending, softNodes: 0, maxNodes: 0 });
    probe.onKnown = onKnown;
    probe.borrowed = bits;
    probe.bits = [...bits];
    return probe;
  }

  /** From here on everything is counted into the nodes that are there. */
  endNodes(): void {
    this.softNodes = 0;
    this.maxNodes = 0;
  }

  /** Follows what an object refers to, whether it was visited before or not. */
  follow(address: number): void {
    if (this.types.of(address) !== null && this.isAlive(address))
      this.push(address | 0, (address / 4_294_967_296) | 0, 0);
  }

  isAlive(address: number): boolean {
    return this.memory.u32(address) !== 0 && this.memory.u32(address + 4) === 0;
  }

  addExternal(bytes: Bytes): void {
    this.externalBytes += bytes;
  }

  noteListBeingSorted(): void {
    this.listsBeingSorted += 1;
  }

  /** Memory that an object owns out of line. */
  addBuffer(address: number, bytes: Bytes): void {
    if (bytes >= largeBytes) this.buffers.push(address, bytes);
    else this.markPages(address, bytes);
  }

  private markPages(address: number, bytes: Bytes): void {
    if (!(address >= 0 && address + bytes < addressLimit)) return;
    for (let at = address; at < address + bytes; at = (Math.floor(at / 4096) + 1) * 4096) {
      const page = (at % chunkBytes) >>> 12;
      this.pages[this.memory.denseChunk(at) * 8 + (page >>> 5)]! |= 1 << (page & 31);
    }
  }

  /** Marks a node: what it alone holds is counted into it where it has many items, or every child has a name. */
  noteItems(node: number, count: number): void {
    if (count >= manyItems && (this.graph.flags[node]! & namespace) === 0)
      this.graph.flags[node]! |= collapsing;
  }

  markNamespace(node: number): void {
    this.graph.flags[node] = (this.graph.flags[node]! & ~collapsing) | namespace;
  }

  /** Works until nothing waits, or the time is over. */
  run(): void {
    while (this.isComplete) {
      while (this.stackLength > 0) {
        const at = --this.stackLength;
        const low = this.stackLow[at]!;
        const high = this.stackHigh[at]!;
        const owner = this.stackOwner[at]!;
        const chunk = (high << 12) | (low >>> 20);
        const dense = this.memory.blocks[chunk >>> 10]! + (chunk & 1023);
        if (this.memory.slots[dense] === 0)
          this.pending.add(dense, ((low & 0xf_ffff) >>> 3) | validated, owner);
        else this.traverse(low, high, owner);
        if ((++this.steps & 1023) === 0 && this.checkTime()) return;
      }
      if (this.pending.count > 0) {
        if (!this.drainNextQueue()) return;
      } else if (this.partialArrays.length > 0) {
        const [at, count, stride, owner] = this.partialArrays.splice(-4) as [
          number,
          number,
          number,
          number,
        ];
        this.visitStrided(at, count, stride, owner);
      } else return;
    }
  }

  /** Whether the time is over; the census then ends incomplete. */
  checkTime(): boolean {
    if (performance.now() < this.deadline) return false;
    this.isComplete = false;
    return true;
  }

  /** Words followed since the time was last asked for within an object: few are long, but a broken one may be, over and over. */
  private work = 0;
  private isOver(words: number): boolean {
    if ((this.work += words) < 1 << 16) return false;
    this.work = 0;
    return this.checkTime();
  }

  private nextDense = 0;

  /** Takes the next chunk that something waits for, in the order of addresses, round and round. */
  private drainNextQueue(): boolean {
    const { counts, countsByBlock } = this.pending;
    const size = counts.length;
    let dense = this.nextDense;
    for (let looked = 0; looked <= size;) {
      if (dense >= size) dense = 0;
      if (countsByBlock[dense >>> 10] === 0) {
        const next = ((dense >>> 10) + 1) << 10;
        looked += next - dense;
        dense = next;
        continue;
      }
      if (counts[dense] !== 0) break;
      dense += 1;
      looked += 1;
    }
    if ((counts[dense] ?? 0) === 0) return false;
    this.nextDense = dense + 1;
    this.pendingDense = dense;
    this.pendingChunk = this.memory.chunkOf(dense);
    return this.pending.drain(dense, this.visitPending);
  }

  /** A reference that waited for its chunk. false: the time is over. */
  private visitOne(entry: number, owner: number): boolean {
    const { memory, pendingChunk: chunk, pendingDense: dense } = this;
    if (memory.slots[dense] === 0) memory.load(chunk, dense);
    const low = (chunk << 20) | ((entry & 0x1_ffff) << 3);
    if ((entry & validated) !== 0) this.traverse(low, chunk >>> 12, owner);
    else this.arrive(low, chunk >>> 12, owner);
    return (++this.steps & 1023) !== 0 || !this.checkTime();
  }

  private push(low: number, high: number, owner: number): void {
    const at = this.stackLength++;
    if (at === this.stackLow.length) {
      this.stackLow = doubled(this.stackLow);
      this.stackHigh = doubled(this.stackHigh);
      this.stackOwner = doubled(this.stackOwner);
    }
    this.stackLow[at] = low;
    this.stackHigh[at] = high;
    this.stackOwner[at] = owner;
  }

  markVisited(address: number): void {
    const bits = this.ownBits(this.memory.denseChunk(address));
    const bit = (address % chunkBytes) >>> 3;
    bits[bit >>> 5]! |= 1 << (bit & 31);
  }

  private ownBits(dense: number): Uint32Array {
    const bits = this.bits[dense]!;
    if (bits !== null && bits !== this.borrowed?.[dense]) return bits;
    const own = this.newBits();
    if (bits !== null) own.set(bits);
    this.bits[dense] = own;
    return own;
  }

  /** A bit for each aligned word of a chunk: 64 of them are carved out of a chunk of the pool. */
  private newBits(): Uint32Array {
    const { pool } = this.memory;
    if (pool === null) return new Uint32Array(bitWords);
    let segment = this.bitSegments.at(-1);
    if (segment === undefined || this.bitsUsed === segment.length) {
      segment = pool.take(chunkBytes);
      this.bitSegments.push(segment);
      this.bitsUsed = 0;
    }
    const bits = segment.subarray(this.bitsUsed, this.bitsUsed + bitWords).fill(0);
    this.bitsUsed += bitWords;
    return bits;
  }

  /** Gives its memory back to the pool: nothing is to be counted or asked any more. */
  release(): void {
    this.pending.release();
    this.bits.fill(null);
    for (const segment of this.bitSegments) this.memory.pool?.give(segment);
    this.bitSegments.length = 0;
  }

  /** A reference arrives at the object at (high, low). Nothing of the target is loaded here. */
  private arrive(low: number, high: number, owner: number): void {
    if ((low & 7) !== 0 || high < 0 || high >= 32_768) return;
    const { memory } = this;
    const chunk = (high << 12) | (low >>> 20);
    const dense = memory.blocks[chunk >>> 10]! + (chunk & 1023);
    if (dense < 1024) {
      this.invalidReferences += 1;
      return;
    }
    const bit = (low & 0xf_ffff) >>> 3;
    let bits = this.bits[dense]!;
    const mask = 1 << (bit & 31);
    if (bits !== null && (bits[bit >>> 5]! & mask) !== 0) {
      const address = high * 4_294_967_296 + (low >>> 0);
      if (this.onKnown !== null) {
        this.onKnown(address);
        return;
      }
      const node = this.graph.find(address);
      if (node !== 0) this.graph.edge(owner, node);
      return;
    }
    const slot = memory.slots[dense]!;
    if (slot === 0) {
      this.pending.add(dense, bit, owner);
      return;
    }
    const words = memory.words[slot]!;
    const index = bit << 1;
    const references = words[index]!;
    if (references === 0 || words[index + 1] !== 0) {
      this.invalidReferences += 1;
      return;
    }
    const type = this.typeAt(words[index + 2]! | 0, words[index + 3]! | 0);
    if (type === null) {
      this.invalidReferences += 1;
      return;
    }
    if (bits === null || this.borrowed !== null) bits = this.ownBits(dense);
    bits[bit >>> 5]! |= mask;
    const { graph } = this;
    const isSole = references === 1;
    if (type.isAtomic) {
      let size = this.atomicSize(low, high, type);
      if (size >= largeBytes && !this.fits(high * 4_294_967_296 + (low >>> 0), size))
        size = this.withoutSense(type);
      this.typeCounts[type.index]! += 1;
      this.typeBytes[type.index]! += size;
      this.objectCount += 1;
      if (this.trace !== null) this.trace(high * 4_294_967_296 + (low >>> 0), type, size);
      if (size > 2048 && size < largeBytes)
        this.markPages(high * 4_294_967_296 + (low >>> 0), size);
      if (type.isSingleton) return;
      let holder = owner;
      if (
        (!isSole && graph.count < this.maxNodes) ||
        size >= largeBytes ||
        (graph.flags[owner]! & namespace) !== 0
      ) {
        const address = high * 4_294_967_296 + (low >>> 0);
        if (size >= largeBytes) this.buffers.push(address, size);
        holder = graph.node(address, type.index, owner);
        graph.edge(owner, holder);
      }
      graph.bytes[holder]! += size;
      graph.objects[holder]! += 1;
      return;
    }
    let holder = owner;
    const isCollapsed =
      isSole &&
      ((graph.flags[owner]! & collapsing) !== 0 || graph.count > this.softNodes) &&
      type.kind !== kinds.module &&
      type.kind !== kinds.type &&
      type.kind !== kinds.ndarray;
    if (!isCollapsed && graph.count < this.maxNodes) {
      holder = graph.node(high * 4_294_967_296 + (low >>> 0), type.index, owner);
      graph.edge(owner, holder);
    }
    this.push(low, high, holder);
  }

  /** An object that is all in one piece ends where something is mapped. */
  private fits(address: number, bytes: Bytes): boolean {
    return bytes <= this.memory.writableBytes && this.memory.region(address + bytes - 1) !== null;
  }

  private withoutSense(type: TypeInfo): Bytes {
    this.notes.add(
      'some sizes made no sense (objects in the middle of a change) and were left out',
    );
    return type.basicBytes;
  }

  /** The type at (high, low), read where it is seen for the first time. null: no type. */
  private typeAt(low: number, high: number): TypeInfo | null {
    const at = (low >>> 4) & typeCacheMask;
    if (this.cacheLow[at] === low && this.cacheHigh[at] === high && low !== 0)
      return this.cacheType[at]!;
    const index = this.types.indexOf((high >>> 0) * 4_294_967_296 + (low >>> 0));
    const type = index < 0 ? null : this.types.types[index]!;
    this.cacheLow[at] = low;
    this.cacheHigh[at] = high;
    this.cacheType[at] = type;
    return type;
  }

  private atomicSize(low: number, high: number, type: TypeInfo): Bytes {
    if (type.kind === kinds.plain) return type.basicBytes;
    const { memory } = this;
    const chunk = (high << 12) | (low >>> 20);
    const dense = memory.blocks[chunk >>> 10]! + (chunk & 1023);
    const slot = memory.slots[dense]!;
    const index = (low & 0xf_ffff) >>> 2;
    // The common cases without a call: small ints, short ASCII strings without other forms of themselves.
    if (slot > 1 && index < (chunkBytes - 96) >>> 2) {
      const words = memory.words[slot]!;
      if (type.kind === kinds.integer && words[index + 5] === 0) {
        const tag = words[index + 4]!;
        if (this.hasWideCounts) return 24 + 4 * Math.max(1, tag >>> 3);
        return 24 + 4 * (this.python.minor >= 11 ? Math.max(1, tag) : tag);
      }
      if (
        type.kind === kinds.string &&
        this.hasWideCounts &&
        (words[index + 8]! & 96) === 96 &&
        words[index + 5] === 0
      )
        return 41 + words[index + 4]!;
    }
    return sizeAndVisit(this, high * 4_294_967_296 + (low >>> 0), type, 0);
  }

  /** Counts a container and follows its references. */
  private traverse(low: number, high: number, owner: number): void {
    const address = high * 4_294_967_296 + (low >>> 0);
    const { memory } = this;
    const type = this.typeAt(memory.u32(address + 8) | 0, memory.u32(address + 12) | 0);
    if (type === null) return;
    this.count(address, type, sizeAndVisit(this, address, type, owner), owner);
  }

  private count(address: number, type: TypeInfo, bytes: Bytes, node: number): void {
    // Nothing is larger than all that can be written: a struct in the middle of a change, or a broken image.
    let size = bytes;
    if (
      !(size >= 0 && size <= 2 * this.memory.writableBytes + 65_536) ||
      (type.isAtomic && size >= largeBytes && !this.fits(address, size))
    )
      size = this.withoutSense(type);
    this.typeCounts[type.index]! += 1;
    this.typeBytes[type.index]! += size;
    this.objectCount += 1;
    if (this.trace !== null) this.trace(address, type, size);
    if (size > 2048 && size < largeBytes && type.isAtomic) this.markPages(address, size);
    this.graph.bytes[node]! += size;
    this.graph.objects[node]! += 1;
  }
}

function doubled(from: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
