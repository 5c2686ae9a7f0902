import type { Bytes, Ms } from '../../model/units.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { sizeAndVisit } from '../objects/traverse.ts';
import { kinds, TypeTable, type TypeInfo } from '../objects/types.ts';
import type { Visitor } from '../objects/visitor.ts';
import { addressLimit, isPlausible, type Memory } from '../process/memory.ts';
import { NativeBlocks } from './native-blocks.ts';
import { NextLevel } from './next-level.ts';
import { PresentPages } from './present-pages.ts';

/**
 * Objects of one level that are followed, of those that stand for themselves and of those that stand for others: fewer further down, where
 * the errors of many levels even out.
 */
const levelBudget = (level: number): number => (level < 8 ? 400 : level < 16 ? 200 : 100);
/** Items of a container that are looked at even where it is one of many. */
const leastItems = 24;
const maxNodes = 150_000;
/** Words of an unknown struct that are looked at. */
const maxWords = 512;
/** A chain of objects is not followed to its end: after so many levels of so few objects the walk is not whole. */
const narrowLevel = 8;
const mostNarrowLevels = 4000;
/** Of smaller buffers all pages count as touched. */
const largeBuffer = 1 << 22;
const dequeBlockItems = 64;
const dequeBlocksSeen = 32;
const dequeBlockBytes = 528;
/** Times the shares of objects with several referrers are computed anew: each brings them nearer to what agrees. */
const passes = 8;

/**
 * A walk through any object, level by level, as deep as it goes. Of a level with more objects than the budget a sample goes on, each of
 * which stands for several (`standsFor`); of a long container samples are followed. An object that others refer to as well counts by the
 * share of its references that the walk has seen.
 */
export class SampledWalk implements Visitor {
  readonly python: Interpreter;
  readonly memory: Memory;
  readonly types: TypeTable;
  /** By node, in the order in which they were found. */
  readonly address: number[] = [];
  readonly typeOf: TypeInfo[] = [];
  readonly ownBytes: Bytes[] = [];
  /** The node through which it was found first; -1: a root. */
  readonly parent: number[] = [];
  /** How many objects like this one there are: 1 where nothing above was sampled. */
  readonly standsFor: number[] = [];
  /** False: the time was over before everything was followed. */
  isWhole = true;
  /** It is not whole because what was left was a chain. */
  isChain = false;
  /** Asked before the references of an object that stands for itself are followed. */
  onEnter: ((node: number, type: TypeInfo) => void) | null = null;
  /** Whether an object is followed whatever the budget, and whatever its type. */
  isNamed: (address: number) => boolean = () => false;
  private readonly references: number[] = [];
  private readonly nodes = new Map<number, number>();
  private readonly edgeFrom: number[] = [];
  private readonly edgeTo: number[] = [];
  private readonly edgeTimes: number[] = [];
  private readonly deadline: Ms;
  private next = new NextLevel();
  private current = 0;
  private itemsHere = leastItems;
  private level = 0;
  private seed = 1;
  private untouchedHere: Bytes = 0;
  private pages: PresentPages | null = null;
  private readonly native: NativeBlocks;
  /** Nodes up to here have been followed; those behind them have not, where the walk is not whole. */
  followed = 0;

  constructor(python: Interpreter, deadline: Ms) {
    this.python = python;
    this.memory = python.memory;
    this.types = new TypeTable(python);
    this.native = new NativeBlocks(python.memory, this.types);
    this.deadline = deadline;
  }

  /** The node of an object from which the walk starts; -1: no object lies there. */
  addRoot(address: number, standsFor = 1): number {
    return this.nodes.get(address) ?? this.addNode(address, -1, standsFor);
  }

  find(address: number): number {
    return this.nodes.get(address) ?? -1;
  }

  isAlive(address: number): boolean {
    return this.memory.u32(address) !== 0 && this.memory.u32(address + 4) === 0;
  }

  /** Follows everything from the roots on that were added since, until nothing is left or the time is over. */
  run(): void {
    let narrow = 0;
    this.level = 0;
    while (this.followed < this.address.length) {
      const from = this.followed;
      const end = this.address.length;
      let weight = 0;
      for (let node = from; node < end; node++) weight += this.standsFor[node]!;
      for (let node = from; node < end; node++) {
        if ((node & 15) === 0 && performance.now() > this.deadline) this.isWhole = false;
        if (!this.isWhole) return;
        const share = (levelBudget(this.level) * this.standsFor[node]!) / weight;
        this.itemsHere = Math.max(leastItems, Math.ceil(share));
        this.expand(node);
      }
      this.followed = end;
      this.level += 1;
      this.keepSample();
      narrow = end - from <= narrowLevel ? narrow + 1 : 0;
      if (narrow > mostNarrowLevels && this.followed < this.address.length) {
        this.isChain = true;
        this.isWhole = false;
      }
      if (!this.isWhole) return;
    }
  }

