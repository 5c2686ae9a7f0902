import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { findRuntime } from '../../src/python/find-runtime.ts';
import { Interpreter } from '../../src/python/interpreter.ts';
import { isRefusal, openProcess } from '../../src/python/live-process.ts';
import { look, openTarget } from '../../src/python/look.ts';
import { Memory, type MemorySource, type Region } from '../../src/python/memory.ts';
import { pause, startGuard, threadStates } from '../../src/python/pause.ts';
import { start, stopped, versions, type Stopped } from '../heap/target.ts';

let target: Stopped | null = null;
afterEach(() => target?.end());

/** How many of each: 1 is enough for a change of the reader, more for a release. */
const thoroughness = Number(process.env['CORONER_FUZZ'] ?? 1);

describe('looks at processes that change wildly', () => {
  test.each(versions())(
    'CPython %s',
    { timeout: 600_000 * Math.max(1, thoroughness) },
    async (_, python) => {
      const guard = startGuard();
      target = start(python, 'busy.py');
      await sleep(1000);
      const problems: string[] = [];
      for (let i = 0; i < 40 * thoroughness; i++) {
        await sleep(Math.random() * 30);
        if (target.child.exitCode !== null || target.child.signalCode !== null) {
          target = start(python, 'busy.py');
          await sleep(300);
        }
        const { pid } = target;
        // Every third look without stopping it: the memory changes under our hands.
        const paused = i % 3 === 2 ? null : pause(pid, guard, { mostMs: 5000 });
        const begun = performance.now();
        try {
          const opened = openTarget(pid, 16);
          if (isRefusal(opened)) {
            problems.push(opened.detail);
            continue;
          }
          // And some while it dies.
          if (i % 17 === 16) target.child.kill('SIGKILL');
          const picture = look(opened, { budgetMs: 2000, quick: i % 2 === 0 });
          opened.source.close();
          if (i % 17 !== 16 && paused !== null) {
            expect(picture.threads!.length).toBeGreaterThan(0);
            const bytes = (picture.types ?? []).reduce((sum, { bytes: some }) => sum + some, 0);
            expect(bytes).toBeLessThan(2 * 2 ** 30);
          }
        } finally {
          paused?.resume();
        }
        expect(performance.now() - begun).toBeLessThan(60_000);
        expect(threadStates(pid).some((state) => state === 'T')).toBe(false);
      }
      guard.close();
      expect(problems).toEqual([]);
    },
  );
});

/** A copy of a process's memory that can be spoilt. */
function snapshot(pid: number): {
  readonly regions: readonly Region[];
  readonly bytes: readonly Uint8Array[];
} {
  const source = openProcess(pid);
  if (isRefusal(source)) throw new Error(source.detail);
  const regions = source.regions.filter(({ start: from, end }) => end - from < 64 * 2 ** 20);
  const bytes = regions.map(({ start: from, end }) => {
    const copy = new Uint8Array(end - from);
    source.read(from, copy);
    return copy;
  });
  source.close();
  return { regions, bytes };
}

function sourceOf(regions: readonly Region[], bytes: readonly Uint8Array[]): MemorySource {
  return {
    kind: 'core',
    pid: null,
    regions,
    read: (address, into) => {
      const i = regions.findIndex(({ start: from, end }) => address >= from && address < end);
      if (i < 0) return 0;
      const part = bytes[i]!.subarray(
        address - regions[i]!.start,
        address - regions[i]!.start + into.length,
      );
      into.set(part);
      return part.length;
    },
    threads: () => [],
    filePath: (path) => path,
    close: () => {},
  };
}

/** Repeatable: a failure names its seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('spoilt images', () => {
  test.each(versions())(
    'CPython %s: flipped pointers, loops, holes',
    { timeout: 600_000 * Math.max(1, thoroughness) },
    async (_, python) => {
      target = await stopped(python, 'small.py');
      const { regions, bytes } = snapshot(target.pid);
      const writable = regions.flatMap(({ writable: may, path }, i) =>
        may && !path.startsWith('[stack') ? [i] : [],
      );
      for (let seed = 1; seed <= 60 * thoroughness; seed++) {
        const random = randomOf(seed);
        const spoilt = bytes.map((part, i) => (writable.includes(i) ? part.slice() : part));
        const words = 1 + Math.floor(random() ** 3 * 20_000);
        const anyAddress = () => {
          const { start: from, end } = regions[Math.floor(random() * regions.length)]!;
          return from + Math.floor((random() * (end - from)) / 8) * 8;
        };
        for (let n = 0; n < words; n++) {
          const i = writable[Math.floor(random() * writable.length)]!;
          const view = new DataView(
            spoilt[i]!.buffer,
            spoilt[i]!.byteOffset,
            spoilt[i]!.byteLength,
          );
          const at = Math.floor((random() * (spoilt[i]!.length - 8)) / 8) * 8;
          const own = regions[i]!.start + at;
          const value = [anyAddress(), 0, 1, 2 ** 40, own, own - 16, random() * 2 ** 53][
            Math.floor(random() * 7)
          ]!;
          view.setUint32(at, value >>> 0, true);
          view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
        }
        // Some images end in the middle, as cores do that were cut off.
        const kept =
          seed % 5 === 0 ? regions.slice(0, Math.ceil(regions.length * random())) : regions;
        const source = sourceOf(kept, spoilt);
        const begun = performance.now();
        const memory = new Memory(source, 16);
        const runtime = findRuntime(memory);
        if (!isRefusal(runtime))
          look(
            { memory, source, runtime, python: new Interpreter(memory, runtime) },
            { budgetMs: 1500, quick: seed % 2 === 0, maxNodes: 300_000 },
          );
        expect(performance.now() - begun, `seed ${seed}`).toBeLessThan(60_000);
      }
    },
  );
});
