/** The final snapshot as a companion of a run: it starts the worker thread, tells it what every sample found, and hands on what it says. */
import { existsSync, readdirSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { defined } from '../../model/defined.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import type { Companion, CompanionContext } from '../companion.ts';
import { isWithinReach, memoryRlimits, rlimitBytes } from '../headroom.ts';
import type { SampleEvent } from '../sampler.ts';
import type { Setup, SnapshotOrder, SnapshotReply } from './messages.ts';
import { AskFile } from './ask-file.ts';
import { firstPromiseMs } from './asks.ts';
import { leastPeakBytes } from './peak.ts';
import { PythonsSeen } from './pythons-seen.ts';
import type { Prose } from '../../model/prose.ts';

/** What ends sooner has hardly filled anything. */
const startAfterMs: Ms = 15;
/** Takes snapshots also where there is little room, for some 60 MiB of it. */
const whereSmall = 'coroner run --last-look COMMAND';

export interface FinalSnapshotOptions {
  /** Longest stop of the process while it may well live on, in ms. Default 500. */
  readonly stopMs?: Ms;
  /** Also where coroner lives within the command's own small limit: the memory for it is taken at the start. */
  readonly forced?: boolean;
  /** --memory-limit: a process that is refused waits for a snapshot. null: there is none. */
  readonly memoryLimitBytes?: Bytes | null;
  /** Also at every new peak, far from any limit. */
  readonly atPeak?: boolean;
}

interface State {
  readonly options: Required<FinalSnapshotOptions>;
  readonly pythons: PythonsSeen;
  /** Pids of which the verdict already says why there is no snapshot. */
  readonly missed: Set<number>;
  /** Rung at the end: the worker sleeps up to 50 ms, for which the user should not wait. */
  readonly bell: Int32Array;
  /** null: nothing can be recorded, or the command has not been started. */
  run: (CompanionContext & { readonly folder: string }) | null;
  /** Tried once: it may fail for want of memory. */
  wasStarted: boolean;
  worker: Worker | null;
  finished: Promise<void> | null;
  /** Lets a process go on that the worker holds. */
  deadline: NodeJS.Timeout | undefined;
}

const workerFile = new URL('./final-snapshot-worker.js', import.meta.url);

/**
 * Looks into a Python that nears a memory limit, again and again as it grows, so that after a kill the verdict can say which
 * lines ran and which variables held how much. A worker thread watches the limits, near one every millisecond.
 */
export function finalSnapshot({
  stopMs = 500,
  forced = false,
  atPeak = false,
  memoryLimitBytes = null,
}: FinalSnapshotOptions = {}): Companion {
  const state: State = {
    options: { stopMs, forced, atPeak, memoryLimitBytes },
    pythons: new PythonsSeen(),
    missed: new Set(),
    bell: new Int32Array(new SharedArrayBuffer(4)),
    run: null,
    wasStarted: false,
    worker: null,
    finished: null,
    deadline: undefined,
  };
  return {
    started: (_pid, context) => {
      const { folder } = context;
      // Run from the sources (tests), there is no worker to start.
      if (folder !== null && existsSync(workerFile)) state.run = { ...context, folder };
      if (state.run !== null && memoryLimitBytes !== null) beReadyFor(state, state.run);
    },
    onSample: (event) => {
      state.pythons.take(event);
      // A thread costs as much as Node's start: none for `coroner run true`, nor where no limit is near.
      const isNear = isWithinReach(event.headrooms, event.growthBytesPerSecond);
      const isLarge = atPeak && event.processes.some(({ rssBytes }) => rssBytes >= leastPeakBytes);
      // Who is refused by a limit of its own waits for a snapshot: somebody must be there by then.
      const mayBeRefused = event.processes.some((process) =>
        memoryRlimits.some(({ path }) => rlimitBytes(process, path) !== null),
      );
      if (mayBeRefused && state.run !== null && !state.wasStarted) beReadyFor(state, state.run);
      if (event.atMs > startAfterMs && (isNear || isLarge)) startWorker(state);
      if (state.worker !== null) send(state, orderOf(event));
    },
    ended: () => finish(state),
  };
}

/** A process that is refused waits: where there is a limit that refuses, the thread is there from the start, warm when it is needed. */
function beReadyFor(state: State, { folder, pageSizeBytes }: NonNullable<State['run']>): void {
  const file = AskFile.open(folder, pageSizeBytes);
  if (file === null) return;
  startWorker(state);
  file.promise(firstPromiseMs);
  file.leave();
}

function startWorker(state: State): void {
  const { run } = state;
  if (run === null || state.wasStarted) return;
  state.wasStarted = true;
  const setup: Setup = {
    folder: run.folder,
    mark: run.mark,
    ...state.options,
    startedAt: Date.now() - run.clock(),
    pageSizeBytes: run.pageSizeBytes,
    bell: state.bell,
  };
  // Not imported: most commands end before they need it.
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = new Worker(workerFile, {
    workerData: setup,
    // The worker must stay small: it may live within the very limit that it watches.
    resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 2, stackSizeMb: 2 },
  });
  state.worker = worker;
  state.finished = new Promise((resolve) => {
    worker.once('exit', () => resolve());
    worker.on('message', (reply: SnapshotReply) => {
      // Its last word: how long the thread takes to end does not matter.
      if (reply.what === 'ended') resolve();
      else handle(state, run, reply);
    });
  });
  worker.on('error', (error) => run.note(`last look: ${error.message}`));
  // The run must never wait for its worker.
  worker.unref();
}

