import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { textOf } from '../machine/read.ts';
import type { Ending } from './launch.ts';

/** Signals whose default action is a core, signal(7). The others need no prlimit, which is slow where memory is short. */
const dumpsCore: ReadonlySet<NodeJS.Signals> = new Set([
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGSYS',
]);

/** Ends this process as the command ended: with its exit status, or by its signal. Never returns. */
export function endLike({ exitCode, signal }: Ending): never {
  if (signal === null) process.exit(exitCode ?? 0);
  process.removeAllListeners(signal);
  if (dumpsCore.has(signal) && !forbidCore()) process.exit(128 + constants.signals[signal]);
  process.kill(process.pid, signal);
  // A signal that does not end us (SIGSTKFLT under a handler of Node's, say): as a shell reports it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  process.exit(128 + constants.signals[signal]);
}

/**
 * Our own death must not overwrite the command's `core`. Node has no setrlimit, so prlimit(1) does it. A limit of 1 is below the smallest
 * core for a file, and is the value on which the kernel skips a core_pattern that is a pipe (0 would not).
 */
function forbidCore(): boolean {
  const line = /^Max core file size\s+(\S+)/m.exec(textOf('/proc/self/limits') ?? '')?.[1];
  const pipe = textOf('/proc/sys/kernel/core_pattern')?.startsWith('|') === true;
  if (line === undefined) return process.platform !== 'linux';
  if (line === '1' || (line === '0' && !pipe)) return true;
  const result = spawnSync('prlimit', ['--pid', String(process.pid), '--core=1:'], {
    stdio: 'ignore',
    // A machine that has just been out of memory is slow.
    timeout: 2000,
  });
  return result.status === 0;
}
