// What other readers of kernel logs are known to miss or to misread.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { gatherText } from '../src/gather/text.ts';
import { mib } from '../src/model/units.ts';
import { root } from './fixtures.ts';

const kernelLog = (name: string) =>
  readFileSync(join(root, 'fixtures/kernel-log', name, 'input.log'), 'utf8');
const incidentsOf = (text: string) => diagnose(gatherText('log', text)).incidents;

describe('blind spots of others', () => {
  test('the table of kernels from 6.8 on has three more columns', () => {
    const [incident] = incidentsOf(kernelLog('kernel-6.8-table'));
    expect(incident?.tasks?.[0]).toMatchObject({
      pid: 19000,
      name: 'python3',
      anonRssBytes: mib(252),
      fileRssBytes: mib(2),
      shmemRssBytes: 0,
      swapBytes: 0,
      oomScoreAdj: 0,
    });
  });

  test('a storm of 25 kills with 9 reports is 25 deaths', () => {
    const incidents = incidentsOf(kernelLog('storm-25-kills'));
    expect(incidents).toHaveLength(25);
    expect(new Set(incidents.map(({ victim }) => victim?.pid)).size).toBe(25);
    for (const { cause, confidence, limit } of incidents) {
      expect([cause, confidence]).toEqual(['kernel-cgroup-oom', 'certain']);
      expect(limit?.path).toBe('/oomfacts');
    }
  });

  test('a report without its end names its cgroup and no victim', () => {
    const [incident, ...others] = incidentsOf(kernelLog('head-only'));
    expect(others).toEqual([]);
    expect(incident).toMatchObject({
      outOfMemory: true,
      cause: 'kernel-cgroup-oom',
      confidence: 'strong',
      victim: null,
      limit: { path: '/job', bytes: mib(256) },
    });
    expect(incident?.unknown[0]?.what).toBe('Which process was killed');
  });

  test('a report without its head names its victim and no size of the limit', () => {
    const [incident, ...others] = incidentsOf(kernelLog('tail-only'));
    expect(others).toEqual([]);
    expect(incident).toMatchObject({
      confidence: 'certain',
      victim: { pid: 4711, name: 'python3', cgroup: '/job/worker' },
      limit: { path: '/job', bytes: null },
    });
  });

  test('memory held by tmpfs has no process as its culprit', () => {
    const [incident] = incidentsOf(kernelLog('memcg-v1-tmpfs'));
    expect(incident?.culprit).toMatchObject({ what: 'tmpfs', bytes: 92_237_824 });
    expect(incident?.victim?.anonRssBytes).toBe(7808 * 1024);
  });

  test("the limit is the ancestor's, not that of the victim's own cgroup", () => {
    const [incident] = incidentsOf(kernelLog('kernel-5.15-ancestor'));
    expect(incident?.limit?.path).toBe('/kubepods.slice/kubepods-pod1.slice');
    expect(incident?.victim?.cgroup).toBe(
      '/kubepods.slice/kubepods-pod1.slice/cri-containerd-ab12.scope',
    );
  });

  test('a worker with the pid of its container is the process that the kernel killed', () => {
    const incidents = incidentsOf(
      [
        '[ 100.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-ab12,mems_allowed=0,oom_memcg=/docker/ab12,task_memcg=/docker/ab12,task=python,pid=3178,uid=0',
        '[ 100.000002] Memory cgroup out of memory: Killed process 3178 (python) total-vm:900000kB, anon-rss:800000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1700kB oom_score_adj:0',
        '',
        'distributed.nanny - INFO - Worker process 150 was killed by signal 9',
      ].join('\n'),
    );
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({ confidence: 'certain', victim: { pid: 3178 } });
    expect(incidents[0]?.because.some(({ quote }) => quote?.includes('150'))).toBe(true);
  });

  test('"Perhaps out of memory?" behind a timeout of gunicorn is no memory death', () => {
    const incidents = incidentsOf(
      [
        '[2026-01-31 12:00:10 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:21)',
        '[2026-01-31 12:00:11 +0000] [7] [ERROR] Worker (pid:21) was sent SIGKILL! Perhaps out of memory?',
      ].join('\n'),
    );
    expect(incidents.filter(({ outOfMemory }) => outOfMemory === true)).toEqual([]);
    expect(incidents).toHaveLength(1);
  });

  test("Docker's OOMKilled flag is sticky and says nothing about this very end", () => {
    const state = { Status: 'exited', OOMKilled: true, ExitCode: 0, Pid: 0, Error: '' };
    const incidents = incidentsOf(
      JSON.stringify(
        [{ Id: 'ab12', Name: '/web', State: state, HostConfig: { Memory: mib(64) } }],
        null,
        2,
      ),
    );
    for (const { confidence } of incidents) expect(confidence).not.toBe('certain');
  });

  test('one pid in two boots is two deaths', () => {
    const kill = (rss: number) =>
      `Memory cgroup out of memory: Killed process 2746 (leaker) total-vm:536704kB, anon-rss:${rss}kB, file-rss:1208kB`;
    expect(
      incidentsOf(`[  10.000001] ${kill(521176)}\n[  12.000001] ${kill(518264)}`),
    ).toHaveLength(2);
    expect(incidentsOf(`[  10.000001] ${kill(521176)}\n${kill(521176)}`)).toHaveLength(1);
  });

  test('a refusal and a segfault of other processes are not joined', () => {
    const incidents = incidentsOf(
      [
        '[ 10.000001] __vm_enough_memory: pid: 500, comm: python3, bytes: 1000000004096 not enough memory for the allocation',
        '[ 10.000009] ls[501]: segfault at 0 ip 00007f1d4597157b sp 00007fff305bc4a8 error 6 in libc.so.6[15357b,7f1d45844000+156000]',
        '[ 90.000009] python3[500]: segfault at 0 ip 00007f1d4597157b sp 00007fff305bc4a8 error 6 in libc.so.6[15357b,7f1d45844000+156000]',
      ].join('\n'),
    );
    expect(incidents.some(({ cause }) => cause === 'alloc-failure-segfault')).toBe(false);
  });
});

describe('words that explain, and tell of nothing that happened', () => {
  test.each([
    ['a list of states', '- **OOMKilled**: the container was over its memory limit; raise it.'],
    ['a sentence that denies', 'With the new limit the importer is not OOMKilled any more.'],
    [
      'a table of meanings',
      '| State | Cause | Fix |\n|---|---|---|\n| OOMKilled | memory limit too low | raise it |',
    ],
    [
      'an alert',
      '- alert: KilledAtLimit\n  expr: kube_pod_container_status_last_terminated_reason{reason="OOMKilled"} == 1',
    ],
    ['a test of others', 'ok 4 - handles OOMKilled'],
    ['a template', "$ docker inspect -f '{{.State.OOMKilled}}' web\nfalse"],
  ])('%s', (_, text) => {
    expect(incidentsOf(`${text}\n`).filter(({ outOfMemory }) => outOfMemory === true)).toEqual([]);
  });

  test('the metric of a container that was killed is no rule', () => {
    const [incident] = incidentsOf(
      'kube_pod_container_status_last_terminated_reason{pod="web-0",reason="OOMKilled"} 1\n',
    );
    expect(incident?.cause).toBe('kernel-cgroup-oom');
  });

  test('the month of May is no advice', () => {
    const [incident] = incidentsOf('May  7 10:11:12 box app: fork: Cannot allocate memory\n');
    expect(incident?.cause).toBe('alloc-failure-exception');
  });
});
