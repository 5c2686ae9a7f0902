/** One snapshot of a Python's memory: the process is stopped, read and let go, and each step is written down as it comes. */
import type { SnapshotFile } from '../../model/incident-folder.ts';
import type { MemoryPicture } from '../../model/report.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import { takeSnapshot, type SnapshotStep } from '../../python/heap-snapshot.ts';
import { isRefusal, mayBePython } from '../../python/process/live-process.ts';
import { ChunkPool } from '../../python/process/memory.ts';
import {
  isTraced,
  notStopped,
  pause,
  type Guard,
  type Paused,
} from '../../python/process/pause.ts';
import {
  closeTarget,
  openTarget,
  ProcessKnowledge,
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
import { runMarkOf } from './run-mark.ts';
import { collectGarbage } from './garbage.ts';
import { isInside } from './limits.ts';
import type { Setup, SnapshotReply, WatchedProcess } from './messages.ts';
import { isPressing, msLeft, type Rest, type ScheduledLimit } from './schedule.ts';
import { dropOldSnapshots, snapshotPath, writeSnapshot } from './snapshot-file.ts';
import type { Prose } from '../../model/prose.ts';
import { StopAccount, stopBudget, type StopReason } from './stop-budget.ts';
import { threadCpuMs } from './thread-cpu.ts';

const mib = 2 ** 20;
/** A snapshot takes CPU beside the stop, which the command may lack: at most a tenth of one CPU, and two thirds of one where the command is dying. */
const restPerCpu: Readonly<Record<StopReason, number>> = { closer: 10, dying: 0.5, old: 10 };
/** A process that is not stopped is read for so long at most. */
const movingMs: Ms = 200;
/** Free bytes that a snapshot needs where coroner lives within the same limit: with and without memory taken before. */
const neededAtFirstBytes = 64 * mib;
const neededAgainBytes = 8 * mib;
/** A process that was no Python is asked again after so long: it may become one by exec. */
const notPythonMs: Ms = 1000;
const mostMissed = 64;
/** Until it stands, and until it goes on: both count as stopped. */
const stopLatencyMs: Ms = 5;

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
  /** By pid. */
  readonly known: Map<number, ProcessKnowledge>;
  count: number;
  /** By pid: the file of the last snapshot that named a holder. */
  readonly named: Map<number, string>;
  /** What a whole snapshot takes here, measured. */
  wholeMs: Ms;
  neededFreeBytes: Bytes;
  readonly stops: StopAccount;
  /** The last picture explained little of what the process held: it may have been in the middle of a change. */
  explainedLittle: boolean;
  /** No picture without a stop before. On `performance.now()`'s clock. */
  earlyRest: Ms;
  /** No snapshot before: the stops would be too long, or the reader would take too much CPU. On `performance.now()`'s clock. */
  rest: Rest;
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
    known: new Map(),
    named: new Map(),
    count: 0,
    wholeMs: 300,
    neededFreeBytes: setup.forced ? neededAgainBytes : neededAtFirstBytes,
    stops: new StopAccount(),
    explainedLittle: false,
    earlyRest: 0,
    rest: { closer: 0, dying: 0, old: 0 },
  };
}

/** A process and the limit it nears. */
export interface Subject {
  readonly process: WatchedProcess;
  readonly rssBytes: Bytes;
  readonly limit: ScheduledLimit;
  readonly due: StopReason;
  /** Share of the limit that is free, with what the kernel can take back. */
  readonly freeShare: number;
  /** It may be stopped for no longer, whatever the budget of stops has left. */
  readonly mostStopMs?: Ms;
  /** Other limits that a snapshot must leave room in. */
  readonly within?: readonly ScheduledLimit[];
  /** To be told with the snapshot. */
  readonly notes?: readonly string[];
  /** It waits at a request that `--memory-limit` refuses. */
  readonly refusal?: SnapshotFile['refusal'];
  /** It need not stand still any more. Not called where it was not looked at; perhaps more than once. */
  readonly onResume?: () => void;
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
  const { process, limit, due } = subject;
  const { pid } = process;
  const { stops, setup, guard } = taker;
  const limits = [limit, ...(subject.within ?? [])];
  if (limits.some(({ gauge }) => isTooTight(gauge, taker.neededFreeBytes))) {
    const why =
      'coroner is within the same limit as the command, and less was free there than a look takes';
    if (mayBePython(pid)) sayMissed(taker, pid, why, !taker.setup.forced);
    return;
  }
  const inner = runWithin(setup.mark, pid);
  if (inner !== null) {
    sayMissed(taker, pid, `it belongs to another coroner run: ${inner}`);
    return;
  }
  const cpuBefore = threadCpuMs();
  if (!isReadable(taker, pid, performance.now())) return;
  const { mostStopMs = Infinity } = subject;
  const stopMs = Math.min(setup.stopMs, mostStopMs, stops.allowedMs(sinceStart(taker), due));
  if (stopMs === 0) return;
  const begun = performance.now();
  taker.reply({ what: 'held', pid, mostMs: stopMs });
  const stopped = pause(pid, guard, { mostMs: stopMs - stopLatencyMs, waitMs: stopMs / 2 });
  if (stopped === null || isTraced(stopped) || stopped.wasStopped)
    taker.reply({ what: 'held', pid, mostMs: null });
  if (stopped === null) return;
  const traced = isTraced(stopped) ? notStopped(stopped) : null;
  if (traced !== null) sayMissed(taker, pid, traced);
  taker.count += 1;
  hold(taker, {
    ...subject,
    isEarly: false,
    paused: isTraced(stopped) ? null : stopped,
    notes: [...(subject.notes ?? []), ...(traced === null ? [] : [traced])],
    stopMs,
    // From its signal on: before that the process ran, however long this thread waited for a CPU.
    begun: isTraced(stopped) ? begun : stopped.begunAt,
    cpuBefore,
    path: snapshotPath(setup.folder, taker.count, pid),
    atMs: Math.round(sinceStart(taker)),
    stoppedMs: null,
    step: null,
    isWhole: true,
    last: null,
  });
}