  /** Objects that each node stands for, less what others than the walk's objects keep of them. */
  shares(): Float64Array {
    const { standsFor, references, edgeFrom, edgeTo, edgeTimes } = this;
    const count = standsFor.length;
    const shares = Float64Array.from(standsFor);
    const sums = new Float64Array(count);
    const start = new Int32Array(count + 1);
    for (const to of edgeTo) start[to + 1]! += 1;
    for (let i = 0; i < count; i++) start[i + 1]! += start[i]!;
    const order = new Int32Array(edgeTo.length);
    const fill = start.slice();
    for (let edge = 0; edge < edgeTo.length; edge++) order[fill[edgeTo[edge]!]!++] = edge;
    for (let pass = 0; pass < passes; pass++)
      for (let node = 0; node < count; node++) {
        // What nothing was sampled above counts in full for whoever came first.
        if (standsFor[node]! <= 1 || this.parent[node]! < 0) continue;
        sums[node] = 0;
        for (let at = start[node]!; at < start[node + 1]!; at++) {
          const edge = order[at]!;
          sums[node]! += shares[edgeFrom[edge]!]! * edgeTimes[edge]!;
        }
        shares[node] = Math.min(standsFor[node]!, sums[node]! / Math.max(1, references[node]!));
      }
    return shares;
  }

  visit(address: number): void {
    this.follow(address, 1);
  }

  visitWords(start: number, end: number, _owner: number, skip = 0): void {
    const words = Math.floor((end - start) / 8);
    this.spaced(words, maxWords, (index, times) => {
      const at = start + 8 * index;
      if (at === skip) return;
      const address = this.memory.word(at);
      if (!isPlausible(address) || !this.memory.isNearMapped(address)) return;
      if (this.types.of(address) !== null && this.isAlive(address)) this.follow(address, times);
    });
  }

  visitArray(start: number, count: number): void {
    this.visitStrided(start, count, 8);
  }

  visitStrided(start: number, count: number, stride: number): void {
    this.spaced(count, this.itemsHere, (index, times) =>
      this.follow(this.memory.word(start + index * stride), times),
    );
  }

  visitEntries(start: number, count: number, width: number, keyAt: number): void {
    this.spaced(count, this.itemsHere, (index, times) => {
      const entry = start + index * width + keyAt;
      const value = this.memory.word(entry + 8);
      if (value === 0) return;
      this.follow(this.memory.word(entry), times);
      this.follow(value, times);
    });
  }

  root(address: number): number {
    this.follow(address, 1);
    return 0;
  }

  noteItems(): void {}
  markNamespace(): void {}
  addBuffer(address: number, bytes: Bytes): void {
    if (bytes >= largeBuffer) this.untouchedHere += this.untouched(address, bytes);
  }
  addExternal(): void {}
  noteListBeingSorted(): void {}

  /** -1: no object lies there. */
  private addNode(address: number, parent: number, standsFor: number): number {
    if (!isPlausible(address) || !this.memory.isNearMapped(address)) return -1;
    const type = this.types.of(address);
    if (type === null || type.isSingleton || !this.isAlive(address)) return -1;
    if (isCode(type) && !this.isNamed(address)) return -1;
    const node = this.address.push(address) - 1;
    this.nodes.set(address, node);
    this.typeOf.push(type);
    this.ownBytes.push(0);
    this.parent.push(parent);
    this.standsFor.push(standsFor);
    this.references.push(this.python.references(address));
    return node;
  }

  private expand(node: number): void {
    const address = this.address[node]!;
    const type = this.typeOf[node]!;
    this.current = node;
    if (this.standsFor[node] === 1) this.onEnter?.(node, type);
    if (type.kind === kinds.type || type.kind === kinds.module) return;
    if (type.kind === kinds.function) this.visitFunction(address);
    else if (type.kind === kinds.dict && this.isNamespace(address)) return;
    else if (type.kind === kinds.deque) this.ownBytes[node] = this.visitDeque(address, type);
    else this.ownBytes[node] = this.touchedSize(address, type);
  }

  /** Size of an object without the pages that nothing has touched yet: a buffer may be far larger than what is in use of it. */
  private touchedSize(address: number, type: TypeInfo): Bytes {
    this.untouchedHere = 0;
    const size = this.sane(sizeAndVisit(this, address, type, 0), type);
    if (type.isAtomic && size >= largeBuffer) this.untouchedHere = this.untouched(address, size);
    const mapped = type.kind === kinds.mmap ? this.mappedBytes(address) : 0;
    const native =
      type.kind === kinds.generic || type.kind === kinds.arrowBuffer
        ? this.native.behind(address, type)
        : 0;
    return mapped + native + Math.max(0, size - this.untouchedHere);
  }

