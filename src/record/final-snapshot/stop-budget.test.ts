import { describe, expect, test } from 'vitest';
import { StopAccount, stopBudget, type StopReason } from './stop-budget.ts';

const { mostMs, share, hourMs, hourForOldMs, leastMs, oldMs } = stopBudget;
const minute = 60_000;
const day = 24 * 60 * minute;

describe('a run may be stopped', () => {
  test('while it is short, for one stop in all', () => {
    const account = new StopAccount();
    expect(account.allowedMs(1000, 'dying')).toBe(mostMs);
    account.add(1000, 300);
    expect(account.allowedMs(2000, 'dying')).toBe(mostMs - 300);
    account.add(2000, 190);
    expect(account.allowedMs(3000, 'dying')).toBe(0);
  });
  test('before it is about to die, for half of what is left', () => {
    const account = new StopAccount();
    expect(account.allowedMs(1000, 'closer')).toBe(mostMs / 2);
    account.add(1000, mostMs - 2 * leastMs + 10);
    expect(account.allowedMs(1000, 'closer')).toBe(leastMs);
  });
  test('once it is long, for its share of the wall time', () => {
    const account = new StopAccount();
    account.add(1000, mostMs);
    const nextMs = account.nextMs(2000, 'dying');
    expect(nextMs).toBeCloseTo((mostMs + leastMs) / share, -1);
    expect(account.allowedMs(nextMs, 'dying')).toBeGreaterThanOrEqual(leastMs);
    expect(account.allowedMs(nextMs - 100, 'dying')).toBe(0);
    // Never longer at a time, whatever is left.
    expect(account.allowedMs(day, 'dying')).toBe(mostMs);
  });
});

/** Stops whenever it may, as long as it may. Returns the stops. */
function greedy(reason: StopReason, untilMs: number): readonly { atMs: number; ms: number }[] {
  const account = new StopAccount();
  const stops = [];
  for (let atMs = 0; atMs < untilMs; atMs = account.nextMs(atMs + 10, reason)) {
    const ms = account.allowedMs(atMs, reason);
    if (ms === 0) continue;
    account.add(atMs, ms);
    stops.push({ atMs, ms });
    expect(account.sumMs).toBeLessThanOrEqual(Math.max(mostMs, share * atMs) + 0.001);
  }
  expect(stops.length).toBe(account.count);
  expect(Math.max(...stops.map(({ ms }) => ms))).toBe(account.longestMs);
  return stops;
}

describe('a service that wants to be looked at all day', () => {
  test.each<[StopReason, number]>([
    ['closer', hourMs - hourForOldMs],
    ['dying', hourMs - hourForOldMs],
    ['old', hourMs],
  ])('%s: stays within its hour', (reason, mostInHourMs) => {
    const stops = greedy(reason, day / 4);
    expect(stops.length).toBeGreaterThan(10);
    for (const { atMs } of stops) {
      const hour = stops.filter((stop) => stop.atMs > atMs - 60 * minute && stop.atMs <= atMs);
      expect(hour.reduce((sum, { ms }) => sum + ms, 0)).toBeLessThanOrEqual(mostInHourMs + 0.001);
    }
  });
  test('a picture can be renewed when it is old, however often it came close before', () => {
    const account = new StopAccount();
    for (let atMs = 0; atMs < 3 * 60 * minute; atMs = account.nextMs(atMs + 10, 'closer')) {
      const ms = account.allowedMs(atMs, 'closer');
      if (ms > 0) account.add(atMs, ms);
    }
    const before = account.count;
    for (let i = 0; i < 6; i++) {
      const atMs = 3 * 60 * minute + i * oldMs;
      expect(account.allowedMs(atMs, 'old')).toBe(mostMs);
      account.add(atMs, mostMs);
    }
    expect(account.count).toBe(before + 6);
  });
});
