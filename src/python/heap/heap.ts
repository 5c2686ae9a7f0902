import type { HolderScope } from '../../model/report.ts';
import type { Bytes } from '../../model/units.ts';
import { Census, collapsing, type CensusOptions } from './census.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { linkReader } from '../process/links.ts';
import { isPlausible, type Region } from '../process/memory.ts';
import type { Frame, PythonThread } from '../interpreter/stacks.ts';

/** A name from which an object is reached. */
export interface RootName {
  readonly node: number;
  readonly name: string;
  readonly scope: HolderScope;
  readonly frame: Frame | null;
  /** Innermost call is 0. */
  readonly depth: number;
  readonly threadName: string | null;
}

export interface Heap {
  readonly census: Census;
  readonly names: readonly RootName[];
  /** Nodes that stand for a group without a name. */
  readonly groups: Groups;
}

/** Nodes; 0: there is none. */
interface Groups {
  readonly heldByC: number;
  readonly garbage: number;
  /** There was no time to tell the two apart. */
  readonly undecided: number;
}

/** Name of the values on a frame's evaluation stack, which have none in the program. */
export const stackName = '(being built)';

/**
 * Counts the heap from its names on: locals of all calls, modules, then what only an evaluation stack or a C stack holds,
 * then what is left in the collector's lists.
 */
export function readHeap(
  python: Interpreter,
  threads: readonly PythonThread[],
  options: CensusOptions,
  trace: Census['trace'] = null,
): Heap {
  const census = new Census(python, options);
  census.trace = trace;
  const names: RootName[] = [];
  const nameOf = (
    node: number,
    name: string,
    scope: HolderScope,
    frame: Frame | null,
    depth: number,
    threadName: string | null,
  ) => {
    if (node !== 0) names.push({ node, name, scope, frame, depth, threadName });
  };
  const { memory, layout } = python;
  for (const thread of threads) {
    for (const [depth, frame] of thread.frames.entries())
      localsOf(python, census, frame, (node, name, scope) =>
        nameOf(node, name, scope, frame, depth, thread.name),
      );
    const dict = memory.word(thread.state + layout.thread.dict);
    nameOf(census.root(dict, 0), '(thread locals)', 'attribute', null, 0, thread.name);
    const exception = memory.word(thread.state + layout.thread.currentException);
    nameOf(
      census.root(exception, 0),
      '(exception being raised)',
      'stack',
      thread.frames[0] ?? null,
      0,
      thread.name,
    );
  }
  for (const interpreter of python.interpreters()) {
    const { modules, sysdict, builtins } = layout.interpreter;
    for (const field of [modules, sysdict, builtins]) {
      const node = census.root(memory.word(interpreter + field), 0);
      if (node !== 0) census.markNamespace(node);
    }
  }
  census.run();
  for (const thread of threads)
    for (const [depth, frame] of thread.frames.entries()) {
      census.root(frame.function, 0);
      census.run();
      if (!census.isComplete) break;
      evaluationStack(python, census, frame, (node) =>
        nameOf(node, stackName, 'stack', frame, depth, thread.name),
      );
    }
  const stacks = nativeStacks(python, threads);
  for (const thread of threads) nativeStack(census, thread, stacks, nameOf);
  const groups = census.isComplete
    ? collectorLists(python, census)
    : { heldByC: 0, garbage: 0, undecided: 0 };
  return { census, names, groups };
}

type Named = (node: number, name: string, scope: HolderScope) => void;

function localsOf(python: Interpreter, census: Census, frame: Frame, named: Named): void {
  const { memory } = python;
  const { code, slots } = frame;
  for (const [i, name] of code.names.entries()) {
    const value = memory.word(slots + 8 * i);
    if (!isPlausible(value)) continue;
    // Cells and free variables: the variable's value is in the cell.
    const isCell = (code.kinds[i]! & 0xc0) !== 0 && python.typeName(value) === 'cell';
    if (isCell) {
      const content = memory.word(value + 16);
      const scope = (code.kinds[i]! & 0x80) === 0 ? 'local' : 'closure';
      named(census.root(content, 0), name, scope);
    }
    const node = census.root(value, 0);
    if (!isCell) named(node, name === '.0' ? '(iterator)' : name, 'local');
  }
  if (frame.localsDict !== 0 && frame.localsDict !== frame.globals) {
    const node = census.root(frame.localsDict, 0);
    if (node !== 0) census.markNamespace(node);
  }
}

