/** One snapshot of a Python's memory: the process is stopped, read and let go, and each step is written down as it comes. */
import type { SnapshotFile } from '../../model/incident-folder.ts';
import type { MemoryPicture } from '../../model/report.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import { takeSnapshot, type SnapshotStep } from '../../python/heap-snapshot.ts';
import { isRefusal, mayBePython } from '../../python/process/live-process.ts';
import { ChunkPool } from '../../python/process/memory.ts';
import { pause, type Guard, type Paused } from '../../python/process/pause.ts';
import {
  closeTarget,
  openTarget,
  smallChunks,
  versionText,
  type Target,
} from '../../python/target.ts';
import {
  chunksFor,
  expectedObjects,
  isTooTight,
  leastChunks,
  mostChunks,
  reservedChunks,
  smallCount,
  tightNodes,
  wideNodes,
} from './budget.ts';
import { collectGarbage } from './garbage.ts';
import { isInside } from './limits.ts';
import type { Setup, SnapshotReply, WatchedProcess } from './messages.ts';
import { isPressing, msLeft, type ScheduledLimit } from './schedule.ts';
import { dropOldSnapshots, snapshotPath, writeSnapshot } from './snapshot-file.ts';
import type { Prose } from '../../model/prose.ts';

const mib = 2 ** 20;
/** Below this share of a cgroup's limit the process is all but dead: it may be held longer. */
const lostShare = 0.02;
const lostStopMs: Ms = 3000;
/** Free bytes that a snapshot needs where coroner lives within the same limit: with and without memory taken before. */
const neededAtFirstBytes = 64 * mib;
const neededAgainBytes = 8 * mib;
/** A process that was no Python is asked again after so long: it may become one by exec. */
const notPythonMs: Ms = 1000;
const mostMissed = 64;

/** What all snapshots of a run share. */
export interface Taker {
  readonly setup: Setup;
  readonly guard: Guard;
  readonly reply: (reply: SnapshotReply) => void;
  /** Memory for reading, used again by the next snapshot. */
  readonly pool: ChunkPool;
  /** By pid: when it was seen to be no Python, on `performance.now()`'s clock. */
  readonly notPython: Map<number, Ms>;
  readonly missedPids: Set<number>;
  count: number;
  /** What a whole snapshot takes here, measured. */
  wholeMs: Ms;
  neededFreeBytes: Bytes;
  /** No stop before this time: snapshots must not eat more than a share of the run. */
  restUntil: Ms;
}

export function newTaker(setup: Setup, guard: Guard, reply: Taker['reply']): Taker {
  const pool = new ChunkPool();
  // Taken at once, while there is room: the command's limit is reached a little earlier, but not by the snapshot.
  if (setup.forced) {
    pool.fill(2 ** 16, smallCount);
    pool.fill(2 ** 20, reservedChunks);
  }
  return {
    setup,
    guard,
    reply,
    pool,
    notPython: new Map(),
    missedPids: new Set(),
    count: 0,
    wholeMs: 300,
    neededFreeBytes: setup.forced ? neededAgainBytes : neededAtFirstBytes,
    restUntil: 0,
  };
}

/** A process and the limit it nears. */
export interface Subject {
  readonly process: WatchedProcess;
  readonly rssBytes: Bytes;
  readonly limit: ScheduledLimit;
  /** Share of the limit that is free, with what the kernel can take back. */
  readonly freeShare: number;
}

export const isNoPython = ({ notPython }: Taker, pid: number): boolean =>
  performance.now() - (notPython.get(pid) ?? -Infinity) < notPythonMs;

/** Says once for each process why a snapshot that was due was not taken. */
function sayMissed(taker: Taker, pid: number, why: Prose, forHeadroom = false): void {
  const { missedPids, reply } = taker;
  if (missedPids.has(pid) || missedPids.size >= mostMissed) return;
  missedPids.add(pid);
  reply({ what: 'missed', pid, why, forHeadroom });
}

/** Takes a snapshot of a process where it is a Python. Never throws. */
export function lookInto(taker: Taker, subject: Subject): void {
  const { process, limit, freeShare } = subject;
  const { pid } = process;
  if (isTooTight(limit.gauge, taker.neededFreeBytes)) {
    const why =
      'coroner is within the same limit as the command, and less was free there than a look takes';
    if (mayBePython(pid)) sayMissed(taker, pid, why, !taker.setup.forced);
    return;
  }
  const begun = performance.now();
  if (!isReadable(taker, pid, begun)) return;
  const isLost = freeShare < lostShare && limit.gauge.kind === 'cgroup';
  const stopMs = isLost ? Math.max(lostStopMs, taker.setup.stopMs) : taker.setup.stopMs;
  taker.reply({ what: 'held', pid, mostMs: stopMs });
  const paused = pause(pid, taker.guard, { mostMs: stopMs });
  if (paused === null) {
    taker.reply({ what: 'held', pid, mostMs: null });
    return;
  }
  taker.count += 1;
  hold(taker, {
    ...subject,
    isLost,
    stopMs,
    begun,
    paused,
    path: snapshotPath(taker.setup.folder, taker.count, pid),
    atMs: Math.round(Date.now() - taker.setup.startedAt),
    stoppedMs: null,
    last: null,
  });
}

