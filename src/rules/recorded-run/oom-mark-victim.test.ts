import { expect, test } from 'vitest';
import type { Evidence } from '../../model/evidence.ts';
import { cgroupCounters, hostCounters, processExit } from '../../../test/evidence.ts';
import { oomMarkVictim } from './oom-mark-victim.ts';

const exit = processExit({
  cgroup: '/job',
  markedVictim: {
    place: 'agent/trace.log:3',
    quote: 'mark_victim: pid=42',
    anonRssBytes: 90 * 2 ** 20,
    totalVmBytes: 200 * 2 ** 20,
  },
});
const counters = cgroupCounters();
const host = (minAvailableBytes: number) => hostCounters({ minAvailableBytes });
const judge = (...evidence: readonly Evidence[]) => oomMarkVictim.judge(evidence, { sources: [] });

test('a mark and a cgroup at its limit: certain, with what it held', () => {
  expect(judge(exit, counters, host(4 * 2 ** 30))).toMatchObject([
    {
      cause: 'kernel-cgroup-oom',
      confidence: 'certain',
      victim: { pid: 42, anonRssBytes: 90 * 2 ** 20, totalVmBytes: 200 * 2 ** 20 },
      limit: { owner: 'cgroup', path: '/job', bytes: 100 * 2 ** 20 },
    },
  ]);
});

test('a mark alone: by the kernel, but whose limit it was stays open', () => {
  expect(judge(exit, host(4 * 2 ** 30))).toMatchObject([
    { cause: 'kernel-cgroup-oom', confidence: 'strong', limit: { owner: 'cgroup', bytes: null } },
  ]);
  expect(judge(exit, host(2 ** 20))).toMatchObject([
    { cause: 'kernel-global-oom', confidence: 'strong', limit: { owner: 'host' } },
  ]);
  expect(judge(exit, counters, host(2 ** 20))).toMatchObject([{ confidence: 'strong' }]);
});

test('without a mark, or ended otherwise, it says nothing', () => {
  const { markedVictim: mark, ...unmarked } = exit;
  expect(mark).toBeDefined();
  expect(judge(unmarked, counters)).toEqual([]);
  expect(judge({ ...exit, signal: null, exitCode: 0 }, counters)).toEqual([]);
});
