import { describe, expect, test } from 'vitest';
import { headroomOf, type LimitKind } from '../headroom.ts';
import { hostGauge, residentBytes, rlimitGauge, type Gauge } from './limits.ts';
import {
  isEarlyDue,
  isPressing,
  readLimit,
  repeatLook,
  safeMs,
  schedule,
  snapshotTaken,
} from './schedule.ts';
import { stopBudget } from './stop-budget.ts';

const mib = 2 ** 20;
const limitBytes = 1000 * mib;
const rested = { closer: 0, dying: 0, old: 0 };

/** A gauge whose use is set by the test. */
function gaugeOf(kind: LimitKind = 'cgroup') {
  const state = { usedBytes: 0, cacheBytes: 0 };
  const gauge: Gauge = {
    id: kind,
    kind,
    limitBytes,
    pid: null,
    read: () => headroomOf(kind, limitBytes, state.usedBytes),
    reclaimableBytes: () => state.cacheBytes,
    close: () => {},
  };
  return { state, limit: schedule(gauge) };
}

describe('a snapshot is due', () => {
  test('at each level on the way up, once', () => {
    const { state, limit } = gaugeOf();
    const due = (usedMib: number) => {
      state.usedBytes = usedMib * mib;
      return readLimit(limit, rested)?.due;
    };
    expect([due(600), due(700), due(700), due(750), due(800), due(999)]).toEqual([
      null,
      'closer',
      null,
      null,
      'closer',
      'dying',
    ]);
    expect(limit.level).toBe(11);
  });
  test('again after it shrank', () => {
    const { state, limit } = gaugeOf();
    const due = (usedMib: number) => {
      state.usedBytes = usedMib * mib;
      return readLimit(limit, rested)?.due;
    };
    expect([due(720), due(300), due(720)]).toEqual(['closer', null, 'closer']);
  });
  test('of a machine only from the third level on', () => {
    const { state, limit } = gaugeOf('host');
    state.usedBytes = 800 * mib;
    expect(readLimit(limit, rested)).toMatchObject({ due: null });
    state.usedBytes = 880 * mib;
    expect(readLimit(limit, rested)).toMatchObject({ due: 'closer' });
    // Nobody knows what the kernel still finds: the machine does not die of its last bytes as a cgroup does.
    state.usedBytes = 999 * mib;
    expect(readLimit(limit, rested)).toMatchObject({ due: 'closer' });
  });
  test('not where page cache fills the limit, nor while the process must rest', () => {
    const { state, limit } = gaugeOf();
    Object.assign(state, { usedBytes: 900 * mib, cacheBytes: 600 * mib });
    const resting = { ...rested, closer: Infinity };
    expect(readLimit(limit, resting)).toMatchObject({ freeBytes: 100 * mib, due: null });
    expect(readLimit(limit, rested)).toMatchObject({ freeBytes: 700 * mib, due: null });
    expect(limit.level).toBe(0);
  });
  test('page cache that stays is asked after seldomer and seldomer', () => {
    const { state, limit } = gaugeOf();
    Object.assign(state, { usedBytes: 990 * mib, cacheBytes: 900 * mib });
    const quiet = Array.from({ length: 12 }, () => {
      limit.quietUntil = 0;
      return readLimit(limit, rested)!.notBefore - performance.now();
    });
    expect(quiet[0]).toBeLessThan(20);
    // No longer than the fastest program takes to the next level.
    expect(quiet.at(-1)).toBeGreaterThan(80);
    expect(quiet.at(-1)).toBeLessThanOrEqual((610 * mib) / 6e6);
  });
  test('not while the process must rest; where it may die first, it is read again before', () => {
    const { state, limit } = gaugeOf();
    state.usedBytes = 960 * mib;
    const now = performance.now();
    const resting = { closer: now + 60_000, dying: 0, old: 0 };
    const reading = readLimit(limit, resting)!;
    expect(reading.due).toBeNull();
    expect(reading.notBefore).toBeLessThan(now + 1000);
    state.usedBytes = 990 * mib;
    expect(readLimit(limit, resting)).toMatchObject({ due: 'dying' });
  });
  test('where it stays near the limit, when the picture is old', () => {
    const { state, limit } = gaugeOf();
    state.usedBytes = 980 * mib;
    expect(readLimit(limit, rested)).toMatchObject({ due: 'closer' });
    snapshotTaken(limit);
    expect(limit.oldAt - performance.now()).toBeCloseTo(stopBudget.oldMs, -2);
    expect(readLimit(limit, rested)).toMatchObject({ due: null });
    limit.oldAt = 0;
    expect(readLimit(limit, { ...rested, old: Infinity })).toMatchObject({ due: null });
    expect(readLimit(limit, rested)).toMatchObject({ due: 'old' });
    snapshotTaken(limit);
    expect(readLimit(limit, rested)).toMatchObject({ due: null });
    // Far from the limit nothing is stopped, however old the picture is.
    limit.oldAt = 0;
    state.usedBytes = 600 * mib;
    expect(readLimit(limit, rested)).toMatchObject({ due: null });
  });
  test('past the last level again after some time, while the process lives on in reclaim', () => {
    const { state, limit } = gaugeOf();
    state.usedBytes = limitBytes;
    expect(readLimit(limit, rested)?.due).toBe('dying');
    snapshotTaken(limit);
    expect(readLimit(limit, rested)?.due).toBeNull();
    limit.repeat = { at: 0, afterMs: limit.repeat!.afterMs };
    expect(readLimit(limit, rested)?.due).toBe('dying');
    expect(limit.repeat.afterMs).toBe(1050);
  });
});

