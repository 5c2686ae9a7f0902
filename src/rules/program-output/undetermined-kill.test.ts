import { expect, test } from 'vitest';
import type { DeathNotice, MetricsWindow } from '../../model/evidence.ts';
import { diagnose } from '../../diagnose/diagnose.ts';
import { gatherText } from '../../gather/text.ts';
import { undeterminedKill } from './undetermined-kill.ts';

const kill = (pid: number, cgroup: string): string =>
  [
    `[  100.000000] python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`,
    `[  100.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=${cgroup},task_memcg=${cgroup},task=python3,pid=${pid},uid=0`,
    `[  100.000002] Memory cgroup out of memory: Killed process ${pid} (python3) total-vm:200000kB, anon-rss:100000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:200kB oom_score_adj:0`,
  ].join('\n');
const shellSaw = (pid: number): string =>
  `bash: line 1: ${pid} Killed                  python3 app.py`;
const said = (text: string) =>
  diagnose(gatherText('input', text)).incidents.map(({ cause, victim }) => ({
    cause,
    pid: victim?.pid,
  }));

test('a shell names the pid that the kernel killed: one death', () => {
  expect(said(`${kill(4711, '/web')}\n${shellSaw(4711)}\n`)).toEqual([
    { cause: 'kernel-cgroup-oom', pid: 4711 },
  ]);
});
test('a shell names another pid than the kernel: another death, of which nothing is known', () => {
  const both = said(`${kill(4711, '/web')}\n${shellSaw(815)}\n`);
  expect(both).toContainEqual({ cause: 'kernel-cgroup-oom', pid: 4711 });
  expect(both).toContainEqual({ cause: 'undetermined', pid: 815 });
});
test('in a container the shell knows it by another pid: one death', () => {
  const container = `/docker/${'0123456789abcdef'.repeat(4)}`;
  expect(said(`${kill(4711, container)}\n${shellSaw(15)}\n`)).toEqual([
    { cause: 'kernel-cgroup-oom', pid: 4711 },
  ]);
});

const notice = (line: number, more: Partial<DeathNotice> = {}): DeathNotice => ({
  kind: 'death-notice',
  origin: { source: 'shell-notices', place: `out:${line}`, line },
  reporter: 'shell',
  signal: 'SIGKILL',
  ...more,
});
const metrics = (more: Partial<MetricsWindow>): MetricsWindow => ({
  kind: 'metrics',
  origin: { source: 'metrics', place: 'out:9', line: 9 },
  tool: 'cgroup files',
  samples: 1,
  reading: 'full',
  message: 'figures',
  ...more,
});
const judged = (...facts: readonly (DeathNotice | MetricsWindow)[]) =>
  undeterminedKill.judge(facts, { sources: [] })[0];

test.each([
  ['a word on memory', { hints: ['it ran out'], hintIds: ['memory-ran-out'] }],
  ['two of them', { hints: ['a', 'b'], hintIds: ['memory-ran-out', 'memory-named'] }],
  ["the reporter's guess", { guessesMemory: true }],
] as const)('%s near a SIGKILL proves nothing', (_, more) => {
  expect(judged(notice(1, more))).toMatchObject({ outOfMemory: null, confidence: 'weak' });
});

test('memory that was measured full makes it likely, unless the counter of kills stands at 0', () => {
  expect(judged(notice(1), metrics({}))).toMatchObject({ outOfMemory: true, confidence: 'likely' });
  expect(judged(notice(1), metrics({}), metrics({ oomKills: 0, reading: 'calm' }))).toMatchObject({
    outOfMemory: null,
    against: [{ says: 'figures' }],
  });
});

test('figures far below the limit speak against memory', () => {
  const far = metrics({ reading: 'calm', usedBytes: 31, limitBytes: 512 });
  expect(judged(notice(1), far)?.against).toHaveLength(1);
});

test('where no signal is told, none is invented', () => {
  const lost = judged(notice(1, { signal: undefined as never, vanished: true }));
  expect(`${lost?.headline}`).not.toContain('SIG');
});

test.each([
  ['aws-lambda', null],
  ['launchd', expect.stringContaining('log show')],
  ['shell', expect.stringContaining('journalctl')],
])('%s: the command that finds the witness', (reporter, command) => {
  expect(judged(notice(1, { reporter }))?.unknown?.[0]?.command).toEqual(command);
});
