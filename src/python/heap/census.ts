import type { Bytes, Ms } from '../../model/units.ts';
import { Graph } from './graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { addressLimit, chunkBytes, isPlausible, type Memory } from '../process/memory.ts';
import { sizeAndVisit } from '../objects/traverse.ts';
import { kinds, TypeTable, type TypeInfo } from '../objects/types.ts';
import type { Visitor } from '../objects/visitor.ts';
import { PendingReferences } from './pending-references.ts';
import { TypeCache } from './type-cache.ts';
import { PageSet, VisitedObjects } from './visited.ts';
import { WorkStack } from './work-stack.ts';

/** Bounds of a census in time and memory. */
export interface CensusOptions {
  /** `performance.now()` at which the census ends, however far it got. */
  readonly deadline: Ms;
  /** Beyond this number of nodes, an object with a reference count of 1 gets no node of its own. Default 400,000. */
  readonly softNodes?: number;
  /** Beyond this number of nodes, no object gets a node: shared ones count for whoever was seen first. Default 2,500,000. */
  readonly maxNodes?: number;
  /**
   * Beyond this number of pending references, the rest of a long array becomes a partial array, which is followed when none is pending:
   * less memory, but chunks are read again where the array's order is not that of its items. Default: no bound.
   */
  readonly maxPending?: number;
}

/** Flag of a node: objects that it alone keeps are counted into it. */
export const collapsing = 1;
/** Flag of a node: objects that it refers to each get a node, as they have names. */
export const namespace = 2;

/** Containers of this many items count what they alone keep as their own. */
const manyItems = 256;
/** Buffers of this size are nodes of their own, and are remembered as ranges of memory. */
export const largeBytes = 32_768;

const validated = 0x8000_0000 | 0;
const perChunk = 1 / chunkBytes;
/** Arrays of fewer items are followed in one go. */
const fewItems = 10_000;

