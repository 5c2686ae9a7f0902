import { describe, expect, test } from 'vitest';
import type { WatchedCgroup } from './cgroups.ts';
import { isWithinReach, paceMs, headroomsOf } from './headroom.ts';

const gib = 2 ** 30;
const cgroup = (limitBytes: number | null, currentBytes?: number, gone = false) =>
  ({ gone, limits: { limitBytes }, last: { currentBytes } }) as unknown as WatchedCgroup;
const host = { totalBytes: 16 * gib, availableBytes: 10 * gib };

describe('roomsOf', () => {
  test('cgroups, address space and machine, each with what is free', () => {
    expect(
      headroomsOf(
        [cgroup(null, gib), cgroup(2 * gib, gib), cgroup(gib), cgroup(gib, 0, true)],
        [
          {
            vmBytes: 5 * gib,
            limits: [{ owner: 'rlimit', path: 'RLIMIT_AS', bytes: 4 * gib }],
          },
          { vmBytes: gib, limits: [{ owner: 'rlimit', path: 'RLIMIT_STACK', bytes: 8 }] },
        ],
        host,
      ),
    ).toEqual([
      { limitBytes: 2 * gib, freeBytes: gib },
      { limitBytes: 4 * gib, freeBytes: 0 },
      { limitBytes: 16 * gib, freeBytes: 10 * gib },
    ]);
  });
  test('a machine that tells nothing is no room', () => {
    expect(headroomsOf([], [], { totalBytes: undefined, availableBytes: undefined })).toEqual([]);
  });
});

describe('paceMs', () => {
  const wide = [{ limitBytes: 64 * gib, freeBytes: 60 * gib }];
  test.each([
    ['nothing known', [], 50],
    ['a small container', [{ limitBytes: gib / 2, freeBytes: gib / 4 }], 50],
    ['one GB free: two samples even at 6 GB/s', [{ limitBytes: 2.4e9, freeBytes: 1.2e9 }], 100],
    ['a wide machine', wide, 500],
    ['the nearest counts', [host, { limitBytes: gib, freeBytes: 0 }].map(headroom), 50],
  ])('%s', (_, headrooms, ms) => {
    expect(paceMs(headrooms, 50, 'moving', 60_000)).toBe(ms);
  });
  test('a short run has a curve too', () => {
    expect(paceMs(wide, 50, 'moving', 300)).toBe(100);
    expect(paceMs(wide, 50, 'moving', 3000)).toBe(300);
  });
  test('never faster than asked for', () => {
    expect(paceMs(wide, 2000, 'moving', 60_000)).toBe(2000);
  });
  test('seldomer at rest', () => {
    expect(paceMs(wide, 250, 'resting', 60_000)).toBe(1000);
    expect(paceMs([{ limitBytes: gib, freeBytes: gib / 2 }], 250, 'resting', 60_000)).toBe(250);
  });
});

describe('isWithinReach', () => {
  test.each([
    ['nothing known', [], 0, false],
    ['a small container', [{ limitBytes: gib, freeBytes: gib }], 0, true],
    ['a wide machine at rest', [{ limitBytes: 16 * gib, freeBytes: 10 * gib }], 0, false],
    ['growth that reaches it', [{ limitBytes: 16 * gib, freeBytes: 10 * gib }], 2.1 * gib, true],
    ['a big one that is fuller', [{ limitBytes: 512 * gib, freeBytes: 200 * gib }], 0, true],
  ])('%s', (_, headrooms, growth, expected) => {
    expect(isWithinReach(headrooms, growth)).toBe(expected);
  });
});

function headroom(value: { limitBytes: number; freeBytes: number } | typeof host) {
  return 'freeBytes' in value
    ? value
    : { limitBytes: value.totalBytes, freeBytes: value.availableBytes };
}
