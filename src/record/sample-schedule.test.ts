import { describe, expect, test, vi } from 'vitest';
import { fastestBytesPerMs, headroomOf } from './headroom.ts';
import {
  nextDelayMs,
  paceMs,
  sampleNow,
  sampleSchedule,
  startSampling,
  stopSampling,
  type Situation,
} from './sample-schedule.ts';

const gib = 2 ** 30;
const free = (limitBytes: number, freeBytes: number) =>
  headroomOf('cgroup', limitBytes, limitBytes - freeBytes);
const wide = [free(64 * gib, 60 * gib)];

describe('paceMs', () => {
  test.each([
    ['nothing known', [], 50],
    ['a small container', [free(gib / 2, gib / 4)], 50],
    [
      'so much free that the fastest program needs 200 ms: two samples before',
      [free(2 * gib, 200 * fastestBytesPerMs)],
      100,
    ],
    ['a wide machine', wide, 500],
    ['the nearest counts', [free(16 * gib, 10 * gib), free(gib, 0)], 50],
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
    expect(paceMs([free(gib, gib / 2)], 250, 'resting', 60_000)).toBe(250);
  });
});

describe('nextDelayMs', () => {
  const calm: Situation = {
    ageMs: 60_000,
    costMs: 1,
    movement: 0,
    nearLimit: false,
    lastNewsMs: 0,
    headrooms: wide,
  };
  const schedule = { fastestMs: 50, isAskedFor: false, delayMs: 50 };
  test.each<[string, Partial<typeof schedule>, Partial<Situation>, number]>([
    ['at the start it follows the age', {}, { ageMs: 60 }, 30],
    ['at the very start no more than it can bear', {}, { ageMs: 1 }, 5],
    ['at rest it slows down step by step', { delayMs: 100 }, {}, 150],
    ['at rest it ends at a second', { delayMs: 900 }, {}, 1000],
    ['memory that moves, far from every limit', {}, { movement: 0.1 }, 500],
    ['memory that moves, near one', {}, { movement: 0.1, headrooms: [free(gib, 0)] }, 50],
    ['a new process is read closely', {}, { movement: 0.1, lastNewsMs: 59_900 }, 50],
    ['what the user asked for, everywhere', { isAskedFor: true }, { movement: 0.1 }, 50],
    ['sampling takes a twentieth of a CPU at most', {}, { nearLimit: true, costMs: 40 }, 800],
  ])('%s', (_, before, situation, ms) => {
    expect(nextDelayMs({ ...schedule, ...before }, { ...calm, ...situation })).toBe(ms);
  });
});

test('samples follow each other, come at once when asked for, and end', () => {
  vi.useFakeTimers();
  try {
    const schedule = sampleSchedule(undefined);
    let samples = 0;
    startSampling(schedule, () => {
      samples += 1;
      return { ageMs: 60_000, movement: 0, nearLimit: false, lastNewsMs: 0, headrooms: [] };
    });
    vi.advanceTimersByTime(2);
    expect(samples).toBe(1);
    sampleNow(schedule);
    vi.advanceTimersByTime(0);
    expect(samples).toBe(2);
    stopSampling(schedule);
    sampleNow(schedule);
    vi.advanceTimersByTime(10_000);
    expect(samples).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});