/** Takes a picture of a process, where it is a Python, while it runs. Never throws. */
export function lookEarly(taker: Taker, subject: Subject): void {
  const { pid } = subject.process;
  const { setup } = taker;
  if (isTooTight(subject.limit.gauge, taker.neededFreeBytes)) return;
  if (runWithin(setup.mark, pid) !== null) return;
  const cpuBefore = threadCpuMs();
  if (!isReadable(taker, pid, performance.now())) return;
  taker.count += 1;
  hold(taker, {
    ...subject,
    isEarly: true,
    paused: null,
    notes: [],
    stopMs: movingMs,
    begun: performance.now(),
    cpuBefore,
    path: snapshotPath(setup.folder, taker.count, pid),
    atMs: Math.round(sinceStart(taker)),
    stoppedMs: null,
    step: null,
    isWhole: true,
    last: null,
  });
}

/** The mark (its incident folder) of the run within this one that started the process: who looks into it is decided there. null: there is none. */
function runWithin(own: string, pid: number): string | null {
  const other = runMarkOf(pid) ?? own;
  return other === own ? null : other;
}

const maxKnownProcesses = 64;
function knowledgeOf({ known }: Taker, pid: number): ProcessKnowledge {
  const before = known.get(pid);
  if (before !== undefined) return before;
  // Of very many processes the first ones have most likely ended.
  if (known.size >= maxKnownProcesses) known.delete(known.keys().next().value!);
  const made = new ProcessKnowledge();
  known.set(pid, made);
  return made;
}

const open = (taker: Taker, pid: number): ReturnType<typeof openTarget> =>
  openTarget(pid, smallCount, smallChunks, taker.pool, knowledgeOf(taker, pid));

const sinceStart = ({ setup }: Taker): Ms => Date.now() - setup.startedAt;

/** Whether the process is a Python that can be read, found out before it is stopped. */
function isReadable(taker: Taker, pid: number, begun: Ms): boolean {
  const probe = open(taker, pid);
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
  /** Far from the limit: nothing was stopped for it, and what follows need not wait. */
  readonly isEarly: boolean;
  /** null: the process must not be stopped, and is read while it runs. */
  readonly paused: Paused | null;
  readonly notes: readonly string[];
  readonly stopMs: Ms;
  /** On `performance.now()`'s clock. */
  readonly begun: Ms;
  /** CPU time of this thread before it began. */
  readonly cpuBefore: Ms;
  readonly path: string;
  /** Since the start of the run. */
  readonly atMs: Ms;
  /** How long the process was stopped; null: it still is. */
  stoppedMs: Ms | null;
  /** How far it got. */
  step: SnapshotStep | null;
  /** False: its estimate ended with the time. */
  isWhole: boolean;
  /** The last step, written while it was stopped: it does not say yet for how long. */
  last: { readonly stage: SnapshotStep; readonly picture: MemoryPicture } | null;
}

