import { describe, expect, test } from 'vitest';
import type { CgroupSample } from '../model/incident-folder.ts';
import type { WatchedCgroup } from './cgroups.ts';
import type { SampledProcess } from './sampler.ts';
import { StallWatch } from './stall.ts';

/** What moves in a second: rates as they were measured of real thrash and of its look-alikes. */
interface Rates {
  readonly majorFaults?: number;
  readonly swapBytes?: number;
  readonly refaultsAnon?: number;
  readonly refaultsFile?: number;
  readonly limitHits?: number;
  readonly psiFull?: number;
  readonly highHits?: number;
  readonly userMs?: number;
  readonly systemMs?: number;
  readonly state?: string;
  readonly vmBytes?: number;
}

function run(seconds: number, rates: Rates, extra: Partial<WatchedCgroup> = {}) {
  const watch = new StallWatch();
  const said = [];
  for (let second = 0; second <= seconds; second += 1) {
    const last: CgroupSample = {
      id: 0,
      currentBytes: 134_000_000,
      limitHits: (rates.limitHits ?? 0) * second,
      refaultsAnon: (rates.refaultsAnon ?? 0) * second,
      refaultsFile: (rates.refaultsFile ?? 0) * second,
      highHits: (rates.highHits ?? 0) * second,
      ...(rates.psiFull === undefined
        ? {}
        : { psiFullMs: rates.psiFull * 1000 * second, psiSomeMs: rates.psiFull * 1000 * second }),
    };
    const cgroup = {
      id: 0,
      place: { version: 1, folder: '/x', path: '/job' },
      parent: null,
      leaf: true,
      limits: { limitBytes: 134_217_728, highBytes: null },
      first: {},
      gone: false,
      files: new Map(),
      ...extra,
      last: { ...last, ...extra.last },
    } as WatchedCgroup;
    const process: SampledProcess = {
      pid: 7,
      name: 'python3',
      role: 'command',
      state: rates.state ?? 'R',
      rssBytes: 120_000_000,
      vmBytes: rates.vmBytes ?? 500_000_000,
      dataBytes: null,
      swapBytes: rates.swapBytes ?? 0,
      majorFaults: (rates.majorFaults ?? 0) * second,
      userMs: (rates.userMs ?? 20) * second,
      systemMs: (rates.systemMs ?? 0) * second,
      runDelayMs: 0,
      limits: [{ owner: 'rlimit', path: 'RLIMIT_AS', bytes: 256_000_000 }],
      cgroup,
    };
    const stall = watch.take({
      atMs: second * 1000,
      processes: [process],
      cgroups: [cgroup],
      nearest: null,
      growthBytesPerSecond: 0,
      headrooms: [],
      host: null,
    });
    if (stall !== null) said.push(stall);
  }
  return { watch, said, end: watch.end(seconds * 1000) };
}

describe('slow deaths', () => {
  test.each<[string, Rates, string]>([
    [
      'swap thrash',
      { refaultsAnon: 3100, limitHits: 2900, swapBytes: 180e6, majorFaults: 3100 },
      'swap',
    ],
    [
      'its first seconds, pages only going out',
      { psiFull: 0.34, limitHits: 10_000, swapBytes: 1e6 },
      'reclaim',
    ],
    ['major faults with memory in swap', { majorFaults: 3000, swapBytes: 180e6 }, 'swap'],
    [
      'a file larger than the limit, again and again',
      { refaultsFile: 450, limitHits: 5000, majorFaults: 5100 },
      'file-refaults',
    ],
    [
      'CPython that unwinds for ever',
      { vmBytes: 255_500_000, systemMs: 600, userMs: 200 },
      'livelock',
    ],
  ])('%s', (_, rates, how) => {
    const { said } = run(4, rates);
    expect(said[0]).toMatchObject({ how, pid: 7, atMs: 2000, begunMs: 0, stillGoingOn: true });
  });

  test('memory.high', () => {
    const { said } = run(
      4,
      { highHits: 30, psiFull: 0.4 },
      { limits: { limitBytes: null, highBytes: 135_000_000 } },
    );
    expect(said[0]).toMatchObject({ how: 'memory-high', limit: { bytes: 135_000_000 } });
  });

  test('memory.high, while it sleeps for one hit longer than a moment lasts', () => {
    const { said } = run(
      4,
      { psiFull: 0.9 },
      { limits: { limitBytes: null, highBytes: 135_000_000 }, last: { id: 0, highHits: 40 } },
    );
    expect(said[0]).toMatchObject({ how: 'memory-high' });
  });

  test('the moment in which the process is gone takes nothing from what was seen of it', () => {
    const { watch } = run(
      4,
      { highHits: 30, psiFull: 0.4 },
      { limits: { limitBytes: null, highBytes: 135_000_000 } },
    );
    const gone = {
      id: 0,
      place: { version: 2, folder: '/x', path: '/job' },
      parent: null,
      leaf: true,
      limits: { limitBytes: null, highBytes: 135_000_000 },
      first: {},
      gone: false,
      files: new Map(),
      last: { id: 0, currentBytes: 1e6, highHits: 121, psiFullMs: 2600, psiSomeMs: 2600 },
    } as unknown as WatchedCgroup;
    watch.take({
      atMs: 5000,
      processes: [],
      cgroups: [gone],
      host: null,
      nearest: null,
      growthBytesPerSecond: 0,
      headrooms: [],
    });
    expect(watch.end(5000)).toMatchObject({ how: 'memory-high', pid: 7, name: 'python3' });
  });

  test('a v1 cgroup whose OOM killer is switched off', () => {
    const { said } = run(
      4,
      { userMs: 0, state: 'D' },
      { first: { killDisabled: true }, last: { id: 0, underOom: true } },
    );
    expect(said[0]).toMatchObject({ how: 'oom-disabled' });
  });

  test('the slowdown is what it computed against the time it had', () => {
    const { end } = run(10, { refaultsAnon: 3100, swapBytes: 180e6, userMs: 20 });
    expect(end).toMatchObject({ slowdown: 50, against: 'full-speed', stillGoingOn: false });
  });
});

describe('look-alikes', () => {
  test.each<[string, Rates]>([
    ['no limit in the way', { userMs: 490 }],
    ['waits for the disk', { userMs: 40 }],
    ['a cold mapped file that fits', { majorFaults: 7500, userMs: 30 }],
    ['a mapped file that another cgroup pays for', { refaultsFile: 1600, majorFaults: 1600 }],
    ['waits for the network', { userMs: 0, state: 'S' }],
    ['busy in the kernel, address space not full', { vmBytes: 100_000_000, systemMs: 900 }],
    ['memory lies in swap, and nobody wants it', { swapBytes: 180e6 }],
  ])('%s', (_, rates) => {
    const { said, end } = run(8, rates);
    expect(said).toEqual([]);
    expect(end).toBeNull();
  });

  test('one bad second is no stall', () => {
    const { said } = run(1, { refaultsAnon: 30_000 });
    expect(said).toEqual([]);
  });
});

test('a process that is stopped on purpose (the last look, a debugger) is no stall', () => {
  const rates = { refaultsAnon: 3100, limitHits: 2900, swapBytes: 180e6, majorFaults: 3100 };
  expect(run(6, rates).said).not.toEqual([]);
  expect(run(6, { ...rates, state: 'T' }).said).toEqual([]);
});