  /** What an anonymous mapping has in memory (`data` 16, `size` 24 of mmap.mmap). */
  private mappedBytes(mmap: number): Bytes {
    const { memory } = this;
    const [data, bytes] = [memory.word(mmap + 16), memory.word(mmap + 24)];
    const path = memory.region(data)?.path;
    const isAnonymous = path === '' || path?.startsWith('/dev/zero') === true;
    return isAnonymous && bytes < addressLimit ? bytes - this.untouched(data, bytes) : 0;
  }

  private untouched(address: number, bytes: Bytes): Bytes {
    const { source } = this.memory;
    if (source.kind !== 'process' || source.pid === null) return 0;
    this.pages ??= new PresentPages(source.pid);
    return Math.max(0, bytes - this.pages.presentBytes(address, bytes));
  }

  close(): void {
    this.pages?.close();
  }

  private sane(bytes: Bytes, type: TypeInfo): Bytes {
    return bytes >= 0 && bytes <= 2 * this.memory.writableBytes ? bytes : type.basicBytes;
  }

  /** A function's namespace is its module's: of its own it has what its closure keeps. */
  private visitFunction(address: number): void {
    this.follow(this.memory.word(address + this.python.layout.function.closure), 1);
  }

  /** The dict of a module, which everything refers to: its first name is `__name__`. */
  private isNamespace(dict: number): boolean {
    const { python } = this;
    if (python.references(dict) < 3) return false;
    let is = false;
    python.eachEntry(
      dict,
      (key) => {
        is = python.typeName(key) === 'str' && python.string(key, 9) === '__name__';
        return true;
      },
      1,
    );
    return is;
  }

  /** Blocks of a deque are linked: of a long one the first are taken for all. Returns its size. */
  private visitDeque(deque: number, type: TypeInfo): Bytes {
    const { memory } = this;
    const count = memory.word(deque + 16);
    const base = type.basicBytes + type.preBytes;
    if (count <= dequeBlockItems * dequeBlocksSeen)
      return this.sane(sizeAndVisit(this, deque, type, 0), type);
    if (count > memory.writableBytes / 8) return base;
    const items: number[] = [];
    let block = memory.word(deque + 24);
    let index = memory.word(deque + 40);
    for (let seen = 0; seen < dequeBlocksSeen && isPlausible(block); seen++) {
      for (; index < dequeBlockItems; index++) items.push(memory.word(block + 8 + 8 * index));
      index = 0;
      block = memory.word(block + 8 + 8 * dequeBlockItems);
    }
    const scale = count / Math.max(1, items.length);
    this.spaced(items.length, this.itemsHere, (at, times) =>
      this.follow(items[at]!, times * scale),
    );
    return base + (count / dequeBlockItems) * dequeBlockBytes;
  }

  private follow(address: number, times: number): void {
    if (!isPlausible(address)) return;
    const known = this.nodes.get(address);
    if (known !== undefined) this.edge(this.current, known, times);
    else this.next.add(address, this.current, times, this.standsFor[this.current]! * times);
  }

  private edge(from: number, to: number, times: number): void {
    this.edgeFrom.push(from);
    this.edgeTo.push(to);
    this.edgeTimes.push(times);
  }

  /** Nodes for what goes on. */
  private keepSample(): void {
    const { next } = this;
    this.next = new NextLevel();
    if (this.address.length > maxNodes) {
      this.isWhole &&= next.count === 0;
      return;
    }
    const isKept = (address: number) => this.isNamed(address);
    for (const { index, times } of next.sample(levelBudget(this.level), isKept, () =>
      this.random(),
    )) {
      const address = next.address[index]!;
      const node = this.addNode(address, next.firstFrom[index]!, next.most[index]! * times);
      if (node < 0) continue;
      next.eachEdge(index, (from, edgeTimes) => this.edge(from, node, edgeTimes * times));
    }
  }

  /** Calls back with at most `limit` of `count` indexes, one at random of each part of the same length, each of which stands for `times`. */
  private spaced(count: number, limit: number, each: (index: number, times: number) => void): void {
    if (!(count > 0 && count < 2 ** 40)) return;
    if (count <= limit) {
      for (let i = 0; i < count; i++) each(i, 1);
      return;
    }
    const step = count / limit;
    for (let i = 0; i < limit; i++) each(Math.floor((i + this.random()) * step), step);
  }

  /** From 0 to 1, the same in each run: a figure must not change from look to look by chance. */
  private random(): number {
    this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.seed / 4_294_967_296;
  }
}

/** They lead everywhere, and hold nothing in a user's sense. Functions do in their closures. */
const isCode = ({ kind }: TypeInfo): boolean =>
  kind === kinds.module || kind === kinds.type || kind === kinds.code;
