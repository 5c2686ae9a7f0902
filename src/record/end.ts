import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { textOf } from '../machine/read.ts';
import type { Ending } from './launch.ts';

/** Signals whose default action dumps a core, signal(7). The others need no prlimit, which is slow where memory is short. */
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

/** Ends this process as the command ended: with the same exit status, or by the same signal. Never returns. */
export function endLike({ exitCode, signal }: Ending): never {
  if (signal === null) process.exit(exitCode ?? 0);
  process.removeAllListeners(signal);
  if (dumpsCore.has(signal) && !forbidCore()) process.exit(128 + constants.signals[signal]);
  process.kill(process.pid, signal);
  // A signal may not end us (SIGSTKFLT under a handler of Node's, for example): then the status that a shell reports.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  process.exit(128 + constants.signals[signal]);
}

/**
 * Forbids this process's own core dump, which would overwrite the command's `core`. Node has no setrlimit, so prlimit(1) does it. With a limit
 * of 1 byte the kernel writes no core to a file, and skips a core_pattern that is a pipe (with 0 it would not). False: not possible here.
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
