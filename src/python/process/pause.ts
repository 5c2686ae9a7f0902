import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { Ms } from '../../model/units.ts';
import { readText } from './live-process.ts';

/**
 * Makes a stopped process go on at its deadline, whatever coroner is busy with, and when coroner dies meanwhile: a tiny shell in a session
 * of its own remembers which process is stopped. It sends SIGCONT at the deadline, and when its pipe closes, however coroner ended
 * (kill -9 too).
 */
export interface Guard {
  readonly holds: (pid: number, mostMs: Ms) => void;
  readonly letGo: (pid: number) => void;
  readonly close: () => void;
}

// No timer of this thread fires while it counts a heap. The `trap` ends the `sleep` of a deadline that is not needed any more. The sleep
// of coreutils and of busybox knows fractions of a second; another one ends at once.
const guardScript = `
held=; timer=
while read -r what pid seconds; do
  [ -z "$timer" ] || kill "$timer" 2>/dev/null
  held=; timer=
  if [ "$what" = holds ]; then
    held=$pid
    (trap 'kill $!; exit' TERM; sleep "$seconds" & wait $!; kill -CONT "$pid") 2>/dev/null &
    timer=$!
  fi
done
[ -z "$timer" ] || kill "$timer" 2>/dev/null
[ -z "$held" ] || kill -CONT "$held"`;

/** Starts the guard. Where no shell can be started, its methods do nothing. */
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
    holds: (pid, mostMs) => write(`holds ${pid} ${(mostMs / 1000).toFixed(3)}\n`),
    letGo: (pid) => write(`free ${pid}\n`),
    close: () => child?.stdin?.end(),
  };
}

/** A process that was stopped by `pause`. */
export interface Paused {
  /** Makes the process go on. A second call does nothing. */
  readonly resume: () => void;
  /** A thread of it was stopped before (job control): nothing was done, and `resume` leaves it so. */
  readonly wasStopped: boolean;
  /** Every thread stands still. */
  readonly isStill: boolean;
  /** `performance.now()` before it was stopped. */
  readonly begunAt: Ms;
  /** `performance.now()` at which the guard makes the process go on; Infinity where it was stopped before. */
  readonly heldUntil: Ms;
}

/** Who traces a process: a debugger, strace. */
export interface Tracer {
  readonly pid: number;
  /** null: it is gone, or may not be read. */
  readonly name: string | null;
}

/** A process that was not stopped: its tracer would be told of the stop, and decide whether it ever goes on. */
export interface Traced {
  readonly tracer: Tracer;
}
export const isTraced = (value: object): value is Traced => 'tracer' in value;

/** In words for the user. */
export const notStopped = ({ tracer: { pid, name } }: Traced): string =>
  `it was being traced by ${name === null ? `process ${pid}` : `${name} (pid ${pid})`}: not stopped`;

/** null: nobody traces any thread of the process, or it is gone. */
function tracerOf(pid: number): Tracer | null {
  for (const id of threadIds(pid)) {
    const text = readText(`/proc/${pid}/task/${id}/status`) ?? '';
    const tracer = Number(/^TracerPid:\t(\d+)$/m.exec(text)?.[1] ?? 0);
    if (tracer !== 0)
      return { pid: tracer, name: readText(`/proc/${tracer}/comm`)?.trimEnd() ?? null };
  }
  return null;
}

/** Bounds of a stop. */
export interface PauseOptions {
  /** The guard makes the process go on after this time. */
  readonly mostMs: Ms;
  /** How long to wait until each thread of the process stands still. Default 200. */
  readonly waitMs?: Ms;
}

/**
 * Stops a process and waits until it stands still. A process that is traced is never stopped, nor one of which a thread is stopped already: who
 * stopped it decides when it goes on. null: it cannot be stopped, as it has ended or belongs to another user.
 */
export function pause(
  pid: number,
  guard: Guard,
  { mostMs, waitMs = 200 }: PauseOptions,
): Paused | Traced | null {
  const begunAt = performance.now();
  const heldUntil = begunAt + mostMs;
  const before = threadStates(pid);
  const wasStopped = before.some(isStopped);
  const tracer = tracerOf(pid);
  if (tracer !== null) return { tracer };
  if (!wasStopped) {
    guard.holds(pid, mostMs);
    try {
      process.kill(pid, 'SIGSTOP');
    } catch {
      guard.letGo(pid);
      return null;
    }
  }
  const isStill = wasStopped
    ? before.every(isStopped)
    : waitUntilStill(pid, Math.min(heldUntil, performance.now() + waitMs));
  let resumed = wasStopped;
  return {
    wasStopped,
    isStill,
    begunAt,
    heldUntil: wasStopped ? Infinity : heldUntil,
    resume: () => {
      if (resumed) return;
      resumed = true;
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It has ended.
      }
      guard.letGo(pid);
    },
  };
}

const isStopped = (state: string): boolean => state === 'T' || state === 't';

/** Whether each thread stood still by then. */
function waitUntilStill(pid: number, until: Ms): boolean {
  for (;;) {
    // D: in the kernel, e.g. parked at its limit; it does not run Python either. X, Z: exiting.
    if (threadStates(pid).every((state) => 'TtDXZ'.includes(state))) return true;
    if (performance.now() > until) return false;
    Atomics.wait(sleepCell, 0, 0, 0.2);
  }
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/** One letter a thread (`R`, `S`, `D`, `T`, …); empty where the process is gone. */
export function threadStates(pid: number): readonly string[] {
  return threadIds(pid).flatMap((id) => {
    const text = readText(`/proc/${pid}/task/${id}/stat`);
    const state = text === null ? undefined : text[text.lastIndexOf(')') + 2];
    return state === undefined ? [] : [state];
  });
}

function threadIds(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
