/** What only the collector's lists lead to, told apart however much of it there is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HolderKind } from '../../src/model/report.ts';
import { Census } from '../../src/python/heap/census.ts';
import { readHeap } from '../../src/python/heap/heap.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget, type Target } from '../../src/python/target.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { stopped, triedVersions, type Stopped } from './target.ts';

vi.setConfig({ testTimeout: 120_000 });

let target: Stopped | null = null;
afterEach(() => target?.end());

function opened(pid: number, maxChunks?: number): Target {
  const found = openTarget(pid, maxChunks);
  if (isRefusal(found)) throw new Error(`${found.detail}`);
  return found;
}

describe.each(triedVersions())('CPython %s', (_, python) => {
  test('half a million objects in cycles are garbage, what a C library keeps is not', async () => {
    target = await stopped(python, 'listed.py');
    const [garbage, heldByC] = readFileSync(join(target.folder, 'truth'), 'utf8')
      .split(' ')
      .map(Number) as [number, number];
    const open = opened(target.pid);
    const { holders = [], notes = [] } = takeSnapshot(open, { budgetMs: 60_000 });
    closeTarget(open);
    const told = (kind: HolderKind) =>
      holders.find((holder) => holder.kind === kind)?.retainedBytes ?? 0;
    const all = JSON.stringify(
      holders.map(({ name, path, retainedBytes }) => [name, path, retainedBytes]),
    );
    expect(told('garbage-cycles') / garbage, all).toBeCloseTo(1, 1);
    expect(told('garbage-or-c-code'), all).toBe(0);
    const unnamed = holders.filter(({ kind }) => kind === 'no-name' || kind === 'c-code');
    const most = Math.max(...unnamed.map(({ retainedBytes }) => retainedBytes));
    expect(most / heldByC, all).toBeCloseTo(1, 1);
    expect(notes).toEqual([]);
  });

  test('of what there is no time to tell apart, the sum is told', async () => {
    target = await stopped(python, 'listed.py');
    const open = opened(target.pid);
    // The clock stands until the lists are begun; then each time it is asked, ten milliseconds have passed.
    let [now, step] = [0, 0];
    const { probe } = Census.prototype;
    const begun = vi.spyOn(Census.prototype, 'probe').mockImplementation(function (
      this: Census,
      onKnown,
    ) {
      step = 10;
      return probe.call(this, onKnown);
    });
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += step));
    try {
      const heap = readHeap(open.python, threadsOf(open.python), { deadline: 3000 });
      const { graph } = heap.census;
      const { garbage, heldByC, undecided } = heap.groups;
      expect(begun).toHaveBeenCalledTimes(1);
      expect(graph.bytes[undecided]).toBeGreaterThan(20_000);
      expect([graph.bytes[garbage], graph.bytes[heldByC]]).toEqual([0, 0]);
      heap.census.release();
    } finally {
      clock.mockRestore();
      begun.mockRestore();
    }
    closeTarget(open);
  });
});
