import { expect, test } from 'vitest';
import type { Holder } from '../../model/report.ts';
import type { MemorySource } from '../process/memory.ts';
import { inUseBy, withinUse } from './resident-data.ts';

const holder = (retainedBytes: number, ownBytes = retainedBytes): Holder => ({
  name: 'rows',
  kind: 'variable',
  scope: 'local',
  path: 'rows -> list',
  function: 'load',
  file: '/srv/app.py',
  line: 7,
  type: 'list',
  ownBytes,
  retainedBytes,
  alsoHeldBy: [],
  estimate: true,
});

test('no variable is said to hold more than its process has', () => {
  const [first, second] = withinUse([holder(900), holder(300, 20)], 500);
  expect(first).toMatchObject({ retainedBytes: 500, ownBytes: 500 });
  expect(second).toEqual(holder(300, 20));
  expect(withinUse([holder(900)], Infinity)).toEqual([holder(900)]);
});

test('what a process has is known while it lives; of a core it is not', () => {
  const source = (more: Partial<MemorySource>) => more as MemorySource;
  expect(inUseBy(source({ kind: 'process', pid: process.pid }))).toBeGreaterThan(10 * 2 ** 20);
  expect(inUseBy(source({ kind: 'process', pid: process.pid }))).toBeLessThan(16 * 2 ** 30);
  expect(inUseBy(source({ kind: 'core', pid: process.pid }))).toBe(Infinity);
  expect(inUseBy(source({ kind: 'process', pid: 2 ** 30 }))).toBe(Infinity);
});
