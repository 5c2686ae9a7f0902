/** When a snapshot is due: at levels of what is left below a limit, closer together towards the end. */
import type { Bytes, Ms } from '../../model/units.ts';
import { fastestBytesPerMs } from '../headroom.ts';
import type { Gauge } from './limits.ts';
import { stopBudget, type StopReason } from './stop-budget.ts';

/** Shares of the limit that are still free at which a snapshot is due. */
const levels = [0.3, 0.2, 0.13, 0.08, 0.05, 0.03, 0.02, 0.012, 0.007, 0.004, 0.002] as const;
const lastLevel = 0.002;
/** Shares of the limit that are used at which a picture is taken without stopping the process: a fast one may reach the limit at one bound. */
const earlyLevels = [0.12, 0.25, 0.4, 0.55] as const;
/** How often a limit is looked at again because a look explained little: it came in the middle of a change. */
const mostRepeats = 4;
/** A machine is short of memory later than at 30 %: it begins with the third level. */
const firstHostLevel = 2;
/** Below this share of a cgroup's limit the process is all but dead. */
const dyingShare = 0.02;
/** Below this share a picture is renewed where it has become old. */
const nearShare = 0.05;
/** Page cache had filled the limit, and nothing was due: it is not asked again for so long, longer each time. */
const falseAlarmMs = 10;
const mostFalseAlarmMs = 500;
/** At the limit the kernel may look for pages for half a minute before it kills: a snapshot should not be much older than this. */
const staleMs = 700;
/** Two readings for the rate of growth lie at least so far apart. */
const growthMs = 20;
/** Less than this between two such readings is rest; the longer it lasts, the seldomer the limit is read. */
const movementBytes = 2 ** 18;
const mostRestingMs = 20;
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
  /** When its use last moved. */
  movedAt: Ms;
  /** Past the last level a process may live on, in reclaim: then it is looked at again, seldomer and seldomer. */
  repeat: { readonly at: Ms; readonly afterMs: Ms } | null;
  /** When the last snapshot has become old; Infinity: there is none. */
  oldAt: Ms;
  /** Nothing is due before. */
  quietUntil: Ms;
  /** How long the last false alarm keeps quiet. */
  quietMs: Ms;
  /** Index of the next early level. */
  early: number;
  /** Looks that explained little and were repeated. */
  repeats: number;
}

export const schedule = (gauge: Gauge): ScheduledLimit => ({
  gauge,
  level: firstLevel(gauge),
  lastUsedBytes: 0,
  earlier: null,
  bytesPerMs: 0,
  movedAt: performance.now(),
  repeat: null,
  oldAt: Infinity,
  quietUntil: 0,
  quietMs: falseAlarmMs,
  early: 0,
  repeats: 0,
});

const firstLevel = ({ kind }: Gauge): number => (kind === 'host' ? firstHostLevel : 0);

const isBelowLevel = ({ gauge, level }: ScheduledLimit, freeBytes: Bytes): boolean =>
  level < levels.length && freeBytes <= levels[level]! * gauge.limitBytes;

/** What one reading of a limit calls for. */
export interface Reading {
  /** Where it mattered, with what the kernel can still take back. */
  readonly freeBytes: Bytes;
  /** A snapshot is due, and why; null: none is. */
  readonly due: StopReason | null;
  /** Nothing can be due before, whatever is left by then; 0: anything may. */
  readonly notBefore: Ms;
}

/** From when on a process may be stopped for each reason. */
export type Rest = Readonly<Record<StopReason, Ms>>;

/** Reads a limit; a snapshot that is due counts as taken. null: the limit cannot be read. */
export function readLimit(limit: ScheduledLimit, rest: Rest): Reading | null {
  const { gauge } = limit;
  const headroom = gauge.read();
  if (headroom === null) return null;
  const { freeBytes } = headroom;
  const usedBytes = gauge.limitBytes - freeBytes;
  const now = performance.now();
  measureGrowth(limit, usedBytes, now);
  const reason = reasonFor(limit, { freeBytes, usedBytes, now });
  if (reason === null) {
    stepBack(limit, freeBytes);
    return { freeBytes, due: null, notBefore: 0 };
  }
  const restUntil = Math.max(rest[reason], limit.quietUntil);
  if (now < restUntil) {
    const dyingAt = now + (freeBytes - dyingShare * gauge.limitBytes) / fastestBytesPerMs;
    const notBefore = reason === 'dying' ? restUntil : Math.min(restUntil, dyingAt);
    return { freeBytes, due: null, notBefore };
  }
  const withCache = freeBytes + gauge.reclaimableBytes();
  const due = reasonFor(limit, { freeBytes: withCache, usedBytes, now });
  if (due !== null && now >= rest[due]) {
    passLevels(limit, usedBytes, withCache, now);
    return { freeBytes: withCache, due, notBefore: 0 };
  }
  // Much page cache does not go at once: as long as the limit is full of it, it is asked seldomer and seldomer.
  limit.quietMs = Math.min(mostFalseAlarmMs, limit.quietMs * 1.5);
  const quietMs = Math.min(limit.quietMs, msTo(limit, withCache));
  limit.quietUntil = now + Math.max(falseAlarmMs, quietMs);
  return { freeBytes: withCache, due: null, notBefore: limit.quietUntil };
}

