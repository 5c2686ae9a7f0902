import { defined } from '../../model/defined.ts';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { SnapshotFile } from '../../model/incident-folder.ts';
import type { Holder, MemoryPicture } from '../../model/report.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import { isRefusal, mayBePython } from '../../python/process/live-process.ts';
import { closeTarget, openTarget, smallChunks, versionText } from '../../python/target.ts';
import { takeSnapshot } from '../../python/heap-snapshot.ts';
import { ChunkPool } from '../../python/process/memory.ts';
import { pause, startGuard, type Guard } from '../../python/process/pause.ts';
import type { SnapshotOptions } from '../../python/heap-snapshot.ts';
import { fastestBytesPerMs } from '../headroom.ts';
import {
  addressSpaceWatcher,
  cgroupWatcher,
  hostWatcher,
  isFilling,
  isInside,
  residentBytes,
  type LimitWatcher,
  type WatchedLimit,
  type WatchedProcess,
} from './limit-watcher.ts';
import type { Prose } from '../../model/prose.ts';

/** From the recorder to the watcher. */
export type SnapshotOrder =
  | {
      readonly what: 'sample';
      readonly processes: readonly WatchedProcess[];
      readonly cgroups: readonly WatchedLimit[];
      readonly host: { readonly availableBytes: Bytes } | null;
    }
  | { readonly what: 'end' };
export type SnapshotReply =
  | { readonly what: 'note'; readonly text: Prose; readonly pid?: number }
  /** It is stopped, and shall go on after so long; null: it went on. */
  | { readonly what: 'held'; readonly pid: number; readonly mostMs: Ms | null }
  | {
      readonly what: 'missed';
      readonly pid: number;
      readonly why: Prose;
      /** --last-look would have taken it. */
      readonly forHeadroom: boolean;
    }
  | { readonly what: 'ended' };

/** Shares of the limit that are still free at which a look is due. */
const levels = [0.3, 0.2, 0.13, 0.08, 0.05, 0.03, 0.02, 0.012, 0.007, 0.004, 0.002] as const;
/** Below this share the process is all but dead: it may be held longer. */
const lostShare = 0.02;
const lostStopMs = 3000;
/** Processes below this share of the limit are not what fills it. */
const leastShare = 0.1;
const keptSnapshots = 3;
const keptFirst = 20;
const keptLast = 80;
const falseAlarmMs = 10;
/** At the limit the kernel may look for pages for half a minute before it kills: a look may not be much older than this. */
const staleMs = 700;
const warmUpBytes = 8 * 2 ** 20;

interface Setup {
  readonly folder: string;
  readonly stopMs: Ms;
  readonly commandPid: number;
  /** Asked for by the user where coroner lives within the command's own small limit. */
  readonly forced: boolean;
  /** Wall clock at the run's start. */
  readonly startedAt: Ms;
  /** No longer 0: an order to end waits. */
  readonly bell: Int32Array;
}

