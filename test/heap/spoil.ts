/**
 * Looks at spoilt memory, cheap enough for 100,000 of them: one image of a process is kept, some words of it are spoilt for one look
 * and set right again.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { findRuntime } from '../../src/python/interpreter/find-runtime.ts';
import { readHeap } from '../../src/python/heap/heap.ts';
import { Interpreter } from '../../src/python/interpreter/interpreter.ts';
import { isRefusal, openProcess } from '../../src/python/process/live-process.ts';
import { openFile } from '../../src/python/process/open-file.ts';
import { closeTarget, smallChunks } from '../../src/python/target.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import {
  ChunkPool,
  Memory,
  type MemorySource,
  type Region,
} from '../../src/python/process/memory.ts';

export interface Image {
  readonly regions: readonly Region[];
  readonly parts: readonly Uint8Array[];
  readonly pid: number;
}

/** A copy of a process's memory. */
export function imageOf(pid: number): Image {
  const source = openProcess(pid);
  if (isRefusal(source)) throw new Error(`${source.detail}`);
  const regions = source.regions.filter(({ start, end }) => end - start < 64 * 2 ** 20);
  const parts = regions.map(({ start, end }) => {
    const copy = new Uint8Array(end - start);
    source.read(start, copy);
    return copy;
  });
  source.close();
  return { regions, parts, pid };
}

export function sourceOf(
  { parts, regions: all }: Image,
  regions: readonly Region[] = all,
): MemorySource {
  return {
    kind: 'core',
    pid: null,
    regions,
    read: (address, into) => {
      let low = 0;
      let high = all.length - 1;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const { start, end } = all[middle]!;
        if (address < start) high = middle - 1;
        else if (address >= end) low = middle + 1;
        else {
          const part = parts[middle]!.subarray(address - start, address - start + into.length);
          into.set(part);
          return part.length;
        }
      }
      return 0;
    },
    threads: () => [],
    openFile,
    isCurrent: () => true,
    close: () => {},
  };
}

/** Repeatable: a failure names its seed. */
export function randomOf(seed: number): () => number {
  let state = Math.imul(seed, 0x9e37_79b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Where a word counts: the structs that the look follows, one address each. */
function tellingAddresses(image: Image): readonly number[] {
  const memory = new Memory(sourceOf(image));
  const runtime = findRuntime(memory);
  if (isRefusal(runtime)) throw new Error(`${runtime.detail}`);
  const python = new Interpreter(memory, runtime);
  const threads = threadsOf(python);
  const addresses = new Set<number>();
  const objects: number[] = [];
  readHeap(python, threads, { deadline: Infinity }, (address) => objects.push(address));
  for (const address of objects) {
    addresses.add(address);
    // The table of a dict, the items of a list.
    for (const offset of [24, 32]) {
      const word = memory.word(address + offset);
      if (memory.region(word)?.writable === true) addresses.add(word);
    }
  }
  // Few, but everything hangs on them: as likely as all objects together.
  const roots = [
    ...(runtime.runtimeAddress === null
      ? []
      : Array.from({ length: 128 }, (_, i) => runtime.runtimeAddress! + 8 * i)),
    ...python.interpreters().flatMap((at) => Array.from({ length: 1024 }, (_, i) => at + 8 * i)),
    ...threads.flatMap(({ state, frames }) => [
      ...Array.from({ length: 64 }, (_, i) => state + 8 * i),
      ...frames.flatMap(({ address }) => [address, address + 32, address + 64]),
    ]),
  ];
  const all = [...addresses];
  for (let i = 0; i < all.length / 4; i++) all.push(roots[i % roots.length]!);
  return all.map((address) => address - (address % 8));
}

export interface SpoiltLooks {
  readonly looks: number;
  /** No CPython was recognised any more. */
  readonly refused: number;
  readonly slowestMs: number;
  readonly slowestSeed: number;
  readonly faults: readonly string[];
}

/** Spoils, looks, sets right. Nothing may throw, and each look must end. */
export async function lookAtSpoilt(
  image: Image,
  firstSeed: number,
  count: number,
): Promise<SpoiltLooks> {
  const { regions, parts } = image;
  const addresses = tellingAddresses(image);
  const views = parts.map((part) => new DataView(part.buffer, part.byteOffset, part.byteLength));
  const starts = Float64Array.from(regions, ({ start }) => start);
  const regionAt = (address: number): number => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
  const pool = new ChunkPool();
  const faults: string[] = [];
  let looks = 0;
  let refused = 0;
  let slowestMs = 0;
  let slowestSeed = 0;
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    // Whoever runs the test wants to hear of it now and then.
    if (seed % 64 === 0) await turn();
    const random = randomOf(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const anyAddress = () => {
      const { start, end } = pick(regions);
      return start + Math.floor((random() * (end - start)) / 8) * 8;
    };
    const undo: (readonly [DataView, number, number, number])[] = [];
    const words = 1 + Math.floor(random() ** 4 * 3000);
    for (let n = 0; n < words; n++) {
      const address = pick(addresses) + 8 * Math.floor(random() * 12);
      const i = regionAt(address);
      const view = views[i];
      const at = address - (starts[i] ?? 0);
      if (view === undefined || regions[i]?.writable !== true || at + 8 > view.byteLength) continue;
      const low = view.getUint32(at, true);
      const high = view.getUint32(at + 4, true);
      undo.push([view, at, low, high]);
      const word = low + high * 2 ** 32;
      const value = pick([
        pick(addresses),
        pick(addresses) + 8,
        anyAddress(),
        0,
        1,
        -1,
        2 ** 40,
        address,
        address - 16,
        random() * 2 ** 53,
        word + 8,
        word - 8,
        word * 2,
        word + (1 << Math.floor(random() * 31)),
      ]);
      view.setUint32(at, value >>> 0, true);
      view.setUint32(at + 4, Math.floor(value / 2 ** 32) >>> 0, true);
    }
    // Some end in the middle, as cores do that were cut off.
    const kept = seed % 7 === 0 ? regions.slice(0, Math.ceil(regions.length * random())) : regions;
    const begun = performance.now();
    looks += 1;
    try {
      const source = sourceOf(image, kept);
      const memory = new Memory(source, 64, smallChunks, pool);
      const runtime = findRuntime(memory);
      if (isRefusal(runtime)) {
        refused += 1;
        memory.release();
      } else {
        const target = { memory, source, runtime, python: new Interpreter(memory, runtime) };
        try {
          takeSnapshot(target, {
            budgetMs: 1000,
            quick: seed % 2 === 0,
            pool,
            censusChunks: 16,
            maxNodes: 300_000,
          });
        } finally {
          closeTarget(target);
        }
      }
    } catch (error) {
      faults.push(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
      if (faults.length >= 20) break;
    }
    const ms = performance.now() - begun;
    if (ms > slowestMs) [slowestMs, slowestSeed] = [ms, seed];
    for (const [view, at, low, high] of undo.toReversed()) {
      view.setUint32(at, low, true);
      view.setUint32(at + 4, high, true);
    }
  }
  return { looks, refused, slowestMs, slowestSeed, faults };
}
