import { expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import type { Evidence, ProgramError } from '../../model/evidence.ts';
import { failedAllocation, processExit } from '../../../test/evidence.ts';

const wall = '2026-01-31T12:00:00.000Z';
const ended = processExit({ when: { wall }, signal: null, exitCode: 0 });
const error = (more: Partial<ProgramError> = {}): ProgramError => ({
  kind: 'program-error',
  origin: { source: 'python-hook', place: 'python/42.ndjson:1', line: 1 },
  when: { wall },
  language: 'python',
  type: 'MemoryError',
  message: '',
  resource: 'memory',
  stack: [{ function: 'load', file: '/home/me/app.py', line: 7 }],
  fate: 'uncaught',
  pid: 42,
  headed: true,
  ...more,
});
const incidentsOf = (...evidence: readonly Evidence[]) =>
  diagnose({ evidence, sources: [] }).incidents;
const survived = { outOfMemory: false, death: 'none', variant: 'survived', commandEndedWell: true };

test.each<readonly [string, Partial<ProgramError>]>([
  ['caught and printed', { fate: 'unknown' }],
  ['printed by an interactive Python', { fate: 'uncaught' }],
  ['of a thread', { fate: 'thread', threadName: 'T1' }],
  ['swallowed by __del__', { fate: 'ignored' }],
])('a MemoryError %s, and status 0: no death', (_, how) => {
  const incidents = incidentsOf(ended, error(how), failedAllocation(wall, 2 ** 50));
  expect(incidents).toMatchObject([{ ...survived, request: { bytes: 2 ** 50 } }]);
});

test('the headline says that the command ended well, in which thread it was refused, and how much', () => {
  const [incident] = incidentsOf(
    ended,
    error({ fate: 'thread', threadName: 'T1' }),
    failedAllocation(wall, 2 ** 50),
  );
  expect(incident?.headline).toBe(
    'The command ended well. python3 (pid 42) was refused 1 PiB in thread T1 at load (app.py:7)',
  );
});

test('raised by hand, and nobody saw a refusal: none is claimed', () => {
  const [incident] = incidentsOf(ended, error({ fate: 'thread' }));
  expect(incident).toMatchObject(survived);
  expect(incident?.headline).not.toContain('refused');
});

test('a child that died of it is a death, beside a command that ended well', () => {
  const [incident] = incidentsOf(
    ended,
    processExit({ when: { wall }, pid: 43, role: 'descendant', signal: null, exitCode: 1 }),
    error({ pid: 43 }),
    failedAllocation(wall, 2 ** 50, { pid: 43 }),
  );
  expect(incident).toMatchObject({
    outOfMemory: true,
    victim: { pid: 43 },
    commandEndedWell: true,
    request: { bytes: 2 ** 50 },
  });
  expect(incident?.headline).toMatch(/^The command ended well. /);
});

test('a child that nobody saw, with a command that ended well', () => {
  const [incident] = incidentsOf(
    ended,
    error({ pid: 43 }),
    failedAllocation(wall, 2 ** 50, { pid: 43 }),
  );
  expect(incident).toMatchObject({ outOfMemory: true, commandEndedWell: true });
});

test('words on the stderr of a command that ended well, of whichever process: cannot be told', () => {
  const { pid: _, ...nameless } = error({ fate: 'unknown' });
  const origin = { source: 'python-traceback', place: 'stderr.tail:1', ofRun: true } as const;
  expect(incidentsOf(ended, { ...nameless, origin })).toMatchObject([
    { outOfMemory: null, confidence: 'likely', commandEndedWell: true },
  ]);
});

test('the same of a command that failed is a death', () => {
  const failed = processExit({ when: { wall }, signal: null, exitCode: 1 });
  const [incident] = incidentsOf(failed, error(), failedAllocation(wall, 2 ** 50));
  expect(incident).toMatchObject({ outOfMemory: true });
  expect(incident).not.toHaveProperty('commandEndedWell');
});