function watch(setup: Setup, port: NonNullable<typeof parentPort>): void {
  const guard: Guard = startGuard();
  const watchers = new Map<string, LimitWatcher>();
  const notPython = new Map<number, number>();
  let processes: readonly WatchedProcess[] = [];
  let ended = false;
  let count = 0;
  /** No stop before this time: a look must not eat more than a share of the run. */
  let restUntil = 0;
  const pool = new ChunkPool();
  // What a look takes is taken at once, while there is room: the command's limit is reached a little earlier, but not by the look.
  if (setup.forced) {
    pool.fill(2 ** 16, smallCount);
    pool.fill(2 ** 20, reservedChunks);
  }
  /** What a whole look takes here, measured. */
  let countMs = 300;
  const note = (text: Prose, pid?: number) =>
    port.postMessage({
      what: 'note',
      text,
      ...defined({ pid }),
    } satisfies SnapshotReply);

  const missedPids = new Set<number>();
  /** A look that was due and not taken: said once a process. */
  const missed = (pid: number, why: Prose, forHeadroom: boolean) => {
    if (missedPids.has(pid) || missedPids.size >= 64) return;
    missedPids.add(pid);
    port.postMessage({ what: 'missed', pid, why, forHeadroom } satisfies SnapshotReply);
  };

  const take = () => {
    for (;;) {
      const message = receiveMessageOnPort(port) as { message: SnapshotOrder } | undefined;
      if (message === undefined) return;
      const order = message.message;
      if (order.what === 'end') ended = true;
      else {
        ({ processes } = order);
        update(order.cgroups, processes);
        if (order.host !== null) hostAvailableBytes = order.host.availableBytes;
      }
    }
  };
  let hostAvailableBytes: Bytes | null = null;

  const update = (limits: readonly WatchedLimit[], all: readonly WatchedProcess[]) => {
    const alive = new Set<string>();
    const keep = (id: string, limitBytes: Bytes, make: () => LimitWatcher | null) => {
      alive.add(id);
      const known = watchers.get(id);
      if (known?.limitBytes === limitBytes) return;
      known?.close();
      const watcher = make();
      if (watcher !== null) watchers.set(id, watcher);
    };
    for (const limit of limits) keep(limit.folder, limit.limitBytes, () => cgroupWatcher(limit));
    for (const process of all)
      if (process.addressSpaceBytes !== null)
        keep(`as:${process.pid}`, process.addressSpaceBytes, () => addressSpaceWatcher(process));
    keep('host', totalmem(), () => hostWatcher(() => hostAvailableBytes));
    for (const [id, watcher] of watchers)
      if (!alive.has(id)) {
        watcher.close();
        watchers.delete(id);
      }
  };

  /** Reads all gauges; looks where a level is reached. Returns how long nothing can happen. */
  const poll = (): Ms => {
    let sleepMs = 50;
    for (const watcher of watchers.values()) {
      const used = watcher.usedBytes();
      if (used === null) continue;
      measureGrowth(watcher, used);
      let free = watcher.limitBytes - used;
      const due = () =>
        watcher.level < levels.length && free <= levels[watcher.level]! * watcher.limitBytes;
      const now = performance.now();
      const isStale =
        watcher.again !== undefined && watcher.level === levels.length && now >= watcher.again.at;
      if (
        (isStale || (due() && used > watcher.lastUsedBytes)) &&
        now >= Math.max(restUntil, watcher.quietUntil ?? 0)
      ) {
        free += watcher.reclaimableBytes();
        if (due() || (isStale && free <= levels.at(-1)! * watcher.limitBytes)) {
          watcher.lastUsedBytes = used;
          while (due()) watcher.level += 1;
          checkLimits(watcher, free / watcher.limitBytes);
          const afterMs = isStale ? Math.min(30_000, watcher.again!.afterMs * 1.5) : staleMs;
          watcher.again = { at: performance.now() + afterMs, afterMs };
        } else watcher.quietUntil = now + falseAlarmMs;
      } else if (
        watcher.level > 0 &&
        free > levels[watcher.level - 1]! * watcher.limitBytes * 1.5
      ) {
        // It shrank: the next rise is looked at again.
        watcher.level -= watcher.level > (watcher.id === 'host' ? 2 : 0) ? 1 : 0;
        watcher.lastUsedBytes = 0;
      }
      const next = watcher.level < levels.length ? levels[watcher.level]! * watcher.limitBytes : 0;
      sleepMs = Math.min(sleepMs, Math.max(1, (free - next) / fastestBytesPerMs));
    }
    return sleepMs;
  };

  /** A shell may become a Python by exec, and a Python needs a moment until it has an interpreter: asked again after a while. */
  const isNoPython = (pid: number) => performance.now() - (notPython.get(pid) ?? -Infinity) < 1000;

  const measureGrowth = (watcher: LimitWatcher, usedBytes: Bytes) => {
    const at = performance.now();
    const { before } = watcher;
    if (before === undefined) watcher.before = { usedBytes, at };
    else if (at - before.at >= 20) {
      watcher.bytesPerMs = Math.max(0, (usedBytes - before.usedBytes) / (at - before.at));
      watcher.before = { usedBytes, at };
    }
  };

  /** Whether the next look is due. */
  const isPressing = (watcher: LimitWatcher): boolean => {
    const used = watcher.usedBytes();
    return (
      used !== null &&
      watcher.level < levels.length &&
      watcher.limitBytes - used <= levels[watcher.level]! * watcher.limitBytes
    );
  };

  const checkLimits = (watcher: LimitWatcher, freeShare: number) => {
    const share = (bytes: Bytes) => bytes / Math.min(watcher.limitBytes, totalmem());
    const sizes = processes.map((process) => ({ process, rssBytes: residentBytes(process.pid) }));
    const candidates = sizes
      .filter(({ process, rssBytes }) =>
        watcher.pid === null || process.pid === watcher.pid
          ? rssBytes !== null && (watcher.pid !== null || share(rssBytes) >= leastShare)
          : false,
      )
      .filter(({ process }) => !isNoPython(process.pid))
      .sort((a, b) => b.rssBytes! - a.rssBytes!)
      .slice(0, 3);
    for (const { process, rssBytes } of candidates) {
      if (ended) return;
      takeSnapshotOf(process, rssBytes!, watcher, freeShare);
    }
  };

  const takeSnapshotOf = (
    { pid, name }: WatchedProcess,
    rssBytes: Bytes,
    watcher: LimitWatcher,
    freeShare: number,
  ) => {
    if (tooTight(watcher, neededFreeBytes)) {
      if (mayBePython(pid))
        missed(
          pid,
          'coroner is within the same limit as the command, and less was free there than a look takes',
          !setup.forced,
        );
      return;
    }
    const begun = performance.now();
    const isLost = freeShare < lostShare && watcher.id !== 'host' && watcher.pid === null;
    const stopMs = isLost ? Math.max(lostStopMs, setup.stopMs) : setup.stopMs;
    const probe = openTarget(pid, smallCount, smallChunks, pool);
    if (isRefusal(probe)) {
      notPython.set(pid, begun);
      if (probe.code !== 'gone' && probe.code !== 'not-cpython') {
        note(`last look: ${probe.detail}`, pid);
        if (mayBePython(pid)) missed(pid, probe.detail, false);
      }
      return;
    }
    closeTarget(probe);
    const held = (mostMs: Ms | null) =>
      port.postMessage({ what: 'held', pid, mostMs } satisfies SnapshotReply);
    held(stopMs);
    const paused = pause(pid, guard, { mostMs: stopMs });
    if (paused === null) {
      held(null);
      return;
    }
    count += 1;
    const file = `${setup.folder}/looks/${String(count).padStart(3, '0')}-${pid}.json`;
    const atMs = Math.round(Date.now() - setup.startedAt);
    let stoppedMs: Ms | null = null;
    const resume = () => {
      paused.resume();
      if (stoppedMs === null) held(null);
      stoppedMs ??= Math.round(Math.min(performance.now(), paused.heldUntil) - begun);
    };
    const written: { stage: SnapshotFile['stage']; picture: MemoryPicture }[] = [];
    const write = (stage: SnapshotFile['stage'], picture: MemoryPicture) => {
      written.length = 0;
      if (stoppedMs === null) written.push({ stage, picture });
      const content: SnapshotFile = {
        format: 'coroner-look/1',
        pid,
        name,
        atMs,
        stage,
        rssBytes,
        ...(stoppedMs === null ? {} : { stoppedMs }),
        limitBytes: watcher.limitBytes,
        freeBytes: Math.round(freeShare * watcher.limitBytes),
        picture,
      };
      try {
        writeFileSync(`${file}.part`, JSON.stringify(content), { mode: 0o600 });
        renameSync(`${file}.part`, file);
      } catch {
        // A full disk takes the look, not the run.
      }
    };
    try {
      const target = openTarget(pid, smallCount, smallChunks, pool);
      if (isRefusal(target)) return;
      if (target.runtime.isStacksOnly)
        missed(pid, `of CPython ${versionText(target.runtime)} only the stacks can be read`, false);
      try {
        // What is done after it was let go leaves the limit unwatched: not where it would be reached meanwhile.
        const leftMs = (freeShare * watcher.limitBytes) / (watcher.bytesPerMs || 1);
        const censusChunks = chunksFor(watcher);
        takeSnapshot(target, {
          budgetMs: Math.max(0, Math.min(stopMs, paused.heldUntil - performance.now())),
          quick: true,
          mayCount: isLost || leftMs > 3 * countMs,
          goOn: () =>
            (stoppedMs === null && performance.now() < paused.heldUntil) || !isPressing(watcher),
          pool,
          censusChunks,
          expectedObjects: (large) => (rssBytes - bufferBytes(large)) / bytesAnObject,
          ...(censusChunks < mostChunks ? tightNodes : { softNodes: 150_000, maxNodes: 1_000_000 }),
          onStep: (step, picture) => {
            // Who holds it is best read while it stands still, if there is time left.
            if (step === 'census' && performance.now() - begun > stopMs * 0.7) resume();
            write(step, picture);
            if (step === 'holders') countMs = (countMs + performance.now() - begun) / 2;
          },
          onRead: resume,
        });
      } finally {
        closeTarget(target);
        neededFreeBytes = Math.min(neededFreeBytes, 8 * 2 ** 20);
      }
    } catch (error) {
      note(`last look: ${error instanceof Error ? error.message : String(error)}`, pid);
    } finally {
      resume();
      // How long it was stopped is known only now: its age counts from there.
      for (const { stage, picture } of written.splice(0)) write(stage, picture);
      // It runs twice as long as it was stopped, but there shall be more looks before it is dead.
      const leftMs = (freeShare * watcher.limitBytes) / (watcher.bytesPerMs || 1);
      restUntil = performance.now() + Math.min(2000, 2 * (stoppedMs ?? 0), leftMs / 4);
      delete watcher.before;
      dropOldSnapshots(setup.folder, pid);
      // Within the limit, what it has once is not taken from the command again.
      if (!setup.forced && !isInside(watcher)) pool.clear();
      collectGarbage();
    }
  };

  /** The first look pays for compiling the reader: better now, without stopping anything, than at the limit. */
  const warmUp = () => {
    const process = processes.find(
      ({ pid, rssBytes }) => rssBytes > warmUpBytes && !isNoPython(pid),
    );
    if (process === undefined || ![...watchers.keys()].some((id) => id !== 'host')) return;
    if ([...watchers.values()].some((watcher) => tooTight(watcher, neededFreeBytes))) return;
    // No time for it: the limit must be read.
    if ([...watchers.values()].some((watcher) => watcher.id !== 'host' && isFilling(watcher)))
      return;
    const target = openTarget(process.pid, smallCount, smallChunks, pool);
    if (isRefusal(target)) {
      notPython.set(process.pid, performance.now());
      return;
    }
    isWarm = true;
    try {
      takeSnapshot(target, {
        budgetMs: 300,
        quick: true,
        pool,
        censusChunks: leastChunks,
        ...tightNodes,
      });
    } catch {
      // It runs and changes meanwhile.
    } finally {
      closeTarget(target);
    }
  };
  let isWarm = false;
  // What was reserved, or taken by a look before, is used again.
  let neededFreeBytes = (setup.forced ? 8 : 64) * 2 ** 20;

  const turn = () => {
    for (let i = 0; i < 40; i++) {
      take();
      if (ended) {
        for (const watcher of watchers.values()) watcher.close();
        guard.close();
        port.postMessage({ what: 'ended' } satisfies SnapshotReply);
        port.close();
        return;
      }
      if (!isWarm) {
        warmUp();
        if (isWarm) collectGarbage();
      }
      const sleepMs = poll();
      Atomics.wait(setup.bell, 0, 0, sleepMs);
      if (sleepMs > 20) break;
    }
    setImmediate(turn);
  };
  turn();
}

