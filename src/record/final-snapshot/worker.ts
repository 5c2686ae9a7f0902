/** The worker thread of the final snapshot: it watches every limit of the run and takes snapshots of the Pythons that near one. */
import { totalmem } from 'node:os';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { Bytes, Ms } from '../../model/units.ts';
import { startGuard } from '../../python/process/pause.ts';
import { answerAsks, watchAsks, type Asks } from './asks.ts';
import { collectGarbage } from './garbage.ts';
import {
  cgroupGauge,
  freeBytesOf,
  hostGauge,
  isFilling,
  residentBytes,
  rlimitGauge,
  rlimitId,
  type Gauge,
} from './limits.ts';
import { newPeak } from './peak.ts';
import type {
  CgroupLimit,
  Setup,
  SnapshotOrder,
  SnapshotReply,
  WatchedProcess,
} from './messages.ts';
import {
  isEarlyDue,
  longestWaitMs,
  msLeft,
  readLimit,
  repeatLook,
  safeMs,
  schedule,
  snapshotTaken,
  type ScheduledLimit,
} from './schedule.ts';
import {
  isNoPython,
  lookEarly,
  lookInto,
  newTaker,
  warmUpOn,
  type Subject,
  type Taker,
} from './snapshot.ts';

/** Processes below this share of the limit are not what fills it. */
const leastShare = 0.1;
/** The largest ones are looked at, so many for each level. */
const mostAtOnce = 3;
/** How fast it grows is known after so long; there must be so much time left. */
const knownMs: Ms = 150;
const warmUpLeftMs: Ms = 3000;
const warmUpBytes = 8 * 2 ** 20;
/** Orders and limits are read so often before other events of the thread get a turn. */
const pollsInATurn = 40;
/** Where there is so much time, the other events come first. */
const pauseMs: Ms = 20;

interface Worker {
  readonly port: MessagePort;
  readonly taker: Taker;
  /** By the gauge's id. */
  readonly limits: Map<string, ScheduledLimit>;
  processes: readonly WatchedProcess[];
  /** From the last sample that read it; null: none has. */
  hostAvailableBytes: Bytes | null;
  /** null: no agent was loaded, or nothing refuses: neither `--memory-limit` nor an rlimit. */
  asks: Asks | null;
  /** On `performance.now()`'s clock. */
  readonly startedAt: Ms;
  /** By pid: what it held when a peak was looked at. */
  readonly looked: Map<number, Bytes>;
  isWarm: boolean;
  hasEnded: boolean;
}

/** Runs until the order to end comes. */
export function watch(setup: Setup, port: MessagePort): void {
  const reply = (message: SnapshotReply) => port.postMessage(message);
  const guard = startGuard();
  const { folder, memoryLimitBytes, pageSizeBytes } = setup;
  const worker: Worker = {
    port,
    asks: memoryLimitBytes === null ? null : watchAsks(folder, memoryLimitBytes, pageSizeBytes),
    taker: newTaker(setup, guard, reply),
    limits: new Map(),
    processes: [],
    hostAvailableBytes: null,
    startedAt: performance.now(),
    looked: new Map(),
    isWarm: false,
    hasEnded: false,
  };
  const turn = () => {
    for (let polls = 0; polls < pollsInATurn; polls += 1) {
      takeOrders(worker);
      if (worker.hasEnded) {
        for (const { gauge } of worker.limits.values()) gauge.close();
        worker.asks?.file.close();
        guard.close();
        reply({ what: 'ended' });
        port.close();
        return;
      }
      if (!worker.isWarm) warmUp(worker);
      const waitMs = Math.min(answer(worker), poll(worker));
      Atomics.wait(setup.bell, 0, 0, waitMs);
      if (waitMs > pauseMs) break;
    }
    setImmediate(turn);
  };
  turn();
}

function takeOrders(worker: Worker): void {
  for (;;) {
    const message = receiveMessageOnPort(worker.port) as { message: SnapshotOrder } | undefined;
    if (message === undefined) return;
    const order = message.message;
    if (order.what === 'end') worker.hasEnded = true;
    else {
      worker.processes = order.processes;
      followLimits(worker, order.cgroups);
      worker.asks ??= asksAtRlimits(worker);
      if (order.host !== null) worker.hostAvailableBytes = order.host.availableBytes;
    }
  }
}

/** null: no process has an rlimit that refuses memory. */
function asksAtRlimits({ processes, taker }: Worker): Asks | null {
  if (processes.every(({ rlimits }) => rlimits.length === 0)) return null;
  return watchAsks(taker.setup.folder, null, taker.setup.pageSizeBytes);
}