function send({ worker }: State, order: SnapshotOrder): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
  worker?.postMessage(order);
}

function handle(
  state: State,
  run: CompanionContext,
  reply: Exclude<SnapshotReply, { readonly what: 'ended' }>,
): void {
  if (reply.what === 'note') run.note(reply.text, reply.pid);
  else if (reply.what === 'held') letGoAfter(state, reply.pid, reply.mostMs);
  else sayMissed(state, run, reply.pid, reply.why, reply.forHeadroom ? whereSmall : undefined);
}

/** A second line behind the guard of pause.ts, for images without a shell. */
function letGoAfter(state: State, pid: number, mostMs: Ms | null): void {
  clearTimeout(state.deadline);
  if (mostMs === null) return;
  state.deadline = setTimeout(() => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // Gone: nothing to let go.
    }
  }, mostMs);
  state.deadline.unref();
}

function sayMissed(
  { missed }: State,
  run: CompanionContext,
  pid: number,
  why: Prose,
  command?: string,
): void {
  missed.add(pid);
  run.missed(missedSource(pid, why, command));
}

const missedSource = (pid: number, why: Prose, command: string | undefined) => ({
  id: 'last-look',
  place: `/proc/${pid}/mem`,
  status: 'absent' as const,
  detail: why,
  ...defined({ command }),
});

async function finish(state: State): Promise<void> {
  if (state.worker !== null && state.finished !== null) {
    state.worker.ref();
    send(state, { what: 'end' });
    Atomics.store(state.bell, 0, 1);
    Atomics.notify(state.bell, 0);
    await state.finished;
  }
  sayUnseen(state);
}

/** A Python may die before any snapshot: too fast, or not near a limit that is watched. */
function sayUnseen(state: State): void {
  const { run, pythons, missed } = state;
  if (run === null) return;
  const snapshots = snapshotsIn(run.folder);
  for (const pid of pythons.pids)
    if (!missed.has(pid) && !snapshots.some((name) => name.endsWith(`-${pid}.json`)))
      sayMissed(state, run, pid, 'it ended before a last look was taken');
}

function snapshotsIn(folder: string): readonly string[] {
  try {
    return readdirSync(`${folder}/looks`);
  } catch {
    return [];
  }
}

/** What the worker must know: who is there, and every limit above them. */
function orderOf({ processes, cgroups, host }: SampleEvent): SnapshotOrder {
  return {
    what: 'sample',
    processes: processes
      .filter(({ state }) => state !== 'Z' && state !== 'X')
      .map((process) => ({
        pid: process.pid,
        name: process.name,
        rssBytes: process.rssBytes,
        rlimits: memoryRlimits.flatMap(({ kind, path }) => {
          const limitBytes = rlimitBytes(process, path);
          return limitBytes === null ? [] : [{ kind, limitBytes }];
        }),
      })),
    cgroups: cgroups.flatMap(({ gone, place, limits: { limitBytes } }) =>
      gone || limitBytes == null
        ? []
        : [{ folder: place.folder, version: place.version, limitBytes }],
    ),
    host: host?.availableBytes == null ? null : { availableBytes: host.availableBytes },
  };
}

/** In place of the final snapshot where none is taken: the verdict on a Python says what is not known, and why. */
export function noFinalSnapshot(why: Prose, command: string = whereSmall): Companion {
  const pythons = new PythonsSeen();
  let context: CompanionContext | null = null;
  return {
    started: (_pid, given) => {
      context = given;
    },
    onSample: (event) => {
      for (const pid of pythons.take(event)) context?.missed(missedSource(pid, why, command));
    },
  };
}