/** Why a snapshot is due where so much is free. `usedBytes`: with page cache. null: none is. */
function reasonFor(
  limit: ScheduledLimit,
  at: { readonly freeBytes: Bytes; readonly usedBytes: Bytes; readonly now: Ms },
): StopReason | null {
  const { gauge, level, repeat, lastUsedBytes, oldAt } = limit;
  const { limitBytes } = gauge;
  const { freeBytes, usedBytes, now } = at;
  const isCloser = isBelowLevel(limit, freeBytes) && usedBytes > lastUsedBytes;
  const isStale =
    repeat !== null &&
    level === levels.length &&
    now >= repeat.at &&
    freeBytes <= lastLevel * limitBytes;
  if (isCloser || isStale)
    return freeBytes < dyingShare * limitBytes && gauge.kind === 'cgroup' ? 'dying' : 'closer';
  return now >= oldAt && freeBytes <= nearShare * limitBytes ? 'old' : null;
}

function passLevels(limit: ScheduledLimit, usedBytes: Bytes, freeBytes: Bytes, now: Ms): void {
  const { repeat } = limit;
  const isStale = repeat !== null && now >= repeat.at;
  limit.lastUsedBytes = usedBytes;
  while (isBelowLevel(limit, freeBytes)) limit.level += 1;
  const afterMs = isStale ? Math.min(stopBudget.oldMs, repeat.afterMs * 1.5) : staleMs;
  limit.repeat = { at: Infinity, afterMs };
  limit.quietMs = falseAlarmMs;
}

/** The snapshot that was due has been taken: its repetition counts from now. */
export function snapshotTaken(limit: ScheduledLimit): void {
  const now = performance.now();
  limit.oldAt = now + stopBudget.oldMs;
  if (limit.repeat !== null) limit.repeat = { ...limit.repeat, at: now + limit.repeat.afterMs };
}

/** Whether so much is used by now that a picture is due for which nothing is stopped; it counts as taken. */
export function isEarlyDue(limit: ScheduledLimit, freeBytes: Bytes): boolean {
  const { gauge } = limit;
  if (gauge.kind === 'host') return false;
  const usedShare = 1 - freeBytes / gauge.limitBytes;
  const before = limit.early;
  while (limit.early < earlyLevels.length && usedShare >= earlyLevels[limit.early]!)
    limit.early += 1;
  return limit.early > before;
}

/** A look explained little: it is to be repeated soon, a few times in a run. */
export function repeatLook(limit: ScheduledLimit): void {
  if (limit.repeats >= mostRepeats) return;
  limit.repeats += 1;
  limit.level = Math.max(firstLevel(limit.gauge), limit.level - 1);
  limit.lastUsedBytes = 0;
}

function measureGrowth(limit: ScheduledLimit, usedBytes: Bytes, at: Ms): void {
  const { earlier } = limit;
  if (earlier !== null && at - earlier.at < growthMs) return;
  if (earlier === null || Math.abs(usedBytes - earlier.usedBytes) > movementBytes)
    limit.movedAt = at;
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

/**
 * When the limit should be read again, from 1 ms to 50 ms: before even the fastest program reaches the next level, unless nothing has moved
 * for some time.
 */
export const safeMs = (limit: ScheduledLimit, freeBytes: Bytes): Ms => {
  const restedMs = performance.now() - limit.movedAt;
  const restingMs = Math.min(mostRestingMs, restedMs / 100);
  return Math.min(idleMs, Math.max(restingMs, msTo(limit, freeBytes)));
};

function msTo({ gauge, level }: ScheduledLimit, freeBytes: Bytes): Ms {
  const next = level < levels.length ? levels[level]! * gauge.limitBytes : 0;
  return Math.max(1, (freeBytes - next) / fastestBytesPerMs);
}

/** When the limit is reached at the present growth, in ms. */
export const msLeft = ({ gauge, bytesPerMs }: ScheduledLimit, freeShare: number): Ms =>
  (freeShare * gauge.limitBytes) / (bytesPerMs || 1);

export const longestWaitMs: Ms = idleMs;
