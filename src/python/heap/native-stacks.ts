import type { Bytes } from '../../model/units.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import type { PythonThread } from '../interpreter/stacks.ts';
import { isPlausible } from '../process/memory.ts';
import { awaitingFromC } from './awaiting.ts';
import { collapsing, type Census } from './census.ts';
import type { RootNames } from './roots.ts';

/** A stack is read from its stack pointer upwards, the innermost call first, at most so far. */
const maxStackBytes = 1 << 20;

type Range = readonly [start: number, end: number];

/**
 * Where threads have their C stacks: addresses from `start` to before `end`. What looks like an object there is none, but a number and a
 * type that a function was called with.
 */
export function nativeStackRanges(
  python: Interpreter,
  threads: readonly PythonThread[],
): readonly Range[] {
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

/** Objects that only words of a thread's own C stack and its registers point to: what a C function works on. */
export function nativeStackRoots(
  census: Census,
  thread: PythonThread,
  stacks: readonly Range[],
  roots: RootNames,
): void {
  if (!census.isComplete) return;
  const frame = thread.frames[0] ?? null;
  const awaited = awaitingFromC(census.python, thread.frames);
  const blocks: { readonly address: number; readonly bytes: Bytes }[] = [];
  for (const word of stackWords(census, thread, stacks)) {
    if (!census.isComplete || census.checkTime()) return;
    if (census.memory.region(word)?.writable !== true) continue;
    const node = census.lateRoot(word, 0);
    roots.beingBuilt(node, frame, 0, awaited);
    const bytes = node === 0 ? pointerBlockBytes(census, word) : 0;
    if (bytes > 0) blocks.push({ address: word, bytes });
    census.run();
  }
  // The largest first: smaller ones may be left over from when the list was smaller.
  for (const { address, bytes } of blocks.sort((a, b) => b.bytes - a.bytes)) {
    roots.unnamed(visitBlock(census, address, bytes), 'being-sorted', 'stack', frame);
    census.run();
  }
}

/**
 * Words that may point to objects which were not counted yet. In the order of addresses: they point everywhere, and each chunk is to be
 * read once.
 */
function stackWords(
  census: Census,
  { native }: PythonThread,
  stacks: readonly Range[],
): Float64Array {
  const { memory } = census;
  const stackPointer = native?.stackPointer ?? null;
  const region = stackPointer === null ? null : memory.region(stackPointer);
  if (native === null || stackPointer === null || region === null) return new Float64Array(0);
  const words = new Set<number>();
  const add = (word: number) => {
    if (!isPlausible(word) || !memory.isNearMapped(word) || census.isVisited(word)) return;
    if (!stacks.some(([start, end]) => word >= start && word < end)) words.add(word);
  };
  for (const word of native.registers) add(word);
  const end = Math.min(region.end, stackPointer + maxStackBytes);
  for (let at = Math.ceil(stackPointer / 8) * 8; at + 8 <= end; at += 8) add(memory.word(at));
  return Float64Array.from(words).sort();
}

/** Bytes of a malloc block of object pointers at an address: `list.sort()` keeps the items of its list in one. 0: there is no such block. */
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

/** Counts the objects of a block of pointers into one node, and returns it. 0: most of the objects were counted before. */
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
