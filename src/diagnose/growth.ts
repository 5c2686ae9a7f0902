/** Growth that did not stop before the run did: a leak that has not killed yet looks like this, and so does a program that only loads. */
import type { RunGrowth } from '../model/report.ts';
import type { Bytes } from '../model/units.ts';
import type { MomentOfRun } from './run-memory.ts';

const windows = 8;
/** Of the run: what a program takes to start is no growth of its work. */
const startUpShare = 0.2;
/** Of the run: a program that ends gives back first. */
const endShare = 0.02;
const leastRunMs = 5000;
const leastReadings = 16;
const leastGrowthBytes = 8 * 2 ** 20;
const leastGrowthShare = 0.1;
/** What the floor may fall by from one window to the next: noise. */
const noiseShare = 0.01;

/** null: it did not, or there is too little to tell. `limitBytes`: null where there is none. */
export function steadyGrowth(
  moments: readonly MomentOfRun[],
  limitBytes: Bytes | null,
): RunGrowth | null {
  const [first, last] = [moments[0]?.atMs ?? 0, moments.at(-1)?.atMs ?? 0];
  const spanMs = last - first;
  if (spanMs < leastRunMs || moments.length < leastReadings) return null;
  const fromMs = first + spanMs * startUpShare;
  const toMs = last - spanMs * endShare;
  const floors = floorsOf(moments, fromMs, toMs);
  const [start, end] = [floors[0] ?? 0, floors.at(-1) ?? 0];
  const grewBytes = end - start;
  if (grewBytes < Math.max(leastGrowthBytes, end * leastGrowthShare)) return null;
  for (let at = 1; at < floors.length; at += 1)
    if ((floors[at] ?? 0) < (floors[at - 1] ?? 0) * (1 - noiseShare)) return null;
  // It must have gone on in the last quarter as before: what flattens out was being filled.
  const lately = end - (floors.at(-3) ?? 0);
  if (lately < (grewBytes * 2) / (windows - 1) / 3) return null;
  // The first quarter alone must not be all of it either.
  if (end - (floors[2] ?? 0) < grewBytes / 3) return null;
  if (stoodStill(moments, { fromMs, toMs, start, grewBytes })) return null;
  const windowMs = (toMs - fromMs) / windows;
  const bytesPerMs = grewBytes / ((windows - 1) * windowMs);
  return {
    bytesPerHour: bytesPerMs * 3_600_000,
    fromMs: Math.round(fromMs),
    grewBytes,
    reachesLimitInMs: limitBytes === null ? null : Math.max(0, (limitBytes - end) / bytesPerMs),
  };
}

const riseShare = 1 / 16;
/** A pause at the end may be somewhat longer than those before: it may be the longest by chance. */
const pauseFactor = 2;

/** Whether it stood at its end for longer than it ever paused while it grew: then it had what it wanted. */
function stoodStill(
  moments: readonly MomentOfRun[],
  grown: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly start: Bytes;
    readonly grewBytes: Bytes;
  },
): boolean {
  const { fromMs, toMs, grewBytes } = grown;
  let high = grown.start;
  let roseMs = fromMs;
  let longestMs = (toMs - fromMs) * riseShare;
  for (const { atMs, bytes } of moments) {
    if (atMs < fromMs || atMs >= toMs || bytes < high + grewBytes * riseShare) continue;
    longestMs = Math.max(longestMs, atMs - roseMs);
    [high, roseMs] = [bytes, atMs];
  }
  return toMs - roseMs > longestMs * pauseFactor;
}

/** The least that was held in each of the windows: what a collector gives back now and then does not count. */
function floorsOf(moments: readonly MomentOfRun[], fromMs: number, toMs: number): number[] {
  const floors = Array.from({ length: windows }, () => Infinity);
  let before = 0;
  for (const { atMs, bytes } of moments) {
    if (atMs < fromMs) before = bytes;
    if (atMs < fromMs || atMs >= toMs) continue;
    const window = Math.min(windows - 1, Math.floor(((atMs - fromMs) / (toMs - fromMs)) * windows));
    floors[window] = Math.min(floors[window] ?? Infinity, bytes);
  }
  // A window without a reading: nothing had changed since the one before.
  for (const [at, floor] of floors.entries())
    if (floor === Infinity) floors[at] = floors[at - 1] ?? before;
  return floors;
}
