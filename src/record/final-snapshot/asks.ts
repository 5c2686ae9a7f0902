/**
 * Snapshots at a refusal, by `--memory-limit` or by an rlimit: a process waits where it is refused until it was looked at, and the next one
 * is taken when a tenth more is held. agent/ask.c is the other side.
 */
import type { SnapshotFile } from '../../model/incident-folder.ts';
import { nameWithPid } from '../../model/name-with-pid.ts';
import { formatBytes, type Bytes, type Ms } from '../../model/units.ts';
import { runMarkOf } from './run-mark.ts';
import { readText } from '../../python/process/live-process.ts';
import { fastestBytesPerMs, headroomOf } from '../headroom.ts';
import { AskFile, type Ask, type AskReading } from './ask-file.ts';
import { residentBytes, type Gauge } from './limits.ts';
import type { WatchedProcess } from './messages.ts';
import { longestWaitMs, schedule, type ScheduledLimit } from './schedule.ts';
import { isNoPython, lookInto, msUntilNextStop, type Taker } from './snapshot.ts';

/** Outlasts what else keeps the thread busy (its warming up, a snapshot), on a loaded machine too. */
const promiseMs: Ms = 2000;
const renewMs: Ms = 100;
/** By then the thread has come up. */
export const firstPromiseMs: Ms = 3000;
/** A process waits for so long at most (MOST_NS in agent/ask.c), and some of it goes by before and after the stop. */
const mostWaitMs: Ms = 480;
/** In less nothing is learned. */
const leastStopMs: Ms = 25;
const longestRestMs: Ms = 20;
/** A process that an rlimit has refused may wait for so long. */
const betweenRlimitsMs: Ms = 5;

/** Where processes ask, and the limit of `--memory-limit` while it is watched. */
export interface Asks {
  readonly file: AskFile;
  /** null: there is no `--memory-limit`, and rlimits refuse. */
  readonly limit: ScheduledLimit | null;
  usedBytes: Bytes;
  /** On `performance.now()`'s clock. */
  movedAt: Ms;
  promisedAt: Ms;
}

/** null: no agent was loaded. */
export function watchAsks(
  folder: string,
  limitBytes: Bytes | null,
  pageSizeBytes: Bytes,
): Asks | null {
  const file = AskFile.open(folder, pageSizeBytes);
  if (file === null) return null;
  const asks: Asks = {
    file,
    limit: limitBytes === null ? null : schedule(budgetGauge(limitBytes, () => asks.usedBytes)),
    usedBytes: 0,
    movedAt: performance.now(),
    promisedAt: -Infinity,
  };
  return asks;
}

const budgetGauge = (limitBytes: Bytes, usedBytes: () => Bytes): Gauge => ({
  id: 'memory-limit',
  kind: 'budget',
  limitBytes,
  pid: null,
  read: () => headroomOf('budget', limitBytes, usedBytes()),
  reclaimableBytes: () => 0,
  close: () => {},
});

/** Takes the snapshot that is asked for. Returns how long the file need not be read again. */
export function answerAsks(
  asks: Asks,
  taker: Taker,
  processes: readonly WatchedProcess[],
  limits: readonly ScheduledLimit[],
): Ms {
  const reading = asks.file.read();
  if (reading === null) return longestWaitMs;
  const now = performance.now();
  if (now - asks.promisedAt > renewMs) {
    asks.file.promise(promiseMs);
    asks.promisedAt = now;
  }
  if (asks.limit === null) {
    if (reading.ask !== null)
      answer(asks, taker, { ...reading, ask: reading.ask }, processes, limits);
    return betweenRlimitsMs;
  }
  const usedBytes = [...reading.held.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (usedBytes !== asks.usedBytes) asks.movedAt = now;
  asks.usedBytes = usedBytes;
  if (reading.ask !== null)
    answer(asks, taker, { ...reading, ask: reading.ask }, processes, limits);
  const freeMs = (asks.limit.gauge.limitBytes - usedBytes) / fastestBytesPerMs;
  const restingMs = Math.min(longestRestMs, (now - asks.movedAt) / 100);
  return Math.min(longestWaitMs, Math.max(1, freeMs, restingMs));
}

function answer(
  asks: Asks,
  taker: Taker,
  { ask, held }: AskReading & { readonly ask: Ask },
  processes: readonly WatchedProcess[],
  limits: readonly ScheduledLimit[],
): void {
  let isAnswered = false;
  const letGo = () => {
    if (isAnswered) return;
    isAnswered = true;
    asks.file.answer(msUntilNextStop(taker, 'dying'));
  };
  const process = processOf(ask.pid, processes, taker);
  const mostStopMs = mostWaitMs - ask.waitedMs;
  const limit = asks.limit ?? limits.find(({ gauge }) => gauge.pid === ask.pid) ?? null;
  if (
    process !== null &&
    limit !== null &&
    mostStopMs >= leastStopMs &&
    !isNoPython(taker, ask.pid)
  ) {
    const { limitBytes } = limit.gauge;
    const others = asks.limit === null ? [] : othersThan(ask.pid, held, processes, taker);
    lookInto(taker, {
      process,
      rssBytes: residentBytes(ask.pid, taker.setup.pageSizeBytes) ?? process.rssBytes,
      limit,
      due: 'dying',
      freeShare: Math.max(0, 1 - ask.usedBytes / limitBytes),
      mostStopMs,
      within: limits,
      notes: together(ask, held.get(ask.pid) ?? 0, others),
      refusal: {
        requestBytes: ask.requestBytes,
        usedBytes: ask.usedBytes,
        others,
      },
      onResume: letGo,
    });
  }
  letGo();
}

type OtherProcess = NonNullable<SnapshotFile['refusal']>['others'][number];
const mostNamed = 4;

/** In words, where the process is not alone. */
function together(ask: Ask, ownBytes: Bytes, others: readonly OtherProcess[]): readonly string[] {
  if (others.length === 0) return [];
  const named = others
    .slice(0, mostNamed)
    .map((other) => `${nameWithPid(other)} ${formatBytes(other.heldBytes)}`);
  const rest = others.slice(mostNamed);
  const restBytes = rest.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  const more = rest.length === 0 ? [] : [`${rest.length} more ${formatBytes(restBytes)}`];
  return [
    `the processes of the run held ${formatBytes(ask.usedBytes)} together: this one ${formatBytes(ownBytes)}, ${[...named, ...more].join(', ')}`,
  ];
}

/** What the other processes of the run held, the largest first. */
function othersThan(
  pid: number,
  held: ReadonlyMap<number, Bytes>,
  processes: readonly WatchedProcess[],
  taker: Taker,
): readonly OtherProcess[] {
  return [...held]
    .filter(([other, heldBytes]) => other !== pid && heldBytes > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, mostOthers)
    .flatMap(([other, heldBytes]) => {
      const process = processOf(other, processes, taker);
      return process === null ? [] : [{ pid: other, name: process.name, heldBytes }];
    });
}
const mostOthers = 64;

/** A process of this run alone is stopped, whatever pid stands in the file. null: it is none. A young one was in no sample yet. */
function processOf(
  pid: number,
  processes: readonly WatchedProcess[],
  { setup }: Taker,
): WatchedProcess | null {
  const known = processes.find((process) => process.pid === pid);
  if (known !== undefined) return known;
  const rssBytes = residentBytes(pid, setup.pageSizeBytes);
  if (rssBytes === null || runMarkOf(pid) !== setup.mark) return null;
  const name = (readText(`/proc/${pid}/comm`) ?? '?').trimEnd();
  return { pid, name, rssBytes, rlimits: [] };
}
