import { expect, test } from 'vitest';
import { nothingKnown, type Incident, type SourceReport } from '../model/report.ts';
import { withMemory } from './memory.ts';

const incident: Incident = {
  ...nothingKnown,
  outOfMemory: true,
  death: 'assassination',
  cause: 'kernel-cgroup-oom',
  confidence: 'certain',
  victim: { pid: 7, name: 'python3' },
};
const missed = (pid: number): SourceReport => ({
  id: 'last-look',
  place: `/proc/${pid}/mem`,
  status: 'absent',
  detail: 'no room for a look',
  command: 'coroner run --memory-limit 90% COMMAND',
});
const unknownOf = (sources: readonly SourceReport[], one = incident) =>
  withMemory(one, [], undefined, sources).unknown;

test('a look that was not taken is said of the process that died, with what would have told', () => {
  expect(unknownOf([missed(7)])).toContainEqual({
    id: 'which-variables',
    what: 'which variables held the memory, and which lines ran',
    why: 'no room for a look',
    command: 'coroner run --memory-limit 90% COMMAND',
  });
});

test("another process's missed look is not this one's", () => {
  expect(unknownOf([missed(8)])).toEqual([]);
});

test('where memory was not the matter, nobody asks who held it', () => {
  expect(unknownOf([missed(7)], { ...incident, outOfMemory: false })).toEqual([]);
});

test('where the lines are known from elsewhere, only the variables are not', () => {
  const stack = [{ function: 'load', file: 'app.py', line: 3 }];
  expect(unknownOf([missed(7)], { ...incident, stack })[0]!.what).toBe(
    'which variables held the memory',
  );
});
