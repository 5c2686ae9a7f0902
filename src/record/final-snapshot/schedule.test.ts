import { describe, expect, test } from 'vitest';
import { headroomOf, type LimitKind } from '../headroom.ts';
import { hostGauge, residentBytes, rlimitGauge, type Gauge } from './limits.ts';
import { isPressing, readLimit, safeMs, schedule, snapshotTaken } from './schedule.ts';

const mib = 2 ** 20;
const limitBytes = 1000 * mib;

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
      return readLimit(limit, 0)?.isDue;
    };
    expect([due(600), due(700), due(700), due(750), due(800), due(999)]).toEqual([
      false,
      true,
      false,
      false,
      true,
      true,
    ]);
    expect(limit.level).toBe(11);
  });
  test('again after it shrank', () => {
    const { state, limit } = gaugeOf();
    const due = (usedMib: number) => {
      state.usedBytes = usedMib * mib;
      return readLimit(limit, 0)?.isDue;
    };
    expect([due(720), due(300), due(720)]).toEqual([true, false, true]);
  });
  test('of a machine only from the third level on', () => {
    const { state, limit } = gaugeOf('host');
    state.usedBytes = 800 * mib;
    expect(readLimit(limit, 0)).toMatchObject({ isDue: false });
    state.usedBytes = 880 * mib;
    expect(readLimit(limit, 0)).toMatchObject({ isDue: true });
  });
  test('not where page cache fills the limit, nor while the process must rest', () => {
    const { state, limit } = gaugeOf();
    Object.assign(state, { usedBytes: 900 * mib, cacheBytes: 600 * mib });
    expect(readLimit(limit, Infinity)).toEqual({ freeBytes: 100 * mib, isDue: false });
    expect(readLimit(limit, 0)).toEqual({ freeBytes: 700 * mib, isDue: false });
    expect(limit.level).toBe(0);
  });
  test('past the last level again after some time, while the process lives on in reclaim', () => {
    const { state, limit } = gaugeOf();
    state.usedBytes = limitBytes;
    expect(readLimit(limit, 0)?.isDue).toBe(true);
    snapshotTaken(limit);
    expect(readLimit(limit, 0)?.isDue).toBe(false);
    limit.repeat = { at: 0, afterMs: limit.repeat!.afterMs };
    expect(readLimit(limit, 0)?.isDue).toBe(true);
    expect(limit.repeat.afterMs).toBe(1050);
  });
});

test('a limit is read again before the fastest program could reach the next level', () => {
  const { state, limit } = gaugeOf();
  expect(safeMs(limit, 300 * mib)).toBe(1);
  expect(safeMs(limit, limitBytes)).toBe(50);
  expect(safeMs(limit, 360 * mib)).toBeCloseTo((60 * mib) / 6e6);
  state.usedBytes = 700 * mib;
  expect(isPressing(limit)).toBe(true);
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
