import { expect, test } from 'vitest';
import { steadyGrowth } from './growth.ts';
import { memoryOfRun, type MomentOfRun } from './run-memory.ts';

const mib = 2 ** 20;
/** A reading each 100 ms for 20 s; `bytes`: by the share of the run. */
const run = (bytes: (share: number) => number, seconds = 20): readonly MomentOfRun[] =>
  Array.from({ length: seconds * 10 + 1 }, (_, at) => ({
    atMs: at * 100,
    bytes: bytes(at / (seconds * 10)) * mib,
    processes: 1,
  }));

test('a leak grew to the end, at its pace', () => {
  const growth = steadyGrowth(
    run((share) => 20 + 100 * share),
    220 * mib,
  );
  // 100 MiB in 20 s.
  expect((growth?.bytesPerHour ?? 0) / mib / 3600).toBeCloseTo(5, 0);
  expect((growth?.reachesLimitInMs ?? 0) / 1000).toBeGreaterThan(15);
  expect((growth?.reachesLimitInMs ?? 0) / 1000).toBeLessThan(30);
});

test('a sawtooth on a leak is still a leak', () => {
  const growth = steadyGrowth(
    run((share) => 20 + 100 * share + 15 * ((share * 40) % 1)),
    null,
  );
  expect(growth).not.toBeNull();
  expect(growth?.reachesLimitInMs).toBeNull();
});

test('a leak in steps is still a leak', () => {
  const steps = (share: number) => 20 + 10 * Math.floor(share * 10);
  expect(steadyGrowth(run(steps), null)).not.toBeNull();
});

test.each([
  ['level', () => 100],
  ['a cache that filled up', (share: number) => 20 + 100 * Math.min(1, share * 3)],
  ['an ETL that gave back', (share: number) => (share < 0.6 ? 200 : 50)],
  ['growth that was given back at last', (share: number) => (share < 0.9 ? 20 + 100 * share : 20)],
  ['a sawtooth', (share: number) => 50 + 50 * ((share * 9) % 1)],
  ['next to nothing', (share: number) => 100 + 3 * share],
  [
    'a cache that was full three quarters through',
    (share: number) => 20 + 100 * Math.min(1, share * 1.33),
  ],
  ['one step at the beginning', (share: number) => (share < 0.3 ? 20 : 120)],
])('%s is no growth to the end', (_, bytes) => {
  expect(steadyGrowth(run(bytes), null)).toBeNull();
});

test('a run of two seconds is too short to tell', () => {
  expect(
    steadyGrowth(
      run((share) => 20 + 100 * share, 2),
      null,
    ),
  ).toBeNull();
});

test('processes are added up while they live, and no longer', () => {
  const process = (pid: number, from: number, to: number, endedMs: number | null) => ({
    pid,
    parentPid: null,
    name: 'p',
    command: null,
    startedMs: from,
    endedMs,
    exitCode: 0,
    signal: null,
    samples: { atMs: [from, to], columns: { rssBytes: [10, 20] } },
  });
  const moments = memoryOfRun({
    processes: [process(1, 0, 100, null), process(2, 50, 60, 60)],
  } as never);
  expect(moments.map(({ bytes }) => bytes)).toEqual([10, 20, 30, 10, 20]);
  expect(Math.max(...moments.map(({ processes }) => processes))).toBe(2);
});
