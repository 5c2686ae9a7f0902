import { afterEach, describe, expect, test, vi } from 'vitest';
import { findRuntime } from '../../src/python/interpreter/find-runtime.ts';
import { isRefusal, openProcess, type Refusal } from '../../src/python/process/live-process.ts';
import { readHeap } from '../../src/python/heap/heap.ts';
import { Interpreter } from '../../src/python/interpreter/interpreter.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { openTarget } from '../../src/python/target.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { Memory, type MemorySource } from '../../src/python/process/memory.ts';
import { stopped, triedVersions, versions, type Stopped } from './target.ts';

vi.setConfig({ testTimeout: 120_000 });

let target: Stopped | null = null;
afterEach(() => target?.end());

describe.each(triedVersions())('CPython %s: values without a name', (_, python) => {
  // Bytes of the values, about: 40,000 strings, tuples of two tuples, strings and their sort keys, lists of a string.
  test.each([
    ['comprehension', 'comprehension', 2_500_000],
    ['json', 'parse', 5_000_000],
    ['sorted', 'ordered', 2_000_000],
    ['argument', 'argument', 4_000_000],
  ] as const)('%s', async (how, call, least) => {
    target = await stopped(python, 'unnamed.py', [how]);
    const opened = openTarget(target.pid);
    if (isRefusal(opened)) throw new Error(`${opened.detail}`);
    const { holders = [], threads = [] } = takeSnapshot(opened, { budgetMs: 60_000 });
    opened.source.close();
    const unnamed = holders.filter(({ scope }) => scope === 'stack');
    const bytes = unnamed.reduce((sum, { retainedBytes }) => sum + retainedBytes, 0);
    expect(bytes, JSON.stringify(holders.slice(0, 5), null, 1)).toBeGreaterThan(least);
    // The call that builds it is named, or one that it is in the middle of.
    const onStack = new Set(threads.flatMap(({ stack }) => stack.map((frame) => frame.function)));
    expect(onStack).toContain(call);
    for (const holder of unnamed) expect(onStack).toContain(holder.function);
  });
});

test.each(triedVersions())(
  'CPython %s: what looks like an object on a C stack is none',
  async (_, python) => {
    target = await stopped(python, 'small.py');
    const source = openProcess(target.pid);
    if (isRefusal(source)) throw new Error(`${source.detail}`);
    const memory = new Memory(source);
    const runtime = findRuntime(memory);
    if (isRefusal(runtime)) throw new Error(`${runtime.detail}`);
    const interpreter = new Interpreter(memory, runtime);
    const [thread] = threadsOf(interpreter);
    const stackPointer = thread!.native!.stackPointer!;
    // A count of 1 and the type of frame 0's code, and a pointer to both.
    const at = Math.ceil(stackPointer / 8) * 8 + 64;
    const fake = new Map([
      [at, at + 16],
      [at + 16, 1],
      [at + 24, memory.word(thread!.frames[0]!.code.address + 8)],
    ]);
    const spoilt = new Memory({ ...source, read: changedRead(source, fake) });
    expect(spoilt.word(at)).toBe(at + 16);
    const seen: number[] = [];
    const again = new Interpreter(spoilt, runtime);
    readHeap(again, threadsOf(again), { deadline: Infinity }, (address) => seen.push(address));
    source.close();
    expect(seen.length).toBeGreaterThan(1000);
    const { start, end } = memory.region(stackPointer)!;
    expect(seen.filter((address) => address >= start && address < end)).toEqual([]);
  },
);

/** Reads with some words changed. */
const changedRead =
  (source: MemorySource, changes: ReadonlyMap<number, number>): MemorySource['read'] =>
  (address, into) => {
    const count = source.read(address, into);
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    for (const [at, value] of changes)
      if (at >= address && at + 8 <= address + into.length) {
        view.setUint32(at - address, value >>> 0, true);
        view.setUint32(at - address + 4, Math.floor(value / 2 ** 32), true);
      }
    return count;
  };

describe('what cannot be read is refused, never misread', () => {
  const newest = versions().at(-1);
  /** The process's memory with one word changed. */
  async function changed(
    words: (memory: Memory, runtime: number) => ReadonlyMap<number, number>,
  ): Promise<Refusal | object> {
    target = await stopped(newest![1], 'small.py');
    const source = openProcess(target.pid);
    if (isRefusal(source)) throw new Error(`${source.detail}`);
    const memory = new Memory(source);
    const found = findRuntime(memory);
    if (isRefusal(found)) throw new Error(`${found.detail}`);
    const changes = words(memory, found.runtimeAddress!);
    const spoilt: MemorySource = { ...source, read: changedRead(source, changes) };
    const result = findRuntime(new Memory(spoilt));
    source.close();
    return result;
  }

  test.skipIf(newest?.[0] !== '3.13')('a free-threaded build (needs CPython 3.13)', async () => {
    // _Py_DebugOffsets.free_threaded is the third word.
    const result = await changed((_, runtime) => new Map([[runtime + 16, 1]]));
    expect(isRefusal(result) ? result.detail : '').toMatch(/free-threaded/);
  });

  test.skipIf(newest?.[0] !== '3.13')(
    'an interpreter whose structs lie elsewhere (needs CPython 3.13)',
    async () => {
      // interpreters.head, as the debug offsets give it: the word 40 of them.
      const result = await changed(
        (memory, runtime) => new Map([[runtime + memory.word(runtime + 40), runtime]]),
      );
      expect(isRefusal(result) ? result.detail : '').toMatch(
        /not laid out as expected|no interpreter/,
      );
    },
  );

  test('a program that is no Python', () => {
    const result = openTarget(process.pid);
    expect(isRefusal(result) ? result.detail : '').toMatch(/no CPython/);
  });
  test('a process that is not there', () => {
    const result = openTarget(4_194_303);
    expect(isRefusal(result) ? result.detail : '').toMatch(/there is no process 4194303/);
  });
});
