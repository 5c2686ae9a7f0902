import { expect, test } from 'vitest';
import type { Finding } from '../model/finding.ts';
import { joinOpinions } from './join.ts';

const crash = (place: string, bootId: string): Finding => ({
  subject: {
    pid: 238,
    when: { wall: '2026-11-25T01:35:41.000Z', bootId },
    position: 1,
  },
  cause: 'alloc-failure-segfault',
  confidence: 'likely',
  headline: 'python3 (pid 238) crashed',
  because: [{ says: 'it crashed', source: 'systemd-coredump', place }],
});
const deaths = (...bootIds: readonly string[]): number =>
  joinOpinions(
    bootIds.map((bootId, index) => ({
      rule: `rule-${index}`,
      finding: crash(`source-${index}:1`, bootId),
    })),
  ).length;

test('a boot has one id, with hyphens in /proc and without in the journal', () => {
  expect(deaths('e7fb9dfd-4a1b-4c67-a3bf-76effca4b8db', 'e7fb9dfd4a1b4c67a3bf76effca4b8db')).toBe(
    1,
  );
});

test('the same pid in another boot is another death', () => {
  expect(deaths('e7fb9dfd-4a1b-4c67-a3bf-76effca4b8db', 'f7fb9dfd4a1b4c67a3bf76effca4b8db')).toBe(
    2,
  );
});

/** A death without a pid, told in two files. */
const told = (file: string, more: Partial<Finding> = {}) => ({
  rule: 'one-rule',
  finding: {
    subject: { name: 'worker', position: 1 },
    cause: 'alloc-failure-exception',
    confidence: 'strong',
    headline: `words of ${file}`,
    because: [{ says: `words of ${file}`, source: 'python-traceback', place: `${file}:1` }],
    request: { bytes: 4096 },
    stack: [{ function: 'load', file: 'app.py', line: 7 }],
    ...more,
  } satisfies Finding,
});
const apart = (more: Partial<Finding>): number =>
  joinOpinions([told('kern.log'), told('syslog', more)]).length;

test('one record in two files is one death, whatever its sentences are', () => {
  expect(apart({})).toBe(1);
});

test.each<[string, Partial<Finding>]>([
  ['another request', { request: { bytes: 8192 } }],
  ['another line', { stack: [{ function: 'load', file: 'app.py', line: 8 }] }],
  ['another limit', { limit: { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 1 } }],
  ['another variant', { variant: 'fork' }],
  ['another name', { subject: { name: 'server', position: 1 } }],
])('%s is another death, with the same sentence too', (_, more) => {
  expect(apart({ headline: 'words of kern.log', ...more })).toBe(2);
});

const kill = (cgroup: string, more: object): Finding => ({
  subject: { cgroup, position: 1, ...more },
  cause: 'kernel-cgroup-oom',
  confidence: 'strong',
  headline: `killed in ${cgroup}`,
  because: [{ says: 'it was killed', source: 'kernel-log', place: 'kernel.log:1' }],
});

test.each([
  ['/job1', '/job10', 2],
  ['/job10', '/job1', 2],
  ['/job1', '/job1/', 1],
  ['/job1', '/job1/a', 1],
  ['/job1/a', '/job1', 1],
  ['/job1', '/', 1],
  ['/docker/0a1b', '/docker/0a1b2c', 2],
])('a kill in %s and one told of %s are %d', (of, told, expected) => {
  const opinions = [
    { rule: 'kernel-oom-kill', finding: kill(of, { pid: 7 }) },
    {
      rule: 'standing-cgroup',
      finding: { ...kill(told, {}), confidence: 'likely' as const },
    },
  ];
  expect(joinOpinions(opinions)).toHaveLength(expected);
});
