import { expect, test } from 'vitest';
import type { Evidence, ProcessExit } from '../../model/evidence.ts';
import { cgroupCounters, processExit } from '../../../test/evidence.ts';
import { oomKillCounter } from './oom-kill-counter.ts';

const wrapper = processExit({
  when: { wall: '2026-11-29T04:39:53.010Z' },
  pid: 41,
  name: 'timeout',
  cgroup: '/job',
  peakRssBytes: 2 * 2 ** 20,
});
const child: ProcessExit = {
  ...wrapper,
  origin: { source: 'proc', place: 'events.ndjson:8', line: 8 },
  when: { wall: '2026-11-29T04:39:53.000Z' },
  pid: 42,
  name: 'python3',
  role: 'descendant',
  signal: null,
  peakRssBytes: 90 * 2 ** 20,
  parentAfterwards: 'ended',
  parent: { pid: 41, name: 'timeout' },
};
const counters = cgroupCounters({ localOomKills: 1 });
const victims = (...evidence: readonly Evidence[]) =>
  oomKillCounter
    .judge(evidence, { sources: [] })
    .map(({ victim, confidence }) => [victim?.name, confidence]);

test('a wrapper that ends itself with the signal of its command was not killed', () => {
  expect(victims(wrapper, child, counters)).toEqual([['python3', 'likely']]);
  expect(victims(wrapper, { ...child, signal: 'SIGKILL' }, counters)).toEqual([
    ['python3', 'strong'],
  ]);
});

test.each([
  ['alone', [wrapper]],
  ['whose command had exited by itself', [wrapper, { ...child, exitCode: 1 }]],
  [
    'whose command ended another day',
    [wrapper, { ...child, when: { wall: '2026-11-28T04:39:53.000Z' } }],
  ],
  ['larger than what it started', [{ ...wrapper, peakRssBytes: 80 * 2 ** 20 }, child]],
  ['that is not its parent', [wrapper, { ...child, parent: { pid: 7, name: 'sh' } }]],
] as const)('one %s was', (_, exits) => {
  expect(victims(...exits, counters)).toContainEqual(['timeout', 'strong']);
});
