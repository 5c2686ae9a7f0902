import { expect, test } from 'vitest';
import type { CgroupCounters, KernelOomKill, ProcessExit } from '../../model/evidence.ts';
import { cgroupCounters, hostCounters, processExit } from '../../../test/evidence.ts';
import { oomKillCounter } from '../recorded-run/oom-kill-counter.ts';
import { unattributedSigkill } from '../recorded-run/unattributed-sigkill.ts';
import { oomBudget } from './oom-budget.ts';

const at = (seconds: number): string =>
  new Date(Date.UTC(2026, 0, 31, 12, 0, seconds)).toISOString();
const mib = 2 ** 20;
const death = (pid: number, seconds: number, more: Partial<ProcessExit> = {}): ProcessExit =>
  processExit({
    pid,
    role: pid === 41 ? 'command' : 'descendant',
    cgroup: '/job',
    when: { wall: at(seconds) },
    peakRssBytes: 90 * mib,
    ...more,
  });
const vanished = { signal: null, exitCode: null } as const;
/** One kill, counted between the readings at 1 and 2 s. */
const counters = (more: Partial<CgroupCounters> = {}) =>
  cgroupCounters({
    localOomKills: 1,
    killTimes: [{ from: at(1), until: at(2), kills: 1 }],
    ...more,
  });
const explained = (exits: readonly ProcessExit[], count = counters()) =>
  [
    ...oomBudget({ 'process-exit': exits, 'cgroup-counters': [count], 'kernel-oom-kill': [] })
      .deaths,
  ].map(([{ pid }, { sure }]) => [pid, sure]);

test('a death in the moment of the kill is explained', () => {
  expect(explained([death(41, 2)])).toEqual([[41, true]]);
});

test.each([
  ['a child that was killed', {}],
  ['a child whose end nobody saw', vanished],
])('%s, and later a SIGKILL by hand to the parent: the kill is spent', (_, how) => {
  const exits = [death(42, 2, how), death(41, 7, { peakRssBytes: 14 * mib })];
  expect(explained(exits).some(([pid]) => pid === 41)).toBe(false);
  const evidence = [...exits, counters(), hostCounters({ oomKills: 1 })];
  const blamed = oomKillCounter.judge(evidence, { sources: [] }).map(({ subject }) => subject.pid);
  expect(blamed).not.toContain(41);
  expect(unattributedSigkill.judge(evidence, { sources: [] })).toMatchObject([
    { subject: { pid: 41 }, cause: 'not-memory' },
  ]);
});

test('a SIGKILL before the kill was counted is another one', () => {
  expect(explained([death(41, 0)])).toEqual([]);
});

test('a SIGKILL a minute after the kill is another one, also where the victim was never seen', () => {
  expect(explained([death(41, 62)])).toEqual([]);
});

test('a huge process takes its time to go; a small one that does is less sure', () => {
  expect(explained([death(41, 5, { peakRssBytes: 4 * 2 ** 30 })])).toEqual([[41, true]]);
  expect(explained([death(41, 5)])).toEqual([[41, false]]);
});

test('two deaths in one moment and one kill: nobody can tell which', () => {
  expect(explained([death(42, 2), death(43, 2)])).toEqual([[42, false]]);
});

test('two kills explain two deaths', () => {
  const two = counters({
    localOomKills: 2,
    killTimes: [
      { from: at(1), until: at(2), kills: 1 },
      { from: at(5), until: at(6), kills: 1 },
    ],
  });
  expect(explained([death(42, 2), death(43, 6)], two)).toEqual([
    [42, true],
    [43, true],
  ]);
});

test('readings without times: as many deaths as kills', () => {
  const { killTimes: _, ...untimed } = counters();
  expect(explained([death(42, 2), death(41, 7)], untimed)).toHaveLength(1);
});

const named = (pid: number, seconds: number): KernelOomKill => ({
  kind: 'kernel-oom-kill',
  origin: { source: 'kernel-log', place: 'kernel.log:1' },
  when: { wall: at(seconds) },
  victim: { pid, name: 'python3' },
  constraint: 'memcg',
  report: null,
  taskMemcg: '/job',
});
const withLog = (kill: KernelOomKill, exit: ProcessExit) =>
  oomBudget({
    'process-exit': [exit],
    'cgroup-counters': [counters()],
    'kernel-oom-kill': [kill],
  }).deaths.size;

test('the log names a victim that nobody saw: its kill explains no later death', () => {
  expect(withLog(named(99, 2), death(41, 4))).toBe(0);
});

test('the log names a pid of another namespace in the moment of the death: it may be the same', () => {
  expect(withLog(named(99, 2), death(41, 2))).toBe(1);
});
