import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readText } from './live-process.ts';

/**
 * Lets a process go on if coroner dies while it holds it: a tiny shell in a session of its own that remembers who is
 * stopped and sends SIGCONT when its pipe closes, however coroner ended (kill -9 too).
 */
export interface Guard {
  readonly holds: (pid: number) => void;
  readonly letGo: (pid: number) => void;
  readonly close: () => void;
}

const guardScript =
  'held=; while read -r what pid; do case $what in holds) held=$pid;; *) held=;; esac; done; ' +
  '[ -z "$held" ] || kill -CONT "$held"';

export function startGuard(): Guard {
  let child: ChildProcess | null = null;
  try {
    child = spawn('/bin/sh', ['-c', guardScript], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    child.on('error', () => {});
    child.stdin!.on('error', () => {});
    child.unref();
    // The pipe must not keep coroner alive.
    (child.stdin as unknown as { unref?: () => void }).unref?.();
  } catch {
    // Without a guard the bounded stop and the `finally` remain.
  }
  const write = (text: string) => {
    child?.stdin?.write(text);
  };
  return {
    holds: (pid) => write(`holds ${pid}\n`),
    letGo: (pid) => write(`free ${pid}\n`),
    close: () => child?.stdin?.end(),
  };
}

export interface Paused {
  /** Lets it go on; calling it twice does nothing. */
  readonly resume: () => void;
  /** It was stopped before (a debugger, job control): left so. */
  readonly wasStopped: boolean;
  /** Every thread stands still. */
  readonly isStill: boolean;
}

/**
 * Stops a process and waits (at most `waitMs`) until each of its threads stands still.
 * null: it could not be stopped: gone, or another user's.
 */
export function pause(pid: number, guard: Guard, waitMs = 200): Paused | null {
  const before = threadStates(pid);
  const wasStopped = before.length > 0 && before.every((state) => state === 'T' || state === 't');
  if (!wasStopped) {
    guard.holds(pid);
    try {
      process.kill(pid, 'SIGSTOP');
    } catch {
      guard.letGo(pid);
      return null;
    }
  }
  const end = performance.now() + waitMs;
  let isStill = wasStopped;
  while (!isStill) {
    // D: in the kernel, e.g. parked at its limit; it does not run Python either. X, Z: exiting.
    isStill = threadStates(pid).every((state) => 'TtDXZ'.includes(state));
    if (performance.now() > end) break;
    if (!isStill) Atomics.wait(sleepCell, 0, 0, 0.2);
  }
  let resumed = wasStopped;
  return {
    wasStopped,
    isStill,
    resume: () => {
      if (resumed) return;
      resumed = true;
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // Gone: nothing to let go.
      }
      guard.letGo(pid);
    },
  };
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/** One letter a thread (`R`, `S`, `D`, `T`, …); empty where the process is gone. */
export function threadStates(pid: number): readonly string[] {
  let ids: readonly string[];
  try {
    ids = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return ids.flatMap((id) => {
    const text = readText(`/proc/${pid}/task/${id}/stat`);
    const state = text === null ? undefined : text[text.lastIndexOf(')') + 2];
    return state === undefined ? [] : [state];
  });
}