/** What nothing named holds and lies on an evaluation stack: a list that a comprehension builds, arguments of a call. */
function evaluationStack(
  python: Interpreter,
  census: Census,
  frame: Frame,
  named: (node: number) => void,
): void {
  const start = frame.slots + 8 * frame.code.names.length;
  for (let i = 0; i < frame.code.stackSize; i++) {
    named(census.lateRoot(python.memory.word(start + 8 * i), 0));
    census.run();
  }
}

const maxStackBytes = 1 << 20;

type Range = readonly [start: number, end: number];

/** Where threads have their C stacks. No object lies there, but what looks like one: a number and a type that a function was called with. */
function nativeStacks(python: Interpreter, threads: readonly PythonThread[]): readonly Range[] {
  const { memory, layout } = python;
  return threads.flatMap(({ state, native }): readonly Range[] => {
    const stackPointer = native?.stackPointer ?? null;
    const region = stackPointer === null ? null : memory.region(stackPointer);
    if (stackPointer === null || region === null) return [];
    if (region.path.startsWith('[stack')) return [[region.start, region.end]];
    // `struct pthread` lies on top of a thread's stack; the kernel may make one mapping of the stack and of what lies above it.
    const pthread = memory.word(state + layout.thread.pthread);
    const isOnTop = pthread > stackPointer && pthread < region.end;
    return [[region.start, isOnTop ? pthread : Math.min(region.end, stackPointer + maxStackBytes)]];
  });
}

/** Words of a thread's own C stack that point to objects nothing else holds: what a C function works on. */
function nativeStack(
  census: Census,
  thread: PythonThread,
  stacks: readonly Range[],
  nameOf: (
    node: number,
    name: string,
    scope: HolderScope,
    frame: Frame | null,
    depth: number,
    threadName: string | null,
  ) => void,
): void {
  const { memory } = census;
  const { native } = thread;
  if (native === null || native.stackPointer === null || !census.isComplete) return;
  const region: Region | null = memory.region(native.stackPointer);
  if (region === null) return;
  const frame = thread.frames[0] ?? null;
  const end = Math.min(region.end, native.stackPointer + maxStackBytes);
  // In the order of addresses: words of a stack point everywhere, and each place is to be read once.
  const words = new Set<number>();
  const add = (word: number) => {
    if (!isPlausible(word) || !memory.isNearMapped(word) || census.isVisited(word)) return;
    if (!stacks.some(([start, end]) => word >= start && word < end)) words.add(word);
  };
  for (const word of native.registers) add(word);
  for (let at = Math.ceil(native.stackPointer / 8) * 8; at + 8 <= end; at += 8)
    add(memory.word(at));
  const blocks: { readonly address: number; readonly bytes: number }[] = [];
  for (const word of Float64Array.from(words).sort()) {
    if (!census.isComplete || census.checkTime()) return;
    if (memory.region(word)?.writable !== true) continue;
    const node = census.lateRoot(word, 0);
    nameOf(node, stackName, 'stack', frame, 0, thread.name);
    const bytes = node === 0 ? pointerBlockBytes(census, word) : 0;
    if (bytes > 0) blocks.push({ address: word, bytes });
    census.run();
  }
  // The largest first: smaller ones may be left over from when it was smaller.
  for (const { address, bytes } of blocks.sort((a, b) => b.bytes - a.bytes)) {
    nameOf(visitBlock(census, address, bytes), '(being sorted)', 'stack', frame, 0, thread.name);
    census.run();
  }
}

/**
 * Size of a malloc block of object pointers that only the C stack knows: list.sort() keeps the items of its list in one.
 * 0: it is none.
 */
function pointerBlockBytes(census: Census, address: number): Bytes {
  if (address % 16 !== 0) return 0;
  const { memory } = census;
  if (memory.region(address - 8)?.writable !== true) return 0;
  // glibc keeps the block's size before it, with flags in the low 3 bits.
  const header = memory.word(address - 8);
  const bytes = header - (header % 8);
  if (bytes < 4096 || bytes % 16 !== 0 || bytes > memory.writableBytes) return 0;
  if (memory.region(address + bytes - 32) === null) return 0;
  const sample = Array.from({ length: 16 }, (_, i) => memory.word(address + 8 * i));
  const filled = sample.filter((word) => word !== 0);
  return filled.length >= 12 && filled.every((word) => isObject(census, word)) ? bytes : 0;
}

const isObject = (census: Census, word: number): boolean =>
  isPlausible(word) &&
  census.memory.isNearMapped(word) &&
  census.types.of(word) !== null &&
  census.isAlive(word);

