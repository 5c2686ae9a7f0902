/** Evidence for tests of rules: one plain case each, and what a test is about on top of it. */
import type {
  CgroupCounters,
  FailedAllocation,
  HostCounters,
  ProcessExit,
} from '../src/model/evidence.ts';

/** The command of a run, a python3 with pid 42, that was ended by SIGKILL. */
export const processExit = (more: Partial<ProcessExit> = {}): ProcessExit => ({
  kind: 'process-exit',
  origin: { source: 'wait-status', place: 'events.ndjson:9', line: 9 },
  pid: 42,
  name: 'python3',
  role: 'command',
  exitCode: null,
  signal: 'SIGKILL',
  ...more,
});

/** `/job` on cgroup v2 with a limit of 100 MiB that was hit once. */
export const cgroupCounters = (more: Partial<CgroupCounters> = {}): CgroupCounters => ({
  kind: 'cgroup-counters',
  origin: { source: 'cgroup', place: '/sys/fs/cgroup/job' },
  version: 2,
  path: '/job',
  level: 0,
  limitBytes: 100 * 2 ** 20,
  localOoms: 1,
  ...more,
});

/** A machine of 8 GiB that had half of it left. */
export const hostCounters = (more: Partial<HostCounters> = {}): HostCounters => ({
  kind: 'host-counters',
  origin: { source: 'proc', place: '/proc/meminfo' },
  totalBytes: 8 * 2 ** 30,
  minAvailableBytes: 4 * 2 ** 30,
  ...more,
});

/** One request of python3, pid 42, that its agent saw refused at `wall`. */
export const failedAllocation = (
  wall: string,
  bytes: number,
  more: Partial<FailedAllocation> = {},
): FailedAllocation => ({
  kind: 'failed-allocation',
  origin: { source: 'agent', place: 'agent/42.mem', quote: 'malloc' },
  when: { wall },
  pid: 42,
  name: 'python3',
  failure: {
    bytes,
    errno: 'ENOMEM',
    stack: [{ function: 'load', file: '/home/me/app.py', line: 7 }],
    caller: 'naive.so',
  },
  seenBy: 'agent',
  ...more,
});
