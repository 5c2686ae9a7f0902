import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KernelLogFollower } from '../machine/kernel-log.ts';
import type { IncidentWriter } from '../store/incidents.ts';
import { readKernelLog } from './kernel-log-tap.ts';
import { newNotices } from './notices.ts';
import type { Run } from './run.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What a run in `/box` says of the lines, and whether it finds them notable. `seen`: processes that a sample has seen. */
function read(lines: readonly string[], seen: Readonly<Record<number, string>> = {}) {
  const said: string[] = [];
  const writer: Partial<IncidentWriter> = { size: () => 0, append: () => {} };
  const run = {
    writer,
    say: (line: string) => said.push(line),
    start: { recorderPid: 100, initialPidNamespace: true },
    cgroups: {
      all: [
        { leaf: false, place: { path: '/' } },
        { leaf: true, place: { path: '/box' } },
      ],
    },
    names: new Map(Object.entries(seen).map(([pid, name]) => [Number(pid), name])),
    isNotable: false,
    hasEnded: false,
    startedAt: 0,
  } as unknown as Run;
  const log = { read: () => lines.map((text) => ({ raw: text, text })) };
  readKernelLog(run, newNotices(), log as unknown as KernelLogFollower, 10);
  vi.runAllTimers();
  return { said, isNotable: run.isNotable };
}

const victim = (path: string, pid: number) =>
  `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=${path},task_memcg=${path},task=python,pid=${pid},uid=0`;
const kill = (pid: number) =>
  `Memory cgroup out of memory: Killed process ${pid} (python) total-vm:167580kB, anon-rss:148168kB`;
const line = 'the kernel killed python (pid 200): its cgroup reached its memory limit';

describe('a kill is said', () => {
  test('of a process that a sample has seen', () => {
    expect(read([kill(200)], { 200: 'python' })).toEqual({ said: [line], isNotable: true });
  });
  test('of one that filled the limit before any sample saw it', () => {
    expect(read([victim('/box', 200), kill(200)])).toEqual({ said: [line], isNotable: true });
  });
  test.each([
    ['never seen, in a cgroup that is not told', [kill(200)]],
    ['in another cgroup', [victim('/other', 200), kill(200)]],
    ['in a cgroup above', [victim('/', 200), kill(200)]],
    ['older than the recorder', [victim('/box', 99), kill(99)]],
  ])('not of one %s', (_, lines) => {
    expect(read(lines)).toEqual({ said: [], isNotable: false });
  });
});
