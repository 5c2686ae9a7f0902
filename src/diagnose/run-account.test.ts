import { expect, test } from 'vitest';
import type { HeapSnapshot } from '../model/evidence.ts';
import type { Recording } from '../model/recording.ts';
import { nothingKnown } from '../model/report.ts';
import { accountOf, enoughFor } from './run-account.ts';

const mib = 2 ** 20;
const recording: Recording = {
  format: 'coroner-recording/1',
  id: 'r',
  command: ['python3', 'etl.py'],
  cwd: '/srv',
  startedAt: '2026-01-31T12:00:00Z',
  endedAt: '2026-01-31T12:00:12Z',
  durationMs: 12_000,
  commandPid: 7,
  largestRssBytes: 180 * mib,
  recorder: { cpuMs: 200, peakRssBytes: 55 * mib, samples: 40 },
  limits: [
    { owner: 'cgroup', path: '/job', bytes: 1024 * mib },
    { owner: 'host', bytes: 8192 * mib },
    { owner: 'rlimit', path: 'RLIMIT_NPROC', bytes: 4096 },
  ],
  processes: [
    {
      pid: 7,
      parentPid: null,
      name: 'python3',
      command: 'python3 etl.py',
      startedMs: 0,
      endedMs: 12_000,
      exitCode: 0,
      signal: null,
      peakRssBytes: 177 * mib,
      samples: {
        atMs: [0, 3000, 9000, 12_000],
        columns: { rssBytes: [10, 176, 50, 50].map((n) => n * mib), majorFaults: [0, 2, 2, 3] },
      },
    },
  ],
  cgroups: [
    {
      version: 2,
      path: '/job',
      level: 0,
      limitBytes: 1024 * mib,
      peakBytes: 300 * mib,
      samples: { atMs: [0, 12_000], columns: { psiFullMs: [0, 40], psiSomeMs: [0, 90] } },
    },
  ],
  host: { atMs: [], columns: {} },
  events: [],
  looks: [
    {
      atMs: 2900,
      pid: 7,
      name: 'python3',
      rssBytes: 170 * mib,
      stops: { count: 3, sumMs: 120, longestMs: 60 },
      picture: {
        holders: [
          {
            name: 'rows',
            kind: 'variable',
            scope: 'local',
            function: 'load',
            file: '/srv/etl.py',
            line: 7,
            path: 'rows -> list[5] -> dict{3}',
            type: 'list',
            ownBytes: 1,
            retainedBytes: 150 * mib,
            alsoHeldBy: [],
            estimate: false,
          },
        ],
      },
    },
  ],
};
const agent = (pid: number): HeapSnapshot => ({
  kind: 'heap-snapshot',
  origin: { source: 'agent', place: `agent/${pid}.mem` },
  pid,
  name: 'python3',
  python: '3.12.1',
  picture: {
    allocations: [
      {
        when: 'peak',
        file: '/srv/etl.py',
        line: 7,
        function: 'load',
        bytes: 150 * mib,
        share: 0.9,
        plusMinus: 0,
        stack: [],
      },
    ],
  },
});

test('the peak is the highest mark that the kernel has, with its moment', () => {
  const { peak } = accountOf(recording, []);
  expect(peak).toMatchObject({ bytes: 180 * mib, of: 'process', pid: 7, atMs: 3000 });
  expect(peak?.cgroup).toEqual({ path: '/job', bytes: 300 * mib });
});

test('a peak that may have been higher unseen is a least one, unless the mark of the end bounds it', () => {
  const [one] = recording.processes;
  const processes = [{ ...one!, peakIsLeast: true }];
  const { largestRssBytes: _, ...unmarked } = { ...recording, processes };
  expect(accountOf(unmarked, []).peak).toMatchObject({ bytes: 177 * mib, isLeast: true });
  expect(accountOf({ ...recording, processes }, []).peak).not.toHaveProperty('isLeast');
  expect(accountOf(recording, []).peak).not.toHaveProperty('isLeast');
});

test('processes that together held more than any alone are told together', () => {
  const [one] = recording.processes;
  const { peak } = accountOf(
    { ...recording, processes: [one!, { ...one!, pid: 8, parentPid: 7 }] },
    [],
  );
  expect(peak).toMatchObject({ bytes: 352 * mib, of: 'processes', processes: 2 });
});

test('what made it: the lines of the agent and the variables of the look that saw most', () => {
  const { memory } = accountOf(recording, [agent(9), agent(7)]);
  expect(memory?.allocations?.[0]?.line).toBe(7);
  expect(memory?.holders?.[0]?.name).toBe('rows');
});

test('an incident that has the picture keeps it to itself, unless Ctrl-C made it', () => {
  const own = { memory: { allocations: agent(7).picture.allocations! } };
  expect(accountOf(recording, [agent(7)], [{ ...nothingKnown, ...own }]).memory).toBeUndefined();
  const interrupt = { ...nothingKnown, ...own, outOfMemory: false, exception: 'KeyboardInterrupt' };
  expect(accountOf(recording, [agent(7)], [interrupt]).memory).toBeDefined();
});

test('waiting is of its own cgroup, limits are of memory, and the cost is the recorder and the stops', () => {
  const run = accountOf(recording, [agent(7)]);
  expect(run.reclaim).toMatchObject({ of: 'cgroup', fullMs: 40, someMs: 90, majorFaults: 3 });
  expect(run.enough?.now).toEqual({ owner: 'cgroup', path: '/job', bytes: 1024 * mib });
  expect(run.cost).toEqual({
    cpuMs: 200,
    recorderBytes: 55 * mib,
    samples: 40,
    stops: 3,
    stoppedMs: 120,
  });
  expect(run.environment.python).toBe('3.12.1');
});

test.each([
  [20, 64],
  [177, 224],
  [1000, 1280],
  [20_000, 25_088],
])('a peak of %i MiB: %i MiB are enough', (peak, enough) => {
  const told = enoughFor(peak * mib, null);
  expect(told.bytes / mib).toBe(enough);
  expect(told.marginShare).toBeCloseTo(enough / peak - 1, 6);
});

test('a run without an end, and one of which nothing could be read', () => {
  expect(accountOf({ ...recording, endedAt: null, durationMs: null }, []).state).toBe('cut-short');
  const nothing = accountOf({ ...recording, processes: [], largestRssBytes: 0 }, []);
  expect([nothing.peak, nothing.enough, nothing.growth]).toEqual([null, null, null]);
});