/** A node for a block of pointers. 0: its objects are known already. */
function visitBlock(census: Census, address: number, bytes: Bytes): number {
  const places = Math.floor(bytes / 8) - 2;
  const sample = Array.from({ length: 64 }, (_, i) =>
    census.memory.word(address + 8 * Math.floor((i * places) / 64)),
  ).filter((word) => isObject(census, word));
  const news = sample.filter((word) => !census.isVisited(word)).length;
  if (news * 2 < sample.length || news === 0) return 0;
  const group = census.graph.node(0, -1, 0);
  census.graph.edge(0, group);
  census.graph.flags[group]! |= collapsing;
  census.visitArray(address, places, group);
  census.addBuffer(address, bytes);
  return group;
}

/** What only the collector knows: cycles that wait for it, and what C code holds. */
function collectorLists(python: Interpreter, census: Census): Groups {
  const { graph, memory } = census;
  const group = () => {
    const node = graph.node(0, -1, 0);
    graph.edge(0, node);
    return node;
  };
  const [heldByC, garbage, undecided] = [group(), group(), group()];
  const { objects, areAll } = onlyInLists(python, census);
  const inside = areAll ? referencesAmong(census, objects) : null;
  const references = (object: number) =>
    python.minor >= 12 ? memory.u32(object) : memory.word(object);
  if (inside !== null)
    for (const [i, object] of objects.entries()) {
      if (!census.isComplete || ((i & 1023) === 0 && census.checkTime())) break;
      if (references(object) <= inside[i]!) continue;
      if (graph.count < maxRoots) census.lateRoot(object, heldByC);
      else census.visit(object, heldByC);
      census.run();
    }
  // These have no names: the sum is enough, whatever there is of it.
  census.endNodes();
  for (const [i, object] of objects.entries()) {
    if (!census.isComplete) break;
    census.visit(object, inside === null ? undecided : garbage);
    if (i % atOnce === atOnce - 1) census.run();
  }
  census.run();
  return { heldByC, garbage, undecided };
}

const maxListed = 400_000_000;
/** What they refer to lies anywhere: each time the rest is visited, most of the heap is read. */
const atOnce = 1 << 16;
/** With more nodes than this, an object that C code holds gets one only where another one refers to it. */
const maxRoots = 500_000;
/** 12 bytes each are kept of them. */
const maxLeft = 12_000_000;

/**
 * What is in the collector's lists and nothing named leads to, in the order of addresses: as much of it as was found in a third of the
 * time that is left.
 */
function onlyInLists(
  python: Interpreter,
  census: Census,
): { readonly objects: Float64Array; readonly areAll: boolean } {
  const { memory, layout } = python;
  const { headSize } = layout.gc;
  const now = performance.now();
  const end = now + (census.deadline - now) / 3;
  const nextOf = linkReader(memory);
  const listed = census.probe(() => {});
  let objects = new Float64Array(1024);
  let length = 0;
  let count = 0;
  let areAll = true;
  for (const head of python.collectorHeads()) {
    let at = memory.word(head);
    // In the middle of a collection, or broken, links may go round without coming back to the head: seen by what was listed before, and
    // among what has a name by comparing with a link on the way (Brent).
    let mark = 0;
    let markAgain = 64;
    while (areAll && isPlausible(at - (at % 4))) {
      // The two low bits of a link are flags of the collector.
      at -= at % 4;
      if (at === head || at === mark) break;
      count += 1;
      if (--markAgain === 0) {
        mark = at;
        markAgain = count;
      }
      const object = at + headSize;
      if (!census.isVisited(object)) {
        if (listed.isVisited(object)) break;
        listed.markVisited(object);
        if (length === objects.length) {
          const longer = new Float64Array(length * 2);
          longer.set(objects);
          objects = longer;
        }
        objects[length++] = object;
      }
      at = nextOf(at);
      if (
        count === maxListed ||
        length === maxLeft ||
        ((count & 511) === 0 && performance.now() > end)
      )
        areAll = false;
    }
  }
  listed.release();
  return { objects: objects.subarray(0, length).sort(), areAll };
}

/** How many references to each of these objects come from one of them, or from what only they lead to. null: the time was over. */
function referencesAmong(census: Census, objects: Float64Array): Uint32Array | null {
  const inside = new Uint32Array(objects.length);
  const probe = census.probe((address) => {
    let low = 0;
    let high = objects.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const object = objects[middle]!;
      if (object === address) {
        inside[middle]! += 1;
        return;
      }
      if (object < address) low = middle + 1;
      else high = middle - 1;
    }
  });
  for (const object of objects) probe.markVisited(object);
  for (let i = 0; i < objects.length && probe.isComplete; i++) {
    probe.follow(objects[i]!);
    if (i % atOnce === atOnce - 1) probe.run();
  }
  probe.run();
  probe.release();
  return probe.isComplete ? inside : null;
}
