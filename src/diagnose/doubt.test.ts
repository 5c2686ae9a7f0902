import { expect, test } from 'vitest';
import type { Doubt } from '../model/doubt.ts';
import type { Finding } from '../model/finding.ts';
import { doubted } from './doubt.ts';

const finding = (doubt?: Doubt): Finding => ({
  subject: { position: 1 },
  cause: 'kernel-cgroup-oom',
  confidence: 'certain',
  headline: 'The kernel killed it',
  because: [
    { says: 'it was ended', source: 'wait-status', place: 'events.ndjson:9' },
    { says: 'killed', source: 'kernel-log', place: 'kernel.log:1', ...(doubt ? { doubt } : {}) },
  ],
});

test.each([
  ['shared', 'likely'],
  ['quoted', 'likely'],
  ['folder', 'strong'],
] as const)('%s words: %s at most, and the report says why', (doubt, confidence) => {
  const judged = doubted(finding(doubt));
  expect(judged.confidence).toBe(confidence);
  expect(judged.against).toMatchObject([{ doubt, place: 'kernel.log:1' }]);
});

test('undoubted words: nothing changes', () => {
  expect(doubted(finding())).toEqual(finding());
});

test('what was less sure stays less sure', () => {
  expect(doubted({ ...finding('folder'), confidence: 'weak' }).confidence).toBe('weak');
});

test("the kernel's own record is not doubted for what a shell adds to it in a shared file", () => {
  const kernel = { says: 'killed', source: 'kernel-log', place: '/dev/kmsg:1' };
  const shell = {
    says: 'Killed',
    source: 'shell-notices',
    place: 'stderr.tail:1',
    doubt: 'shared' as const,
  };
  for (const because of [
    [kernel, shell],
    [shell, kernel],
  ]) {
    const judged = doubted({ ...finding(), because });
    expect(judged).toEqual({ ...finding(), because });
  }
});
