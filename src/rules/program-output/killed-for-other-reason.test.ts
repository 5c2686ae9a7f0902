import { expect, test } from 'vitest';
import type { DeathNotice } from '../../model/evidence.ts';
import { killedForOtherReason } from './killed-for-other-reason.ts';

const notice = (line: number, more: Partial<DeathNotice> = {}): DeathNotice => ({
  kind: 'death-notice',
  origin: { source: 'pool-workers', place: `log:${line}`, line },
  reporter: 'pool',
  signal: 'SIGBUS',
  otherReason: 'a reason in words',
  ...more,
});
const judged = (...notices: readonly DeathNotice[]) =>
  killedForOtherReason.judge(notices, { sources: [] });

test('that shared memory was short is a field, not a word', () => {
  expect(judged(notice(1, { resource: 'shm' }))).toMatchObject([
    { cause: 'shm-exhausted', remedies: [{ id: 'more-shared-memory' }] },
  ]);
  expect(judged(notice(1, { otherReason: 'shared memory' }))).toMatchObject([
    { cause: 'not-memory', remedies: [{ id: 'look-at-what-it-did' }] },
  ]);
});

test('one reporter tells of one death twice, in other words', () => {
  expect(judged(notice(1), notice(2, { otherReason: 'the same reason, told anew' }))).toHaveLength(
    1,
  );
  expect(judged(notice(1), notice(2, { reporter: 'another' }))).toHaveLength(2);
  expect(judged(notice(1), notice(2, { resource: 'shm' }))).toHaveLength(2);
});
