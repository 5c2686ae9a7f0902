import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Holder } from '../../src/model/report.ts';
import { readHeap } from '../../src/python/heap/heap.ts';
import { holdersOf } from '../../src/python/holders/holders.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { openTarget, type Target } from '../../src/python/target.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { command, pythonModule, systemPython } from '../have.ts';
import { stopped, newestVersions, triedVersions, versions, type Stopped } from './target.ts';

vi.setConfig({ testTimeout: 120_000 });

let target: Stopped | null = null;
afterEach(() => target?.end());

function open(what: number | string): Target {
  const opened = openTarget(what);
  if (isRefusal(opened)) throw new Error(`${opened.detail}`);
  return opened;
}

/** A suite must not be empty where there is none: what it lacks is said by name. */
const needsPython = () => {
  if (versions().length === 0) test.skip('every CPython (needs CPython 3.6 to 3.13)', () => {});
  if (newestVersions().length === 0)
    test.skip('CPython 3.14 and 3.15 (needs the root folder of `npm run pythons`)', () => {});
};

describe('census', () => {
  needsPython();
  test.each(triedVersions())(
    'CPython %s: no object that the process itself sees is missed',
    async (_, python) => {
      target = await stopped(python, 'everything.py');
      const opened = open(target.pid);
      const seen = new Map<number, readonly [string, number]>();
      const heap = readHeap(
        opened.python,
        threadsOf(opened.python),
        { deadline: performance.now() + 60_000 },
        (address, { name }, bytes) => seen.set(address, [name, bytes]),
      );
      opened.source.close();
      expect(heap.census.isComplete).toBe(true);
      const truth = readFileSync(join(target.folder, 'truth'), 'utf8').trimEnd().split('\n');
      let missed = 0;
      const truthBytes = new Map<string, number>();
      const ownBytes = new Map<string, number>();
      for (const line of truth) {
        const [address, type = '', size] = line.split('\t');
        const found = seen.get(Number(address));
        if (found === undefined) {
          missed += 1;
          continue;
        }
        expect(found[0].split('.').at(-1)).toBe(type.split('.').at(-1));
        truthBytes.set(type, (truthBytes.get(type) ?? 0) + Number(size));
        ownBytes.set(type, (ownBytes.get(type) ?? 0) + found[1]);
      }
      expect(truth.length).toBeGreaterThan(15_000);
      expect(missed).toBe(0);
      for (const type of [
        'dict',
        'list',
        'tuple',
        'set',
        'str',
        'int',
        'float',
        'bytes',
        'bytearray',
        'deque',
        'function',
        'Slotted',
        'Items',
        'frame',
      ]) {
        const expected = truthBytes.get(type) ?? 0;
        if (expected < 1000) continue;
        // Up to 3.10 sys.getsizeof leaves a slot of a frame out.
        const within = type === 'frame' ? 0.03 : 0.01;
        expect(Math.abs(ownBytes.get(type)! / expected - 1), type).toBeLessThan(within);
      }
    },
  );
});

/** Every value of the truth by its name and within 2 %, where that is a measure (slots of attributes, 100 bytes). */
function compare(truth: Readonly<Record<string, number>>, holders: readonly Holder[]): void {
  for (const [name, bytes] of Object.entries(truth)) {
    if (bytes < 5000) continue;
    const holder = holders.find((one) => one.name === name);
    expect(holder?.name, `${name} is not among the holders`).toBe(name);
    expect(
      Math.abs(holder!.retainedBytes / bytes - 1),
      `${name}: ${holder!.retainedBytes} for ${bytes}`,
    ).toBeLessThan(0.02);
  }
}

describe('holders', () => {
  needsPython();
  test.each(triedVersions())(
    'CPython %s: named, and what each alone holds within 2 %',
    async (_, python) => {
      target = await stopped(python, 'holders.py');
      const opened = open(target.pid);
      const { holders } = holdersOf(
        readHeap(opened.python, threadsOf(opened.python), { deadline: performance.now() + 60_000 }),
        200,
      );
      opened.source.close();
      const truth = JSON.parse(readFileSync(join(target.folder, 'truth'), 'utf8')) as Record<
        string,
        number
      >;
      compare(truth, holders);
      const local = holders.find(({ name }) => name === 'local_rows');
      expect(local).toMatchObject({ scope: 'local', function: 'work' });
      expect(local?.path).toMatch(/^local_rows -> list\[80000\] -> list\[2\]/);
      expect(holders.find(({ name }) => name === 'kept')).toMatchObject({
        scope: 'local',
        function: 'generate',
      });
      expect(holders.find(({ name }) => name === 'lookup')?.path).toMatch(/_lru_cache_wrapper/);
      expect(holders.find(({ name }) => name === 'captured')?.scope).toBe('closure');
    },
  );

  const pandas = pythonModule('pandas');
  test.skipIf(pandas !== null)(
    `pandas and numpy${pandas === null ? '' : ` (${pandas})`}`,
    async () => {
      target = await stopped(systemPython, 'holders.py');
      const opened = open(target.pid);
      const picture = takeSnapshot(opened, { budgetMs: 60_000 });
      opened.source.close();
      const truth = JSON.parse(readFileSync(join(target.folder, 'truth'), 'utf8')) as Record<
        string,
        number
      >;
      expect(Object.keys(truth)).toContain('frame');
      compare(truth, picture.holders ?? []);
      expect(picture.holders?.find(({ name }) => name === 'frame')?.path).toMatch(
        /DataFrame.*numpy\.ndarray\[/,
      );
      expect(picture.holders?.find(({ name }) => name === 'matrix')?.alsoHeldBy.join()).not.toMatch(
        /undefined/,
      );
      const { accounted } = picture;
      const gap =
        accounted!.rssBytes -
        accounted!.pythonBytes -
        accounted!.nativeBytes -
        accounted!.unexplainedBytes;
      expect(Math.abs(gap)).toBeLessThan(accounted!.rssBytes * 0.03);
      expect(accounted!.unexplainedBytes).toBeLessThan(accounted!.rssBytes * 0.25);
    },
  );

  const gdb = versions().length === 0 ? 'needs CPython 3.6 to 3.13' : command('gdb');
  test.skipIf(gdb !== null)(
    `the same from a core of the same moment${gdb === null ? '' : ` (${gdb})`}`,
    async () => {
      const [, python] = versions().at(-1)!;
      target = await stopped(python, 'holders.py');
      const live = open(target.pid);
      const own = takeSnapshot(live, { budgetMs: 60_000 });
      live.source.close();
      const core = join(target.folder, 'core');
      spawnSync('gdb', ['-p', String(target.pid), '-batch', '-ex', `generate-core-file ${core}`], {
        stdio: 'ignore',
        timeout: 60_000,
      });
      const dumped = open(core);
      const dead = takeSnapshot(dumped, { budgetMs: 60_000 });
      dumped.source.close();
      const key = (holders: readonly Holder[] = []) =>
        holders
          .slice(0, 20)
          .map(({ name, retainedBytes, path }) => ({ name, retainedBytes, path }));
      expect(key(dead.holders)).toEqual(key(own.holders));
    },
  );
});