/**
 * Gives back what a look leaves behind: up to 200 MiB of buffers. Left to itself V8 keeps them until it has allocated as much again, which a
 * thread that sleeps never does: 300 MiB were seen for the rest of a run.
 */
const collectGarbage = ((): (() => void) => {
  try {
    // The only way to it from within a process that was started without the flag; contexts made before have no `gc`.
    setFlagsFromString('--expose-gc');
    const collect: unknown = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    if (typeof collect === 'function') return () => void collect();
  } catch {
    // An engine without it: V8 decides when.
  }
  return () => {};
})();

/** Small objects of a Python heap, with what they own: 60 to 120 bytes. */
const bytesAnObject = 90;
const bufferTypes = /^(numpy\.ndarray|bytes|bytearray|str|array\.array)$/;

/** What large buffers among the estimates take: no objects to count are in there. */
const bufferBytes = (large: readonly Holder[]): Bytes =>
  large
    .filter(
      ({ type, path }) =>
        bufferTypes.test(type) || /-> (numpy\.ndarray\[(?!object)|bytes$|bytearray$)/.test(path),
    )
    .reduce((sum, { retainedBytes }) => sum + retainedBytes, 0);

/** Chunks of 64 KiB for stacks and estimates; of 1 MiB for the count, fewer where the watcher lives within the limit itself. */
const smallCount = 64;
const mostChunks = 32;
const leastChunks = 8;
const tightNodes = {
  softNodes: 30_000,
  maxNodes: 100_000,
  maxPending: 1 << 17,
} satisfies Partial<SnapshotOptions>;
/** Chunks of 1 MiB that such a look takes: for memory, references that wait, bits of what was visited. */
const reservedChunks = leastChunks + 6;
function chunksFor(watcher: LimitWatcher): number {
  const free = watcher.limitBytes - (watcher.usedBytes() ?? 0);
  return isInside(watcher) && free < 256 * 2 ** 20 ? leastChunks : mostChunks;
}

/**
 * Whether a look could be the last thing that coroner does. A watcher inside the limit that must fault in a page of its own while it reads
 * the other's memory holds that memory: the kernel kills the other, frees nothing, and kills the watcher next (seen at 100 MiB on 6.18).
 */
const tooTight = (watcher: LimitWatcher, neededFreeBytes: Bytes): boolean =>
  watcher.limitBytes - (watcher.usedBytes() ?? 0) < neededFreeBytes && isInside(watcher);

/** Only the last looks of a process count, and of a run with thousands of deaths those into the first processes and the last ones. */
function dropOldSnapshots(folder: string, pid: number): void {
  try {
    const snapshots = readdirSync(`${folder}/looks`)
      .map((name) => ({
        name,
        at: Number.parseInt(name, 10),
        pid: /-(\d+)\.json$/.exec(name)?.[1],
      }))
      .sort((a, b) => a.at - b.at);
    const mine = snapshots.filter((one) => one.pid === String(pid));
    const processes = [...new Set(snapshots.map((one) => one.pid))];
    const forgotten = new Set(
      processes.slice(keptFirst, Math.max(keptFirst, processes.length - keptLast)),
    );
    for (const { name } of [
      ...mine.slice(0, -keptSnapshots),
      ...snapshots.filter((one) => forgotten.has(one.pid)),
    ])
      rmSync(`${folder}/looks/${name}`, { force: true });
  } catch {
    // The folder is gone: so are the looks.
  }
}

if (!isMainThread && parentPort !== null) watch(workerData as Setup, parentPort);
