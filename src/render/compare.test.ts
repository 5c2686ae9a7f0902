import { expect, test } from 'vitest';
import type { Allocation, Holder, MemoryPicture, Report } from '../model/report.ts';
import { compareRuns, type Run } from './compare.ts';
import { renderComparison } from './comparison.ts';

const mib = 2 ** 20;
const nothing: Report = { format: 'coroner/1', incidents: [], sources: [] };
const look = (name: string, picture: MemoryPicture): Run => ({
  name,
  report: nothing,
  look: picture,
});
const holder = (name: string, retained: number, more: Partial<Holder> = {}): Holder => ({
  name,
  kind: 'variable',
  scope: 'global',
  function: null,
  file: '/srv/app.py',
  line: null,
  path: `${name} -> dict[int] -> Session`,
  type: 'dict',
  ownBytes: 1,
  retainedBytes: retained * mib,
  alsoHeldBy: [],
  estimate: false,
  ...more,
});
const line = (
  file: string,
  at: number,
  bytes: number,
  more: Partial<Allocation> = {},
): Allocation => ({
  when: 'peak',
  file,
  line: at,
  function: 'load',
  bytes: bytes * mib,
  share: 0.5,
  plusMinus: 0,
  stack: [],
  ...more,
});
const accounted = (rss: number) => ({
  rssBytes: rss * mib,
  pythonBytes: 0,
  nativeBytes: 0,
  unexplainedBytes: 0,
});

test('two looks at a leaking server: the culprit is named, its group first', () => {
  const comparison = compareRuns(
    look('one', {
      holders: [holder('sessions', 30), holder('static', 20)],
      accounted: accounted(60),
    }),
    look('two', {
      holders: [holder('static', 20), holder('sessions', 147)],
      accounted: accounted(180),
    }),
  );
  expect(comparison.culprit).toMatchObject({ of: 'group', what: 'Session in sessions' });
  expect(comparison.holders[0]).toEqual({
    what: 'sessions',
    before: 30 * mib,
    after: 147 * mib,
  });
  expect(comparison.peakRssBytes).toMatchObject({ before: 60 * mib, after: 180 * mib });
  const text = renderComparison(comparison, {
    columns: 80,
    color: false,
    unicode: false,
    hyperlinks: false,
  });
  expect(text).toContain('What grew most: the objects Session in sessions, by 117 MiB');
  for (const row of text.split('\n')) expect(row.length).toBeLessThanOrEqual(80);
});

test('folders, counts and the numbers of moved lines do not tell two things apart', () => {
  const { lines, holders } = compareRuns(
    look('a', {
      allocations: [line('grow.py', 6, 1, { text: 'rows.append(row)' }), line('grow.py', 9, 3)],
      holders: [holder('rows', 1, { path: 'rows -> list[10]', file: 'grow.py' })],
    }),
    look('b', {
      allocations: [
        line('/x/grow.py', 7, 50, { text: 'rows.append(row)' }),
        line('/x/grow.py', 9, 4),
      ],
      holders: [holder('rows', 50, { path: 'rows -> list[99999]', file: '/x/grow.py' })],
    }),
  );
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({
    what: 'grow.py:6 in load',
    now: 'grow.py:7 in load',
    before: mib,
    after: 50 * mib,
  });
  expect(holders).toHaveLength(1);
});

test('cells of two kernels, and types of two Pythons', () => {
  const { lines, types } = compareRuns(
    look('a', {
      allocations: [line('/tmp/ipykernel_19351/29631374.py', 6, 1)],
      types: [{ type: 'unicode', count: 1, bytes: 5 }],
    }),
    look('b', {
      allocations: [line('/tmp/ipykernel_777/29631374.py', 6, 9)],
      types: [{ type: 'str', count: 1, bytes: 9 }],
    }),
  );
  expect(lines).toEqual([
    { what: 'notebook cell 29631374:6 in load', before: mib, after: 9 * mib },
  ]);
  expect(types).toEqual([{ what: 'unicode', before: 5, after: 9, now: 'str' }]);
});

test('what one of them did not see is not 0', () => {
  const { holders, culprit } = compareRuns(
    look('a', { holders: [holder('old', 5)] }),
    look('b', { holders: [holder('new', 90, { path: 'new -> bytes' })] }),
  );
  expect(holders).toEqual([
    { what: 'new', before: null, after: 90 * mib },
    { what: 'old', before: 5 * mib, after: null },
  ]);
  expect(culprit).toMatchObject({ what: 'new', before: null });
});

test('of two lines with one text neither is taken for the other', () => {
  const twice = (file: string, bytes: number) => [
    line(file, 3, bytes, { text: 'x = [0]' }),
    line(file, 8, bytes, { text: 'x = [0]' }),
  ];
  const { lines } = compareRuns(
    look('a', { allocations: twice('a.py', 1) }),
    look('b', { allocations: [line('a.py', 4, 7, { text: 'x = [0]', function: 'other' })] }),
  );
  expect(lines.every(({ before, after }) => before === null || after === null)).toBe(true);
});

test('what grew stands before what shrank more, and a group that was small before has its figure', () => {
  const rows = (bytes: number) => holder('rows', bytes, { path: 'rows -> list[9] -> Row' });
  const { holders, groups, culprit } = compareRuns(
    look('a', { holders: [holder('cache', 90), rows(5)], accounted: accounted(100) }),
    look('b', { holders: [rows(40)], accounted: accounted(50) }),
  );
  expect(holders.map(({ what }) => what)).toEqual(['rows', 'cache']);
  expect(groups[0]).toEqual({ what: 'Row in rows', before: 5 * mib, after: 40 * mib });
  expect(culprit).toMatchObject({ of: 'group', what: 'Row in rows' });
});

test('where all is as it was, nothing is the culprit', () => {
  const { culprit } = compareRuns(
    look('a', { holders: [holder('rows', 57)], accounted: accounted(180) }),
    look('b', { holders: [holder('rows', 63)], accounted: accounted(180) }),
  );
  expect(culprit).toBeNull();
});

test('a version in a file of its own is compared line by line', () => {
  const { lines } = compareRuns(
    look('a', {
      allocations: [
        line('old.py', 21, 90, { function: '<listcomp>', text: 'return [row for row in file]' }),
        line('old.py', 27, 40, { function: 'join', text: 'joined.append(row)' }),
        line('old.py', 2, 1, { function: '<module>', text: 'import csv' }),
      ],
    }),
    look('b', {
      allocations: [
        line('new.py', 22, 95, { function: '<listcomp>', text: 'return [row for row in file]' }),
        line('new.py', 28, 99, { function: 'join', text: 'joined.append(dict(row))' }),
      ],
    }),
  );
  expect(lines).toEqual([
    { what: 'old.py:27 in join', before: 40 * mib, after: 99 * mib, now: 'new.py:28 in join' },
    {
      what: 'old.py:21 in <listcomp>',
      before: 90 * mib,
      after: 95 * mib,
      now: 'new.py:22 in <listcomp>',
    },
    { what: 'old.py:2 in <module>', before: mib, after: null },
  ]);
});