describe('far from the limit', () => {
  test('a picture without a stop is due at each early level, once', () => {
    const { limit } = gaugeOf();
    const due = (usedMib: number) => isEarlyDue(limit, limitBytes - usedMib * mib);
    expect([due(50), due(130), due(140), due(420), due(420), due(600), due(690)]).toEqual([
      false,
      true,
      false,
      true,
      false,
      true,
      false,
    ]);
  });
  test('of a machine none is', () => {
    expect(isEarlyDue(gaugeOf('host').limit, 100 * mib)).toBe(false);
  });
});

test('a look that explained little is repeated a few times, not for ever', () => {
  const { state, limit } = gaugeOf();
  state.usedBytes = 710 * mib;
  const looks = Array.from({ length: 8 }, () => {
    const due = readLimit(limit, rested)?.due;
    if (due === 'closer') repeatLook(limit);
    return due;
  });
  expect(looks).toEqual(['closer', 'closer', 'closer', 'closer', 'closer', null, null, null]);
});

test('a limit is read again before the fastest program could reach the next level', () => {
  const { state, limit } = gaugeOf();
  expect(safeMs(limit, 300 * mib)).toBe(1);
  expect(safeMs(limit, limitBytes)).toBe(50);
  expect(safeMs(limit, 360 * mib)).toBeCloseTo((60 * mib) / 6e6);
  state.usedBytes = 700 * mib;
  expect(isPressing(limit)).toBe(true);
  // At rest, seldomer.
  limit.movedAt -= 1000;
  expect(safeMs(limit, 300 * mib)).toBeCloseTo(10, 0);
  limit.movedAt -= 1e6;
  expect(safeMs(limit, 300 * mib)).toBe(20);
});

describe('gauges', () => {
  test('a process that is gone, a machine that has not told yet', () => {
    expect(rlimitGauge(2 ** 22 + 1, { kind: 'data', limitBytes }, 4096)).toBeNull();
    expect(residentBytes(2 ** 22 + 1, 4096)).toBeNull();
    expect(hostGauge(() => null).read()).toBeNull();
  });
  test.skipIf(process.platform !== 'linux')('rlimits count in pages of the machine', () => {
    const bytes = 2 ** 50;
    const freeOf = (kind: 'address-space' | 'data', page: number) => {
      const gauge = rlimitGauge(process.pid, { kind, limitBytes: bytes }, page)!;
      const { freeBytes } = gauge.read()!;
      gauge.close();
      return bytes - freeBytes;
    };
    expect(freeOf('address-space', 4096)).toBeGreaterThan(freeOf('data', 4096));
    expect(freeOf('data', 4096)).toBeGreaterThan(0);
    expect(freeOf('address-space', 65_536)).toBeGreaterThan(15 * freeOf('address-space', 4096));
    expect(residentBytes(process.pid, 65_536)!).toBeGreaterThan(
      8 * residentBytes(process.pid, 4096)!,
    );
  });
});
