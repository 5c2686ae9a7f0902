/** When a snapshot is due: at levels of what is left below a limit, closer together towards the end. */
import type { Bytes, Ms } from '../../model/units.ts';
import { fastestBytesPerMs } from '../headroom.ts';
import type { Gauge } from './limits.ts';

/** Shares of the limit that are still free at which a snapshot is due. */
const levels = [0.3, 0.2, 0.13, 0.08, 0.05, 0.03, 0.02, 0.012, 0.007, 0.004, 0.002] as const;
const lastLevel = 0.002;
/** A machine is short of memory later than at 30 %: it begins with the third level. */
const firstHostLevel = 2;
/** Page cache had filled the limit, and nothing was due: it is not asked again for so long. */
const falseAlarmMs = 10;
/** At the limit the kernel may look for pages for half a minute before it kills: a snapshot should not be much older than this. */
const staleMs = 700;
const mostStaleMs = 30_000;
/** Two readings for the rate of growth lie at least so far apart. */
const growthMs = 20;
/** The longest time between two readings: processes appear, limits change. */
const idleMs = 50;

/** A limit with how far its snapshots have come. Times are on `performance.now()`'s clock. */
export interface ScheduledLimit {
  readonly gauge: Gauge;
  /** Index of the next level. */
  level: number;
  /** What was used at the last snapshot: the next one is due only above it. */
  lastUsedBytes: Bytes;
  /** An earlier reading, for the rate of growth. */
  earlier: { readonly usedBytes: Bytes; readonly at: Ms } | null;
  bytesPerMs: number;
  /** Past the last level a process may live on, in reclaim: then it is looked at again, seldomer and seldomer. */
  repeat: { readonly at: Ms; readonly afterMs: Ms } | null;
  quietUntil: Ms;
}

export const schedule = (gauge: Gauge): ScheduledLimit => ({
  gauge,
  level: firstLevel(gauge),
  lastUsedBytes: 0,
  earlier: null,
  bytesPerMs: 0,
  repeat: null,
  quietUntil: 0,
});

const firstLevel = ({ kind }: Gauge): number => (kind === 'host' ? firstHostLevel : 0);

const isBelowLevel = ({ gauge, level }: ScheduledLimit, freeBytes: Bytes): boolean =>
  level < levels.length && freeBytes <= levels[level]! * gauge.limitBytes;

/** What one reading of a limit calls for. */
export interface Reading {
  /** Where it mattered, with what the kernel can still take back. */
  readonly freeBytes: Bytes;
  readonly isDue: boolean;
}

/** Reads a limit; a snapshot that is due counts as taken. Not before `restUntil`. null: the limit cannot be read. */
export function readLimit(limit: ScheduledLimit, restUntil: Ms): Reading | null {
  const { gauge } = limit;
  const headroom = gauge.read();
  if (headroom === null) return null;
  const { freeBytes } = headroom;
  const usedBytes = gauge.limitBytes - freeBytes;
  const now = performance.now();
  measureGrowth(limit, usedBytes, now);
  const isStale = limit.repeat !== null && limit.level === levels.length && now >= limit.repeat.at;
  const isSuspect = isStale || (isBelowLevel(limit, freeBytes) && usedBytes > limit.lastUsedBytes);
  if (!isSuspect || now < Math.max(restUntil, limit.quietUntil)) {
    stepBack(limit, freeBytes);
    return { freeBytes, isDue: false };
  }
  const withCache = freeBytes + gauge.reclaimableBytes();
  const isDue =
    isBelowLevel(limit, withCache) || (isStale && withCache <= lastLevel * gauge.limitBytes);
  if (isDue) {
    limit.lastUsedBytes = usedBytes;
    while (isBelowLevel(limit, withCache)) limit.level += 1;
    const afterMs = isStale ? Math.min(mostStaleMs, limit.repeat!.afterMs * 1.5) : staleMs;
    limit.repeat = { at: Infinity, afterMs };
  } else limit.quietUntil = now + falseAlarmMs;
  return { freeBytes: withCache, isDue };
}

/** The snapshot that was due has been taken: its repetition counts from now. */
export function snapshotTaken(limit: ScheduledLimit): void {
  if (limit.repeat !== null)
    limit.repeat = { ...limit.repeat, at: performance.now() + limit.repeat.afterMs };
}

function measureGrowth(limit: ScheduledLimit, usedBytes: Bytes, at: Ms): void {
  const { earlier } = limit;
  if (earlier !== null && at - earlier.at < growthMs) return;
  if (earlier !== null)
    limit.bytesPerMs = Math.max(0, (usedBytes - earlier.usedBytes) / (at - earlier.at));
  limit.earlier = { usedBytes, at };
}

/** It shrank: the next rise is looked at again. */
function stepBack(limit: ScheduledLimit, freeBytes: Bytes): void {
  const { gauge, level } = limit;
  if (level === 0 || freeBytes <= levels[level - 1]! * gauge.limitBytes * 1.5) return;
  if (level > firstLevel(gauge)) limit.level -= 1;
  limit.lastUsedBytes = 0;
}

/** Whether the next snapshot is due by now. */
export function isPressing(limit: ScheduledLimit): boolean {
  const headroom = limit.gauge.read();
  return headroom !== null && isBelowLevel(limit, headroom.freeBytes);
}

/** How long the next level cannot be reached, even by the fastest program: from 1 ms to 50 ms. */
export function safeMs({ gauge, level }: ScheduledLimit, freeBytes: Bytes): Ms {
  const next = level < levels.length ? levels[level]! * gauge.limitBytes : 0;
  return Math.min(idleMs, Math.max(1, (freeBytes - next) / fastestBytesPerMs));
}

/** When the limit is reached at the present growth, in ms. */
export const msLeft = ({ gauge, bytesPerMs }: ScheduledLimit, freeShare: number): Ms =>
  (freeShare * gauge.limitBytes) / (bytesPerMs || 1);

export const longestWaitMs: Ms = idleMs;
