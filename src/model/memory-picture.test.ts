import { expect, test } from 'vitest';
import {
  coarseParts,
  heaviestLine,
  isSum,
  unexplainedPart,
  weighedStacks,
} from './memory-picture.ts';
import type { Allocation } from './report.ts';

const stack = [{ function: 'load', file: '/srv/app.py', line: 7 }];
const allocation: Allocation = {
  when: 'peak',
  file: '/srv/app.py',
  line: 7,
  function: 'load',
  bytes: 100,
  share: 1,
  plusMinus: 0,
  stack,
};

test('what no path accounts for is the line’s own stack; a line without any is its own frame', () => {
  const other = [...stack, { function: 'main', file: '/srv/app.py', line: 9 }];
  expect(weighedStacks({ ...allocation, paths: [{ bytes: 60, stack: other }] })).toEqual([
    { bytes: 60, stack: other },
    { bytes: 40, stack },
  ]);
  expect(weighedStacks({ ...allocation, paths: [{ bytes: 100, stack: other }] })).toEqual([
    { bytes: 100, stack: other },
  ]);
  expect(weighedStacks({ ...allocation, function: null, stack: [] })).toEqual([
    { bytes: 100, stack: [{ function: 'unknown', file: '/srv/app.py', line: 7 }] },
  ]);
});

test('a sum has no file and a name in brackets', () => {
  expect(isSum({ file: null, function: '(Python itself and its start-up)' })).toBe(true);
  expect(isSum({ file: null, function: 'malloc' })).toBe(false);
  expect(isSum({ file: '/srv/app.py', function: '(lambda)' })).toBe(false);
  expect(isSum({ file: null, function: null })).toBe(false);
});

test('estimates that add up to more than there was are told as such, and never negative', () => {
  const accounted = { rssBytes: 10, pythonBytes: 8, nativeBytes: 5, unexplainedBytes: -3 };
  expect(unexplainedPart(accounted)).toEqual({ what: 'estimated too high', bytes: 3 });
  expect(unexplainedPart({ ...accounted, unexplainedBytes: 3 })).toEqual({
    what: 'not explained',
    bytes: 3,
  });
  expect(coarseParts(accounted).map(({ bytes }) => bytes)).toEqual([8, 5]);
});

test('the heaviest line is no sum, however large the sum is', () => {
  const sum = { ...allocation, file: null, line: null, function: '(start-up)', bytes: 900 };
  const heavier = { ...allocation, line: 8, bytes: 200 };
  expect(heaviestLine({ allocations: [allocation, sum, heavier] })).toBe(heavier);
  expect(heaviestLine({ allocations: [sum] })).toBeUndefined();
  expect(heaviestLine({})).toBeUndefined();
});
