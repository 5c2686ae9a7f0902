import { expect, test } from 'vitest';
import type { DeathNotice, ProgramAbort } from '../../model/evidence.ts';
import { allocFailureAbort } from './alloc-failure-abort.ts';

const origin = { source: 'native-abort', place: 'stderr:1', line: 1, quote: 'out of memory' };
const abort: ProgramAbort = {
  kind: 'program-abort',
  origin,
  reporter: 'PyPy',
  resource: 'memory',
  message: 'out of memory',
  pid: 7,
  stack: [],
};
const dump = (line: number, pid?: number): DeathNotice => ({
  kind: 'death-notice',
  origin: { ...origin, source: 'faulthandler' },
  reporter: 'faulthandler',
  signal: 'SIGABRT',
  stack: [{ function: 'load', file: '/srv/app/grow.py', line }],
  ...(pid === undefined ? {} : { pid }),
});
const stackOf = (...dumps: readonly DeathNotice[]) =>
  allocFailureAbort.judge([abort, ...dumps], { sources: [] })[0]?.stack;

test('words without a stack get the one that faulthandler wrote for this process', () => {
  expect(stackOf(dump(2, 7))?.[0]).toMatchObject({ function: 'load', line: 2 });
  expect(stackOf(dump(2))?.[0]).toMatchObject({ line: 2 });
});
test('not that of another process, nor one of several', () => {
  expect(stackOf(dump(2, 8))).toBeUndefined();
  expect(stackOf(dump(2), dump(3))).toBeUndefined();
  expect(stackOf()).toBeUndefined();
});
test('a stack of its own stays', () => {
  const own = { ...abort, stack: [{ function: 'own', file: null, line: null }] };
  const [finding] = allocFailureAbort.judge([own, dump(2, 7)], { sources: [] });
  expect(finding?.stack?.[0]?.function).toBe('own');
});
