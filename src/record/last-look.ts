import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Companion } from './recorder.ts';
import type { LookOrder, LookReply } from './last-look-worker.ts';
import type { SampleEvent } from './sampler.ts';

/** What ends sooner has hardly filled anything. */
const startAfterMs = 50;

export interface LastLookOptions {
  /** Longest stop of the process while it may well live on. Default 500 ms. */
  readonly stopMs?: number;
}

/**
 * Looks into a Python that nears a memory limit, again and again as it grows, so that after a kill the verdict can say which
 * lines ran and which variables held how much. A worker thread of its own watches the limit: at 1 ms intervals near it.
 */
export function lastLook({ stopMs = 500 }: LastLookOptions = {}): Companion {
  let worker: Worker | null = null;
  let start: (() => void) | null = null;
  let finished: Promise<void> | null = null;
  const file = new URL('./last-look-worker.js', import.meta.url);
  return {
    started: (pid, { folder, clock, note }) => {
      // Run from the sources (tests), there is no worker to start.
      if (folder === null || !existsSync(file)) return;
      start = () => {
        start = null;
        const started = new Worker(file, {
          workerData: { folder, stopMs, commandPid: pid, startedAt: Date.now() - clock() },
          // The watcher must stay small: it may live within the very limit it watches.
          resourceLimits: { maxOldGenerationSizeMb: 512, stackSizeMb: 2 },
        });
        worker = started;
        finished = new Promise((resolve) => {
          started.once('exit', () => resolve());
        });
        started.on('message', (reply: LookReply) => {
          if (reply.what === 'note') note(reply.text, reply.pid);
        });
        started.on('error', (error) => note(`last look: ${error.message}`));
        // The run must never wait for its watcher.
        started.unref();
      };
    },
    onSample: (event) => {
      // A thread of its own costs as much as Node's start: nothing for `coroner run true`.
      if (event.atMs > startAfterMs) start?.();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
      worker?.postMessage(orderOf(event));
    },
    ended: async () => {
      if (worker === null || finished === null) return;
      worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
      worker.postMessage({ what: 'end' } satisfies LookOrder);
      await finished;
    },
  };
}

/** What the watcher must know: who is there, and every limit above them. */
function orderOf({ processes, cgroups, host }: SampleEvent): LookOrder {
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
