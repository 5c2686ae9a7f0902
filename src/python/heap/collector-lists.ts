import type { Interpreter } from '../interpreter/interpreter.ts';
import { collectorHeads } from '../interpreter/runtime-state.ts';
import { linkReader } from '../process/links.ts';
import { isPlausible } from '../process/memory.ts';
import type { Census } from './census.ts';

/** Nodes that stand for a group of objects; 0: there is none. */
export interface Groups {
  readonly heldByC: number;
  readonly garbage: number;
  /** Held by C code or garbage: there was no time to tell the two apart. */
  readonly undecided: number;
}

/** For a census that ended before the collector's lists were read. */
export const noGroups: Groups = { heldByC: 0, garbage: 0, undecided: 0 };

/** 12 bytes each are kept of objects that only the lists know. */
const maxUnnamed = 12_000_000;
/** Links that are followed, at most. */
const maxListed = 400_000_000;
/** Objects whose references are followed in one go. These lie anywhere: each go reads most of the heap. */
const batch = 1 << 16;
/** With more nodes than this, an object that C code holds gets a node only where another one refers to it. */
const maxRoots = 500_000;

/**
 * Counts what only the collector's lists know: garbage cycles that wait for it, and what C code holds. An object that has more references
 * than come from such objects is held by C code; what such objects do not lead to is garbage.
 */
export function collectorLists(python: Interpreter, census: Census): Groups {
  const groups = {
    heldByC: groupNode(census),
    garbage: groupNode(census),
    undecided: groupNode(census),
  };
  const { objects, areAll } = onlyInLists(python, census);
  const inside = areAll ? referencesAmong(census, objects) : null;
  if (inside !== null) visitHeldByC(census, objects, inside, groups.heldByC);
  // The rest has no names: its sum is enough, and takes no nodes however much there is of it.
  census.endNodes();
  for (const [i, object] of objects.entries()) {
    if (!census.isComplete) break;
    census.visit(object, inside === null ? groups.undecided : groups.garbage);
    if (i % batch === batch - 1) census.run();
  }
  census.run();
  return groups;
}

function groupNode({ graph }: Census): number {
  const node = graph.node(0, -1, 0);
  graph.edge(0, node);
  return node;
}

/** Counts the objects that have more references than `inside` says, and what they lead to. */
function visitHeldByC(
  census: Census,
  objects: Float64Array,
  inside: Uint32Array,
  heldByC: number,
): void {
  const { python, graph } = census;
  for (const [i, object] of objects.entries()) {
    if (!census.isComplete || ((i & 1023) === 0 && census.checkTime())) return;
    if (python.references(object) <= inside[i]!) continue;
    if (graph.count < maxRoots) census.lateRoot(object, heldByC);
    else census.visit(object, heldByC);
    census.run();
  }
}

/** Addresses in a typed array that grows. */
class Addresses {
  private values = new Float64Array(1024);
  length = 0;

  push(address: number): void {
    if (this.length === this.values.length) {
      const longer = new Float64Array(this.length * 2);
      longer.set(this.values);
      this.values = longer;
    }
    this.values[this.length++] = address;
  }

  sorted(): Float64Array {
    return this.values.subarray(0, this.length).sort();
  }
}

/**
 * Objects that are in the collector's lists and were not counted yet, in the order of addresses: as many as were found in a third of the
 * time that is left. `areAll`: the lists were read to their ends.
 */
function onlyInLists(
  python: Interpreter,
  census: Census,
): { readonly objects: Float64Array; readonly areAll: boolean } {
  const { headSize } = python.layout.gc;
  const now = performance.now();
  const end = now + (census.deadline - now) / 3;
  const nextOf = linkReader(python.memory);
  const listed = census.probe(() => {});
  const objects = new Addresses();
  let count = 0;
  let areAll = true;
  for (const head of collectorHeads(python)) {
    let at = python.memory.word(head);
    // In the middle of a collection, or broken, links may go round without coming back to the head. Objects that were listed before tell;
    // among objects that were counted, a link on the way is compared with those after it (Brent's algorithm).
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
        objects.push(object);
      }
      at = nextOf(at);
      const isTimeOver = (count & 511) === 0 && performance.now() > end;
      if (count === maxListed || objects.length === maxUnnamed || isTimeOver) areAll = false;
    }
  }
  listed.release();
  return { objects: objects.sorted(), areAll };
}

/**
 * How many references to each of these objects come from one of them, or from what only they lead to. null: the time was over before all
 * were followed.
 */
function referencesAmong(census: Census, objects: Float64Array): Uint32Array | null {
  const inside = new Uint32Array(objects.length);
  const probe = census.probe((address) => {
    const index = indexOf(objects, address);
    if (index >= 0) inside[index]! += 1;
  });
  for (const object of objects) probe.markVisited(object);
  for (let i = 0; i < objects.length && probe.isComplete; i++) {
    probe.follow(objects[i]!);
    if (i % batch === batch - 1) probe.run();
  }
  probe.run();
  probe.release();
  return probe.isComplete ? inside : null;
}

/** Index in a sorted array; -1: not in it. */
function indexOf(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = sorted[middle]!;
    if (found === value) return middle;
    if (found < value) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