/**
 * Counts a CPython's objects by following references.
 *
 * The census visits memory chunk by chunk. It follows a reference into a loaded chunk of 1 MiB at once; a reference into another chunk
 * becomes a pending one of that chunk. Each chunk is so read a few times at most, however references are shuffled.
 * An object whose reference count is 1 belongs to the node that refers to it; others become nodes of the graph.
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
  /** Called for each object. Tests compare what it sees with what the process itself sees. null: nobody asks. */
  trace: ((address: number, type: TypeInfo, bytes: Bytes) => void) | null = null;
  readonly deadline: Ms;
  private softNodes: number;
  private maxNodes: number;
  /** With so many nodes or more, shared objects were given to whoever was seen first. */
  readonly mostNodes: number;
  /** Of a probe: called for every reference to an object that was visited before. */
  private readonly onKnown: ((address: number) => void) | null;
  /** Since 3.12 the digits of an int stand above its tag, and the shape of a str is kept in another way. */
  private readonly isSince312: boolean;
  /** The bits of the second half of a count that no live object has: since 3.14 its upper 16 are flags. */
  private readonly neverCounted: number;
  private readonly visited: VisitedObjects;
  /** Pages of memory out of line, and of objects that are longer than a page. */
  private readonly pages: PageSet;
  private readonly pending: PendingReferences;
  private readonly visitPending: (entry: number, owner: number) => boolean;
  private pendingChunk = 0;
  private pendingDense = 0;
  private readonly stack = new WorkStack();
  private readonly typeCache: TypeCache;
  private steps = 0;

  private readonly maxPending: number;
  /** Partial arrays, which are still to be followed: start, count, stride, owner, … */
  private readonly partialArrays: number[] = [];

  /** `probes`: the census whose visited objects a probe knows (see `probe`). */
  constructor(
    python: Interpreter,
    { deadline, softNodes, maxNodes, maxPending }: CensusOptions,
    probes: { readonly of: Census; readonly onKnown: (address: number) => void } | null = null,
  ) {
    const { memory } = python;
    this.python = python;
    this.memory = memory;
    this.types = new TypeTable(python);
    this.typeCache = new TypeCache(this.types);
    this.deadline = deadline;
    this.softNodes = softNodes ?? 400_000;
    this.mostNodes = maxNodes ?? 2_500_000;
    this.maxNodes = this.mostNodes;
    this.maxPending = maxPending ?? Infinity;
    this.isSince312 = python.minor >= 12;
    this.neverCounted = python.minor >= 14 ? 0xffff : -1;
    this.onKnown = probes?.onKnown ?? null;
    // Over smaller chunks nothing is counted: only single objects are looked at.
    const chunks = 2 ** memory.shift === chunkBytes ? memory.denseChunks : 1024;
    this.visited = new VisitedObjects(memory, chunks, probes?.of.visited ?? null);
    this.pages = new PageSet(memory, chunks);
    this.pending = new PendingReferences(chunks, memory.pool);
    this.visitPending = (entry, owner) => this.visitOne(entry, owner);
  }

  /** Whether the object at this address was counted. */
  isVisited(address: number): boolean {
    return this.visited.has(address);
  }

  /** Whether something that was counted lies in the page of 4 KiB at this address. */
  hasObjectsInPage(address: number): boolean {
    return this.pages.has(address) || this.visited.hasInPage(address);
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

  /** Gives an object a node of its own, however few refer to it, and returns the node. 0: no object is there, or it was counted without a node. */
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
    else this.stack.push(address | 0, (address / 4_294_967_296) | 0, node);
    return node;
  }

  /** As `root`, but 0 for an object that was counted before. */
  lateRoot(address: number, owner: number): number {
    if (!isPlausible(address) || !this.memory.isNearMapped(address)) return 0;
    return this.isVisited(address) ? 0 : this.root(address, owner);
  }

  /**
   * Another census over the same memory. It does not follow what was visited here, and makes no nodes; `onKnown` receives the target of
   * every reference to an object that was visited before, here or there.
   */
  probe(onKnown: (address: number) => void): Census {
    const { deadline, maxPending } = this;
    const options = { deadline, maxPending, softNodes: 0, maxNodes: 0 };
    return new Census(this.python, options, { of: this, onKnown });
  }

  /** From now on, everything is counted into the nodes that exist. */
  endNodes(): void {
    this.softNodes = 0;
    this.maxNodes = 0;
  }

  /** Follows what an object refers to, whether it was visited before or not. */
  follow(address: number): void {
    if (this.types.of(address) !== null && this.isAlive(address))
      this.stack.push(address | 0, (address / 4_294_967_296) | 0, 0);
  }

  isAlive(address: number): boolean {
    return (
      this.memory.u32(address) !== 0 && (this.memory.u32(address + 4) & this.neverCounted) === 0
    );
  }

  addExternal(bytes: Bytes): void {
    this.externalBytes += bytes;
  }

  noteListBeingSorted(): void {
    this.listsBeingSorted += 1;
  }

  /** Memory that an object owns out of line: pages for `hasObjectsInPage`, or an entry of `buffers` where it is large. */
  addBuffer(address: number, bytes: Bytes): void {
    if (bytes >= largeBytes) this.buffers.push(address, bytes);
    else this.markPages(address, bytes);
  }

  private markPages(address: number, bytes: Bytes): void {
    if (address >= 0 && address + bytes < addressLimit) this.pages.addRange(address, bytes);
  }

  /** A container of many items counts what it alone keeps as its own, unless its items have names. */
  noteItems(node: number, count: number): void {
    if (count >= manyItems && (this.graph.flags[node]! & namespace) === 0)
      this.graph.flags[node]! |= collapsing;
  }

  markNamespace(node: number): void {
    this.graph.flags[node] = (this.graph.flags[node]! & ~collapsing) | namespace;
  }

  /** Follows references until none is left, or the time is over (`isComplete`). */
  run(): void {
    while (this.isComplete) {
      if (!this.emptyStack()) return;
      if (this.pending.count > 0) {
        if (!this.drainNextChunk()) return;
      } else if (this.partialArrays.length > 0) {
        const [at, count, stride, owner] = this.partialArrays.splice(-4);
        this.visitStrided(at!, count!, stride!, owner!);
      } else return;
    }
  }

  /** Follows the references of the objects on the stack, as far as their chunks are loaded. false: the time is over. */
  private emptyStack(): boolean {
    const { stack, memory } = this;
    while (stack.length > 0) {
      const at = --stack.length;
      const low = stack.low[at]!;
      const high = stack.high[at]!;
      const owner = stack.node[at]!;
      const chunk = (high << 12) | (low >>> 20);
      const dense = memory.blocks[chunk >>> 10]! + (chunk & 1023);
      if (memory.slots[dense] === 0)
        this.pending.add(dense, ((low & 0xf_ffff) >>> 3) | validated, owner);
      else this.traverse(low, high, owner);
      if ((++this.steps & 1023) === 0 && this.checkTime()) return false;
    }
    return true;
  }

  /** Whether the deadline has passed. If so, the census is incomplete and follows nothing more. */
  checkTime(): boolean {
    if (performance.now() < this.deadline) return false;
    this.isComplete = false;
    return true;
  }

  /** Words that were followed since the clock was last read: a damaged object may claim to be long, and there may be many of them. */
  private work = 0;
  private isOver(words: number): boolean {
    if ((this.work += words) < 1 << 16) return false;
    this.work = 0;
    return this.checkTime();
  }

  private nextDense = 0;

  /** Loads the next chunk with pending references, in the order of addresses, round and round, and follows them. false: the time is over. */
  private drainNextChunk(): boolean {
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

  /** Follows a pending reference. false: the time is over. */
  private visitOne(entry: number, owner: number): boolean {
    const { memory, pendingChunk: chunk, pendingDense: dense } = this;
    if (memory.slots[dense] === 0) memory.load(chunk, dense);
    const low = (chunk << 20) | ((entry & 0x1_ffff) << 3);
    if ((entry & validated) !== 0) this.traverse(low, chunk >>> 12, owner);
    else this.arrive(low, chunk >>> 12, owner);
    return (++this.steps & 1023) !== 0 || !this.checkTime();
  }

  markVisited(address: number): void {
    this.visited.add(address);
  }

  /** Gives its memory back to the pool. The census must not be used afterwards. */
  release(): void {
    this.pending.release();
    this.visited.release();
  }

  /** A reference to (high, low). Of an object in a chunk that is not loaded, nothing is read: the reference becomes a pending one. */
  private arrive(low: number, high: number, owner: number): void {
    if ((low & 7) !== 0 || high < 0 || high >= 32_768) return;
    const { memory, visited } = this;
    const chunk = (high << 12) | (low >>> 20);
    const dense = memory.blocks[chunk >>> 10]! + (chunk & 1023);
    if (dense < 1024) {
      this.invalidReferences += 1;
      return;
    }
    const bit = (low & 0xf_ffff) >>> 3;
    const bits = visited.bits[dense]!;
    if (bits !== null && (bits[bit >>> 5]! & (1 << (bit & 31))) !== 0) {
      this.arriveAgain(high * 4_294_967_296 + (low >>> 0), owner);
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
    const isAlive = references !== 0 && (words[index + 1]! & this.neverCounted) === 0;
    const type = isAlive ? this.typeCache.at(words[index + 2]! | 0, words[index + 3]! | 0) : null;
    if (type === null) {
      this.invalidReferences += 1;
      return;
    }
    visited.mark(dense, bit);
    if (type.isAtomic) this.countAtomic(low, high, type, references === 1, owner);
    else this.enter(low, high, type, references === 1, owner);
  }

  /** A reference to an object that was visited before. */
  private arriveAgain(address: number, owner: number): void {
    if (this.onKnown !== null) {
      this.onKnown(address);
      return;
    }
    const node = this.graph.find(address);
    if (node !== 0) this.graph.edge(owner, node);
  }

  /** An object without references of its own is counted at once. `isSole`: nothing else refers to it. */
  private countAtomic(
    low: number,
    high: number,
    type: TypeInfo,
    isSole: boolean,
    owner: number,
  ): void {
    const { graph } = this;
    let size = this.atomicSize(low, high, type);
    if (size >= largeBytes && !this.fits(high * 4_294_967_296 + (low >>> 0), size))
      size = this.withoutSense(type);
    this.tally(type, size);
    if (this.trace !== null) this.trace(high * 4_294_967_296 + (low >>> 0), type, size);
    if (size > 2048 && size < largeBytes) this.markPages(high * 4_294_967_296 + (low >>> 0), size);
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
  }

  /** Puts an object with references on the stack, with a node of its own unless it belongs to its owner's. */
  private enter(low: number, high: number, type: TypeInfo, isSole: boolean, owner: number): void {
    const { graph } = this;
    const isCollapsed =
      isSole &&
      ((graph.flags[owner]! & collapsing) !== 0 || graph.count > this.softNodes) &&
      type.kind !== kinds.module &&
      type.kind !== kinds.type &&
      type.kind !== kinds.ndarray;
    let holder = owner;
    if (!isCollapsed && graph.count < this.maxNodes) {
      holder = graph.node(high * 4_294_967_296 + (low >>> 0), type.index, owner);
      graph.edge(owner, holder);
    }
    this.stack.push(low, high, holder);
  }

  private tally(type: TypeInfo, size: Bytes): void {
    this.typeCounts[type.index]! += 1;
    this.typeBytes[type.index]! += size;
    this.objectCount += 1;
  }

  /** Whether an object of this size can lie here: its last byte must be mapped. */
  private fits(address: number, bytes: Bytes): boolean {
    return bytes <= this.memory.writableBytes && this.memory.region(address + bytes - 1) !== null;
  }

  /** The size of an object whose own makes no sense. */
  private withoutSense(type: TypeInfo): Bytes {
    this.notes.add(
      'some sizes made no sense (objects in the middle of a change) and were left out',
    );
    return type.basicBytes;
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
        if (this.isSince312) return 24 + 4 * Math.max(1, tag >>> 3);
        return 24 + 4 * (this.python.minor >= 11 ? Math.max(1, tag) : tag);
      }
      if (
        type.kind === kinds.string &&
        this.isSince312 &&
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
    const type = this.typeCache.at(memory.u32(address + 8) | 0, memory.u32(address + 12) | 0);
    if (type === null) return;
    this.count(address, type, sizeAndVisit(this, address, type, owner), owner);
  }

  private count(address: number, type: TypeInfo, bytes: Bytes, node: number): void {
    // No object is larger than all writable memory: this one is in the middle of a change, or the image is damaged.
    let size = bytes;
    if (
      !(size >= 0 && size <= 2 * this.memory.writableBytes + 65_536) ||
      (type.isAtomic && size >= largeBytes && !this.fits(address, size))
    )
      size = this.withoutSense(type);
    this.tally(type, size);
    if (this.trace !== null) this.trace(address, type, size);
    if (size > 2048 && size < largeBytes && type.isAtomic) this.markPages(address, size);
    this.graph.bytes[node]! += size;
    this.graph.objects[node]! += 1;
  }
}
