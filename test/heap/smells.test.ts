import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Smell } from '../../src/model/report.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { openTarget } from '../../src/python/target.ts';
import { threadStates } from '../../src/python/process/pause.ts';
import { smells } from '../../src/python/smells/index.ts';
import { pythonModule, systemPython } from '../have.ts';
import { start, versions, type Stopped } from './target.ts';

vi.setConfig({ testTimeout: 120_000 });

let target: Stopped | null = null;
let child = 0;
afterEach(() => {
  target?.end();
  if (child !== 0) process.kill(child, 'SIGKILL');
  child = 0;
});

/** Where a smell is about numpy, a Python that has it. */
const needsNumpy = new Set([
  'integers-as-floats',
  'object-columns',
  'tiny-arrays',
  'pinning-views',
  'duplicate-arrays',
]);
/** The variable of the program that has it. */
const holders: Readonly<Record<string, string | null>> = {
  'equal-strings': 'cities',
  'integers-as-floats': 'ages',
  'object-columns': 'column',
  'dicts-of-one-shape': 'rows',
  'small-tuples': 'points',
  'tiny-arrays': 'vectors',
  'pinning-views': 'head',
  'over-allocated': 'queue',
  'unbounded-cache': 'describe',
  'duplicate-arrays': 'first',
  'pinned-frames': 'errors',
  'fork-copies': null,
};

async function smellsOf(
  python: string,
  id: string,
  which: 'has' | 'has-not',
): Promise<readonly Smell[]> {
  target = start(python, `smells/${id}.py`, [which]);
  const mark = join(target.folder, 'truth');
  let { pid } = target;
  for (let i = 0; i < 1200; i++) {
    if (id === 'fork-copies' && existsSync(`${mark}.child`))
      pid = Number(readFileSync(`${mark}.child`, 'utf8')) || pid;
    if (existsSync(mark) && threadStates(pid).every((state) => state === 'T')) break;
    await sleep(25);
  }
  if (pid !== target.pid) child = pid;
  const opened = openTarget(pid);
  if (isRefusal(opened)) throw new Error(`${opened.detail}`);
  const picture = takeSnapshot(opened, { budgetMs: 60_000 });
  opened.source.close();
  return picture.smells ?? [];
}

// That one is about releases which cannot be had: debug-offsets.test.ts makes them from a later one.
const tried = (id: string): boolean => id !== 'incremental-collector';

test('every smell has a page and a program', () => {
  for (const { id } of smells) {
    expect(existsSync(new URL(`../../docs/smells/${id}.md`, import.meta.url)), id).toBe(true);
    if (tried(id)) expect(Object.keys(holders)).toContain(id);
  }
});

const ids = smells.map(({ id }) => id).filter(tried);
describe.each(ids)('%s', (id) => {
  const why = needsNumpy.has(id) ? pythonModule('numpy') : null;
  const python = needsNumpy.has(id) ? systemPython : versions().at(-1)?.[1];
  const skip = why ?? (python === undefined ? 'needs a CPython' : null);
  test.skipIf(skip !== null)(
    `is found where it is${skip === null ? '' : ` (${skip})`}`,
    async () => {
      const found = (await smellsOf(python!, id, 'has')).find((smell) => smell.id === id);
      expect(found?.savesBytes ?? 0).toBeGreaterThan(64 * 1024);
      // Either of two equal arrays may be named first.
      if (id === 'duplicate-arrays') expect(['first', 'second']).toContain(found?.holder);
      else expect(found?.holder ?? null).toBe(holders[id]);
    },
  );
  test.skipIf(skip !== null)(
    `is not found where it is not${skip === null ? '' : ` (${skip})`}`,
    async () => {
      const found = await smellsOf(python!, id, 'has-not');
      expect(found.filter((smell) => smell.id === id && smell.holder === holders[id])).toEqual([]);
    },
  );
});
