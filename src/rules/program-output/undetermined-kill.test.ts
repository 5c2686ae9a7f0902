import { expect, test } from 'vitest';
import type { DeathNotice } from '../../model/evidence.ts';
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

test('two hints are two witnesses by their ids, not by their words', () => {
  const notice = (line: number, hints: Pick<DeathNotice, 'hints' | 'hintIds'>): DeathNotice => ({
    kind: 'death-notice',
    origin: { source: 'shell-notices', place: `out:${line}`, line },
    reporter: 'shell',
    signal: 'SIGKILL',
    ...hints,
  });
  const confidence = (...notices: readonly DeathNotice[]) =>
    undeterminedKill.judge(notices, { sources: [] }).map((finding) => finding.confidence);
  const ranOut = notice(1, { hints: ['it ran out'], hintIds: ['memory-ran-out'] });
  expect(
    confidence(ranOut, notice(2, { hints: ['told anew'], hintIds: ['memory-ran-out'] })),
  ).toEqual(['weak']);
  expect(
    confidence(ranOut, notice(2, { hints: ['it ran out'], hintIds: ['memory-named'] })),
  ).toEqual(['likely']);
});
