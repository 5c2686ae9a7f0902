/** What several names hold together, and the way through instances. */
import { afterEach, expect, test } from 'vitest';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget } from '../../src/python/target.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { stopped, triedVersions, type Stopped } from './target.ts';

let target: Stopped | null = null;
afterEach(() => target?.end());

test.each(triedVersions())('CPython %s', { timeout: 120_000 }, async (_, python) => {
  target = await stopped(python, 'shared.py');
  const opened = openTarget(target.pid);
  if (isRefusal(opened)) throw new Error(`${opened.detail}`);
  const { holders = [] } = takeSnapshot(opened, { budgetMs: 60_000 });
  closeTarget(opened);
  // The nodes of the tree are the index's as well, and not the modules' of the program.
  const shared = holders.find(({ path }) => /^(index \+ tree|tree \+ index)\b/.test(path));
  expect(shared?.kind).toBe('shared');
  expect(shared?.retainedBytes).toBeGreaterThan(8 * 2 ** 20);
  const modules = holders.find(({ kind }) => kind === 'imported-modules');
  expect(modules?.retainedBytes ?? 0).toBeLessThan(6 * 2 ** 20);
  expect(holders.find(({ name }) => name === 'rows')?.path).toMatch(
    /^rows -> list\[5000\] -> (__main__\.)?Row -> \.tags -> list\[8\] -> str$/,
  );
});
