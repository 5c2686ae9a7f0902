import { defined } from '../../model/defined.ts';
import { existsSync, readdirSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import type { Ms } from '../../model/units.ts';
import { mayBePython } from '../../python/process/live-process.ts';
import type { Companion } from '../recorder.ts';
import type { SnapshotOrder, SnapshotReply } from './final-snapshot-worker.ts';
import { isWithinReach } from '../headroom.ts';
import type { SampleEvent } from '../sampler.ts';
import type { Prose } from '../../model/prose.ts';

/** What ends sooner has hardly filled anything. */
const startAfterMs = 50;

export interface FinalSnapshotOptions {
  /** Longest stop of the process while it may well live on. Default 500 ms. */
  readonly stopMs?: number;
  /** Also where coroner lives within the command's own small limit: what a look takes is taken from the start on. */
  readonly forced?: boolean;
}

/**
 * Looks into a Python that nears a memory limit, again and again as it grows, so that after a kill the verdict can say which
 * lines ran and which variables held how much. A worker thread of its own watches the limit: at 1 ms intervals near it.
 */
export function finalSnapshot({
  stopMs = 500,
  forced = false,
}: FinalSnapshotOptions = {}): Companion {
  let worker: Worker | null = null;
  let start: (() => void) | null = null;
  let finished: Promise<void> | null = null;
  let deadline: NodeJS.Timeout | undefined;
  /** Rung at the end: the watcher sleeps up to 50 ms, which the command's user shall not wait for. */
  const bell = new Int32Array(new SharedArrayBuffer(4));
  /** A second line behind the guard of pause.ts, for images without a shell. */
  const hold = (pid: number, mostMs: Ms | null) => {
    clearTimeout(deadline);
    if (mostMs === null) return;
    deadline = setTimeout(() => {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // Gone: nothing to let go.
      }
    }, mostMs);
    deadline.unref();
  };
  const pythons = pythonsSeen();
  const said = new Set<number>();
  /** A Python that died before any look: too fast, or not near a limit that is watched. */
  let sayUnseen: () => void = () => {};
  const file = new URL('./final-snapshot-worker.js', import.meta.url);
  return {
    started: (pid, { folder, clock, note, missed }) => {
      // Run from the sources (tests), there is no worker to start.
      if (folder === null || !existsSync(file)) return;
      const say = (pid: number, why: Prose, command?: string) => {
        said.add(pid);
        missed({
          id: 'last-look',
          place: `/proc/${pid}/mem`,
          status: 'absent',
          detail: why,
          ...defined({ command }),
        });
      };
      sayUnseen = () => {
        const snapshots = snapshotsIn(folder);
        for (const other of pythons.pids())
          if (!said.has(other) && !snapshots.some((name) => name.endsWith(`-${other}.json`)))
            say(other, 'it ended before a last look was taken');
      };
      start = () => {
        start = null;
        // Not imported: most commands end before they need it.
        const { Worker } = process.getBuiltinModule('node:worker_threads');
        const started = new Worker(file, {
          workerData: {
            folder,
            stopMs,
            forced,
            commandPid: pid,
            startedAt: Date.now() - clock(),
            bell,
          },
          // The watcher must stay small: it may live within the very limit it watches.
          resourceLimits: {
            maxOldGenerationSizeMb: 512,
            maxYoungGenerationSizeMb: 2,
            stackSizeMb: 2,
          },
        });
        worker = started;
        finished = new Promise((resolve) => {
          started.once('exit', () => resolve());
          started.on('message', (reply: SnapshotReply) => {
            // Its last word: what it takes to end the thread is nobody's business.
            if (reply.what === 'ended') resolve();
            else if (reply.what === 'note') note(reply.text, reply.pid);
            else if (reply.what === 'held') hold(reply.pid, reply.mostMs);
            else say(reply.pid, reply.why, reply.forHeadroom ? whereSmall : undefined);
          });
        });
        started.on('error', (error) => note(`last look: ${error.message}`));
        // The run must never wait for its watcher.
        started.unref();
      };
    },
    onSample: (event) => {
      pythons.take(event);
      // A thread of its own costs as much as Node's start: nothing for `coroner run true`, nor where no limit is near.
      if (event.atMs > startAfterMs && isWithinReach(event.headrooms, event.growthBytesPerSecond))
        start?.();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
      worker?.postMessage(orderOf(event));
    },
    ended: async () => {
      if (worker === null || finished === null) {
        sayUnseen();
        return;
      }
      worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
      worker.postMessage({ what: 'end' } satisfies SnapshotOrder);
      Atomics.store(bell, 0, 1);
      Atomics.notify(bell, 0);
      await finished;
      sayUnseen();
    },
  };
}

/** What the watcher must know: who is there, and every limit above them. */
function orderOf({ processes, cgroups, host }: SampleEvent): SnapshotOrder {
  return {
    what: 'sample',
    processes: processes
      .filter(({ state }) => state !== 'Z' && state !== 'X')
      .map(({ pid, name, rssBytes, limits }) => ({
        pid,
        name,
        rssBytes,
        addressSpaceBytes: limits.find(({ path }) => path === 'RLIMIT_AS')?.bytes ?? null,
      })),
    cgroups: cgroups
      .filter(
        ({ gone, limits }) =>
          !gone && limits.limitBytes !== null && limits.limitBytes !== undefined,
      )
      .map(({ place, limits }) => ({
        folder: place.folder,
        version: place.version,
        limitBytes: limits.limitBytes!,
      })),
    host:
      host?.availableBytes === undefined || host.availableBytes === null
        ? null
        : { availableBytes: host.availableBytes },
  };
}

/** Looks also where there is little room, for some 60 MiB of it. */
const whereSmall = 'coroner run --last-look COMMAND';
const leastNamedBytes = 8 * 2 ** 20;

/** Processes of some size that may be a Python, by name asked once. */
function pythonsSeen() {
  const asked = new Map<number, string>();
  const found = new Set<number>();
  return {
    /** Those that are new. */
    take: ({ processes }: SampleEvent): readonly number[] => {
      const news: number[] = [];
      for (const { pid, name, rssBytes } of processes) {
        if (rssBytes < leastNamedBytes || asked.get(pid) === name) continue;
        if (asked.size > 10_000) asked.clear();
        asked.set(pid, name);
        if (found.has(pid) || found.size >= maxNamed || !mayBePython(pid)) continue;
        found.add(pid);
        news.push(pid);
      }
      return news;
    },
    pids: (): ReadonlySet<number> => found,
  };
}
const maxNamed = 64;

function snapshotsIn(folder: string): readonly string[] {
  try {
    return readdirSync(`${folder}/looks`);
  } catch {
    return [];
  }
}

/** In place of the last look where there is none: the verdict on a Python says what is not known, and why. */
export function noFinalSnapshot(why: string, command: string = whereSmall): Companion {
  const pythons = pythonsSeen();
  let report: (pid: number) => void = () => {};
  return {
    started: (_, { missed }) => {
      report = (pid) =>
        missed({
          id: 'last-look',
          place: `/proc/${pid}/mem`,
          status: 'absent',
          detail: why,
          command,
        });
    },
    onSample: (event) => {
      for (const pid of pythons.take(event)) report(pid);
    },
  };
}