function hold(taker: Taker, taking: Taking): void {
  const { pid } = taking.process;
  try {
    const target = open(taker, pid);
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
  const { rssBytes, limit, paused, begun, stopMs, due } = taking;
  const censusChunks = chunksFor(limit.gauge);
  const until = paused?.heldUntil ?? performance.now() + movingMs;
  const isHeld = () => taking.stoppedMs === null && performance.now() < until;
  takeSnapshot(target, {
    budgetMs: Math.max(0, Math.min(stopMs, until - performance.now())),
    quick: true,
    moves: paused?.isStill !== true,
    // What is done after it was let go leaves the limit unwatched: not where it would be reached meanwhile.
    // While the run is short, a count would take the time of the stop at which it dies.
    mayCount:
      paused !== null &&
      (due === 'dying' ||
        (stopMs > stopBudget.mostMs / 2 && msLeft(limit, taking.freeShare) > 3 * taker.wholeMs)),
    goOn: () => isHeld() || !isPressing(limit),
    pool: taker.pool,
    modules: knowledgeOf(taker, taking.process.pid).modules,
    censusChunks,
    expectedObjects: (found) => expectedObjects(rssBytes, found),
    ...(censusChunks < mostChunks ? tightNodes : wideNodes),
    onStep: (step, picture, isWhole) => {
      const tookMs = performance.now() - begun;
      // Who holds it is best read while it stands still, if there is time left.
      taking.step = step;
      taking.isWhole = isWhole;
      if (step === 'census' && tookMs > stopMs * 0.7) resume(taker, taking);
      writeStep(taker, taking, step, picture);
      if (step === 'quick') taker.explainedLittle = explainsLittle(picture, rssBytes);
      if (step === 'holders') taker.wholeMs = (taker.wholeMs + performance.now() - begun) / 2;
    },
    onRead: () => resume(taker, taking),
  });
}

const littleShare = 0.3;
function explainsLittle({ holders = [] }: MemoryPicture, rssBytes: Bytes): boolean {
  const bytes = holders.reduce((sum, { retainedBytes }) => sum + retainedBytes, 0);
  return bytes < littleShare * rssBytes;
}

function resume(taker: Taker, taking: Taking): void {
  const { paused, begun, process } = taking;
  paused?.resume();
  taking.onResume?.();
  if (taking.stoppedMs !== null) return;
  if (paused === null || paused.wasStopped) {
    taking.stoppedMs = 0;
    return;
  }
  taker.reply({ what: 'held', pid: process.pid, mostMs: null });
  taking.stoppedMs = Math.round(Math.min(performance.now(), paused.heldUntil) - begun);
  taker.stops.add(sinceStart(taker), taking.stoppedMs);
}

function writeStep(
  taker: Taker,
  taking: Taking,
  stage: SnapshotStep,
  picture: MemoryPicture,
): void {
  const { process, atMs, rssBytes, stoppedMs, limit, freeShare, notes, refusal } = taking;
  if ((picture.holders?.length ?? 0) > 0) taker.named.set(process.pid, taking.path);
  const { stops } = taker;
  taking.last = stoppedMs === null ? { stage, picture } : null;
  const content: SnapshotFile = {
    format: 'coroner-look/1',
    pid: process.pid,
    name: process.name,
    atMs,
    stage,
    ...(taking.isWhole ? {} : { cutShort: true as const }),
    rssBytes,
    ...(stoppedMs === null ? {} : { stoppedMs }),
    stops: {
      count: stops.count,
      sumMs: Math.round(stops.sumMs),
      longestMs: Math.round(stops.longestMs),
    },
    limitBytes: limit.gauge.limitBytes,
    freeBytes: Math.round(freeShare * limit.gauge.limitBytes),
    ...(refusal === undefined ? {} : { refusal }),
    picture:
      notes.length === 0 ? picture : { ...picture, notes: [...notes, ...(picture.notes ?? [])] },
  };
  writeSnapshot(taking.path, content);
}

/** The process runs again. */
function tidyUp(taker: Taker, taking: Taking): void {
  const { setup, pool } = taker;
  const { limit, last, process, step, cpuBefore } = taking;
  // How long it was stopped is known only now: the age of the snapshot counts from there.
  if (last !== null) writeStep(taker, taking, last.stage, last.picture);
  if (!taking.isEarly) limit.earlier = null;
  dropOldSnapshots(setup.folder, process.pid, taker.named.get(process.pid));
  // To collect garbage costs as much as a whole look at stacks and estimates, which leave little of it.
  if (step === 'census' || step === 'holders') {
    // Within the limit, what coroner has once is not taken from the command again.
    if (!setup.forced && !isInside(limit.gauge)) pool.clear();
    collectGarbage();
  }
  const cpuMs = threadCpuMs() - cpuBefore;
  if (taking.isEarly) taker.earlyRest = performance.now() + restPerCpu.closer * cpuMs;
  else rest(taker, cpuMs);
}

/** From when on the next snapshot may be taken, by what this one and all before it took. */
function rest(taker: Taker, cpuMs: Ms): void {
  const { stops } = taker;
  const [now, atMs] = [performance.now(), sinceStart(taker)];
  const until = (reason: StopReason): Ms =>
    now + Math.max(restPerCpu[reason] * cpuMs, stops.nextMs(atMs, reason) - atMs);
  taker.rest = { closer: until('closer'), dying: until('dying'), old: until('old') };
}

/** When the next stop may be, from now. */
export const msUntilNextStop = (taker: Taker, reason: StopReason): Ms => {
  const atMs = sinceStart(taker);
  return Math.max(0, taker.stops.nextMs(atMs, reason) - atMs);
};

/** Compiles the reader by a small snapshot of a process that goes on running; `briefly`: without its count of objects. False: the process is no Python, or not yet. */
export function warmUpOn(
  taker: Taker,
  pid: number,
  { briefly }: { readonly briefly: boolean },
): boolean {
  const target = open(taker, pid);
  if (isRefusal(target)) {
    taker.notPython.set(pid, performance.now());
    return false;
  }
  try {
    takeSnapshot(target, {
      budgetMs: briefly ? 100 : 300,
      quick: true,
      mayCount: !briefly,
      pool: taker.pool,
      modules: knowledgeOf(taker, pid).modules,
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
