import { describe, expect, test } from 'vitest';
import type { WatchedCgroup } from './cgroups.ts';
import { headroomOf, headroomsOf, isWithinReach, nearestLimit, parseStatm } from './headroom.ts';

const gib = 2 ** 30;
const cgroup = (limitBytes: number | null, currentBytes?: number, gone = false) =>
  ({ gone, limits: { limitBytes }, last: { currentBytes } }) as unknown as WatchedCgroup;
const rlimit = (path: string, bytes: number) => ({ owner: 'rlimit' as const, path, bytes });
const host = { totalBytes: 16 * gib, availableBytes: 10 * gib };

describe('headroomsOf', () => {
  test('cgroups, address space, data and machine, each with what is free', () => {
    expect(
      headroomsOf(
        [cgroup(null, gib), cgroup(2 * gib, gib), cgroup(gib), cgroup(gib, 0, true)],
        [
          { vmBytes: 5 * gib, dataBytes: gib, limits: [rlimit('RLIMIT_AS', 4 * gib)] },
          { vmBytes: 5 * gib, dataBytes: gib, limits: [rlimit('RLIMIT_DATA', 4 * gib)] },
          { vmBytes: 5 * gib, dataBytes: null, limits: [rlimit('RLIMIT_DATA', 4 * gib)] },
          { vmBytes: gib, dataBytes: 0, limits: [rlimit('RLIMIT_STACK', 8)] },
        ],
        host,
      ),
    ).toEqual([
      { kind: 'cgroup', limitBytes: 2 * gib, freeBytes: gib },
      { kind: 'address-space', limitBytes: 4 * gib, freeBytes: 0 },
      { kind: 'data', limitBytes: 4 * gib, freeBytes: 3 * gib },
      { kind: 'host', limitBytes: 16 * gib, freeBytes: 10 * gib },
    ]);
  });
  test('a machine that tells nothing is no headroom', () => {
    expect(headroomsOf([], [], { totalBytes: undefined, availableBytes: undefined })).toEqual([]);
  });
});

describe('nearestLimit', () => {
  const wide = headroomOf('cgroup', 4 * gib, gib);
  const tight = headroomOf('address-space', 2 * gib, gib);
  const machine = headroomOf('host', 4 * gib, 4 * gib);
  test.each([
    ['none', [], null],
    ['the machine alone is no limit of the run', [machine], null],
    ['the one with the least left', [wide, tight, machine], tight],
  ])('%s', (_, headrooms, nearest) => {
    expect(nearestLimit(headrooms)).toBe(nearest);
  });
});

describe('parseStatm', () => {
  test.each([4096, 16_384, 65_536])('pages of %i bytes', (page) => {
    expect(parseStatm('100 20 5 1 0 30 0\n', page)).toEqual({
      vmBytes: 100 * page,
      rssBytes: 20 * page,
      dataBytes: 30 * page,
    });
  });
  test.each(['', '100', 'no such process', '1 2 3 4 5'])('%j is none', (text) => {
    expect(parseStatm(text, 4096)).toBeNull();
  });
});

describe('isWithinReach', () => {
  const free = (limitBytes: number, freeBytes: number) =>
    headroomOf('cgroup', limitBytes, limitBytes - freeBytes);
  test.each([
    ['nothing known', [], 0, false],
    ['a small container', [free(gib, gib)], 0, true],
    ['a wide machine at rest', [free(16 * gib, 10 * gib)], 0, false],
    ['growth that reaches it', [free(16 * gib, 10 * gib)], 2.1 * gib, true],
    ['a big one that is fuller', [free(512 * gib, 200 * gib)], 0, true],
  ])('%s', (_, headrooms, growth, expected) => {
    expect(isWithinReach(headrooms, growth)).toBe(expected);
  });
});