/** Whether the process is a Python that can be read, found out before it is stopped. */
function isReadable(taker: Taker, pid: number, begun: Ms): boolean {
  const probe = openTarget(pid, smallCount, smallChunks, taker.pool);
  if (!isRefusal(probe)) {
    closeTarget(probe);
    return true;
  }
  taker.notPython.set(pid, begun);
  if (probe.code !== 'gone' && probe.code !== 'not-cpython') {
    taker.reply({ what: 'note', text: `last look: ${probe.detail}`, pid });
    if (mayBePython(pid)) sayMissed(taker, pid, probe.detail);
  }
  return false;
}

/** A snapshot that is being taken. */
interface Taking extends Subject {
  readonly isLost: boolean;
  readonly stopMs: Ms;
  /** On `performance.now()`'s clock. */
  readonly begun: Ms;
  readonly paused: Paused;
  readonly path: string;
  /** Since the start of the run. */
  readonly atMs: Ms;
  /** How long the process was stopped; null: it still is. */
  stoppedMs: Ms | null;
  /** The last step, written while it was stopped: it does not say yet for how long. */
  last: { readonly stage: SnapshotStep; readonly picture: MemoryPicture } | null;
}

function hold(taker: Taker, taking: Taking): void {
  const { pid } = taking.process;
  try {
    const target = openTarget(pid, smallCount, smallChunks, taker.pool);
    if (isRefusal(target)) return;
    if (target.runtime.isStacksOnly)
      sayMissed(
        taker,
        pid,
        `of CPython ${versionText(target.runtime)} only the stacks can be read`,
      );
    try {
      readTarget(taker, taking, target);
    } finally {
      closeTarget(target);
      taker.neededFreeBytes = Math.min(taker.neededFreeBytes, neededAgainBytes);
    }
  } catch (error) {
    const text = `last look: ${error instanceof Error ? error.message : String(error)}`;
    taker.reply({ what: 'note', text, pid });
  } finally {
    resume(taker, taking);
    tidyUp(taker, taking);
  }
}

function readTarget(taker: Taker, taking: Taking, target: Target): void {
  const { rssBytes, limit, paused, begun, stopMs, isLost } = taking;
  const censusChunks = chunksFor(limit.gauge);
  const isHeld = () => taking.stoppedMs === null && performance.now() < paused.heldUntil;
  takeSnapshot(target, {
    budgetMs: Math.max(0, Math.min(stopMs, paused.heldUntil - performance.now())),
    quick: true,
    // What is done after it was let go leaves the limit unwatched: not where it would be reached meanwhile.
    mayCount: isLost || msLeft(limit, taking.freeShare) > 3 * taker.wholeMs,
    goOn: () => isHeld() || !isPressing(limit),
    pool: taker.pool,
    censusChunks,
    expectedObjects: (large) => expectedObjects(rssBytes, large),
    ...(censusChunks < mostChunks ? tightNodes : wideNodes),
    onStep: (step, picture) => {
      const tookMs = performance.now() - begun;
      // Who holds it is best read while it stands still, if there is time left.
      if (step === 'census' && tookMs > stopMs * 0.7) resume(taker, taking);
      writeStep(taking, step, picture);
      if (step === 'holders') taker.wholeMs = (taker.wholeMs + performance.now() - begun) / 2;
    },
    onRead: () => resume(taker, taking),
  });
}

function resume({ reply }: Taker, taking: Taking): void {
  taking.paused.resume();
  if (taking.stoppedMs !== null) return;
  reply({ what: 'held', pid: taking.process.pid, mostMs: null });
  const until = Math.min(performance.now(), taking.paused.heldUntil);
  taking.stoppedMs = Math.round(until - taking.begun);
}

function writeStep(taking: Taking, stage: SnapshotStep, picture: MemoryPicture): void {
  const { process, atMs, rssBytes, stoppedMs, limit, freeShare } = taking;
  taking.last = stoppedMs === null ? { stage, picture } : null;
  const content: SnapshotFile = {
    format: 'coroner-look/1',
    pid: process.pid,
    name: process.name,
    atMs,
    stage,
    rssBytes,
    ...(stoppedMs === null ? {} : { stoppedMs }),
    limitBytes: limit.gauge.limitBytes,
    freeBytes: Math.round(freeShare * limit.gauge.limitBytes),
    picture,
  };
  writeSnapshot(taking.path, content);
}

/** The process runs again. */
function tidyUp(taker: Taker, taking: Taking): void {
  const { setup, pool } = taker;
  const { limit, last, process } = taking;
  // How long it was stopped is known only now: the age of the snapshot counts from there.
  if (last !== null) writeStep(taking, last.stage, last.picture);
  // It runs twice as long as it was stopped, but there should be more snapshots before it is dead.
  const restMs = Math.min(2000, 2 * (taking.stoppedMs ?? 0), msLeft(limit, taking.freeShare) / 4);
  taker.restUntil = performance.now() + restMs;
  limit.earlier = null;
  dropOldSnapshots(setup.folder, process.pid);
  // Within the limit, what coroner has once is not taken from the command again.
  if (!setup.forced && !isInside(limit.gauge)) pool.clear();
  collectGarbage();
}

/** Compiles the reader by a small snapshot of a process that goes on running. False: the process is no Python, or not yet. */
export function warmUpOn(taker: Taker, pid: number): boolean {
  const target = openTarget(pid, smallCount, smallChunks, taker.pool);
  if (isRefusal(target)) {
    taker.notPython.set(pid, performance.now());
    return false;
  }
  try {
    takeSnapshot(target, {
      budgetMs: 300,
      quick: true,
      pool: taker.pool,
      censusChunks: leastChunks,
      ...tightNodes,
    });
  } catch {
    // It runs and changes meanwhile.
  } finally {
    closeTarget(target);
  }
  return true;
}