/** Watches the limits that there are now, and no others. */
function followLimits(worker: Worker, cgroups: readonly CgroupLimit[]): void {
  const { limits, processes } = worker;
  const { pageSizeBytes } = worker.taker.setup;
  const present = new Set<string>();
  const keep = (id: string, limitBytes: Bytes, make: () => Gauge | null) => {
    present.add(id);
    const known = limits.get(id);
    if (known?.gauge.limitBytes === limitBytes) return;
    known?.gauge.close();
    limits.delete(id);
    const gauge = make();
    if (gauge !== null) limits.set(id, schedule(gauge));
  };
  for (const cgroup of cgroups) keep(cgroup.folder, cgroup.limitBytes, () => cgroupGauge(cgroup));
  for (const { pid, rlimits } of processes)
    for (const limit of rlimits)
      keep(rlimitId(pid, limit), limit.limitBytes, () => rlimitGauge(pid, limit, pageSizeBytes));
  keep('host', totalmem(), () => hostGauge(() => worker.hostAvailableBytes));
  for (const [id, { gauge }] of limits)
    if (!present.has(id)) {
      gauge.close();
      limits.delete(id);
    }
}

/** Reads every limit, and takes a snapshot where one is due. Returns how long nothing can happen. */
function poll(worker: Worker): Ms {
  let waitMs = longestWaitMs;
  for (const limit of worker.limits.values()) {
    const reading = readLimit(limit, worker.taker.rest);
    if (reading === null) continue;
    const { freeBytes, due, notBefore } = reading;
    const freeShare = freeBytes / limit.gauge.limitBytes;
    if (due !== null) {
      worker.taker.explainedLittle = false;
      takeSnapshots(worker, limit, { due, freeShare }, lookInto);
      snapshotTaken(limit);
      if (worker.taker.explainedLittle) repeatLook(limit);
    } else if (performance.now() >= worker.taker.earlyRest && isEarlyDue(limit, freeBytes))
      takeSnapshots(worker, limit, { due: 'closer', freeShare }, lookEarly);
    const restMs = notBefore - performance.now();
    waitMs = Math.min(waitMs, Math.max(restMs, safeMs(limit, freeBytes)));
  }
  if (worker.taker.setup.atPeak) lookAtPeak(worker);
  return waitMs;
}

function answer({ asks, taker, processes, limits }: Worker): Ms {
  if (asks === null) return longestWaitMs;
  return answerAsks(asks, taker, processes, [...limits.values()]);
}

/** Within the budget of all stops, and never before another reason has had its turn. */
function lookAtPeak({ taker, processes, looked, limits }: Worker): void {
  const limit = limits.get('host');
  if (limit === undefined || performance.now() < taker.rest.old) return;
  const process = newPeak(
    processes.filter(({ pid }) => !isNoPython(taker, pid)),
    looked,
  );
  if (process === null) return;
  const rssBytes = residentBytes(process.pid, taker.setup.pageSizeBytes);
  if (rssBytes === null) return;
  const before = taker.count;
  lookInto(taker, { process, rssBytes, limit, due: 'old', freeShare: 1 });
  if (taker.count > before) looked.set(process.pid, rssBytes);
}

/** Of the process that the limit limits, or of the largest ones below it. */
function takeSnapshots(
  worker: Worker,
  limit: ScheduledLimit,
  why: Pick<Subject, 'due' | 'freeShare'>,
  look: (taker: Taker, subject: Subject) => void,
): void {
  const { taker, processes } = worker;
  const { pid: ofPid, limitBytes } = limit.gauge;
  const leastBytes = ofPid === null ? leastShare * Math.min(limitBytes, totalmem()) : 0;
  const candidates = processes
    .filter(({ pid }) => ofPid === null || pid === ofPid)
    .flatMap((process) => {
      const rssBytes = residentBytes(process.pid, taker.setup.pageSizeBytes);
      return rssBytes === null || rssBytes < leastBytes ? [] : [{ process, rssBytes }];
    })
    .filter(({ process }) => !isNoPython(taker, process.pid))
    .sort((a, b) => b.rssBytes - a.rssBytes)
    .slice(0, mostAtOnce);
  for (const candidate of candidates) look(taker, { ...candidate, ...why, limit });
}

/** The first snapshot pays for compiling the reader: better now, without stopping anything, than at the limit. */
function warmUp(worker: Worker): void {
  const { taker, processes } = worker;
  const gauges = [...worker.limits.values()]
    .map(({ gauge }) => gauge)
    .filter(({ kind }) => kind !== 'host');
  const budget = worker.asks?.limit?.gauge;
  if (budget !== undefined) gauges.push(budget);
  const process = processes.find(
    ({ pid, rssBytes }) => rssBytes > warmUpBytes && !isNoPython(taker, pid),
  );
  // Near a limit there is no time for it, nor on a fast way there: the limit must be read.
  if (process === undefined || gauges.length === 0 || gauges.some(isFilling)) return;
  // A process that waits at its refusal would wait for all of it, so it is brief there, and early.
  const briefly = budget !== undefined;
  if (!briefly && performance.now() - worker.startedAt < knownMs) return;
  const isFast = (limit: ScheduledLimit) =>
    msLeft(limit, freeBytesOf(limit.gauge) / limit.gauge.limitBytes) < warmUpLeftMs;
  if ([...worker.limits.values()].some(isFast)) return;
  worker.isWarm = warmUpOn(taker, process.pid, { briefly });
  if (worker.isWarm) collectGarbage();
}
