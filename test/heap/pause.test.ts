/** The stop of a process has an end, whatever its reader is busy with and however coroner ends. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import {
  isTraced,
  pause,
  startGuard,
  threadStates,
  type Guard,
  type Paused,
} from '../../src/python/process/pause.ts';
import { makeCgroup, type TestCgroup } from '../cgroup.ts';
import * as have from '../have.ts';
import { programs, start, versions, type Stopped } from './target.ts';

const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));
const python = versions().at(-1)?.[1] ?? have.systemPython;
const mib = 2 ** 20;
const isStopped = (pid: number): boolean =>
  threadStates(pid).some((state) => state === 'T' || state === 't');
const cell = new Int32Array(new SharedArrayBuffer(4));
/** Nothing of this thread runs meanwhile: as while a heap is counted. */
const busy = (ms: number): unknown => Atomics.wait(cell, 0, 0, ms);
async function eventually(what: () => boolean, withinMs = 20_000): Promise<boolean> {
  for (const end = performance.now() + withinMs; performance.now() < end;) {
    if (what()) return true;
    await sleep(5);
  }
  return what();
}

let target: Stopped | null = null;
let group: TestCgroup | null = null;
afterEach(async () => {
  target?.end();
  target = null;
  await group?.remove();
  group = null;
});

/** A process that nobody traces. */
function stop(pid: number, guard: Guard, mostMs: number): Paused {
  const paused = pause(pid, guard, { mostMs });
  if (paused === null || isTraced(paused)) throw new Error(`${pid} could not be stopped`);
  return paused;
}

describe('the guard', () => {
  test('lets a process go on at its deadline while the reader is busy', async () => {
    target = start(python, 'busy.py');
    await sleep(500);
    const guard = startGuard();
    const paused = stop(target.pid, guard, 300);
    expect(isStopped(target.pid)).toBe(true);
    let wasFreed = false;
    for (let i = 0; i < 100 && !wasFreed; i++) {
      busy(100);
      wasFreed = !isStopped(target.pid);
    }
    expect(wasFreed).toBe(true);
    paused.resume();
    guard.close();
  });

  test('forgets a deadline that was not needed', async () => {
    target = start(python, 'busy.py');
    await sleep(500);
    const guard = startGuard();
    stop(target.pid, guard, 2000).resume();
    expect(await eventually(() => !isStopped(target!.pid))).toBe(true);
    // The guard reads its order; then somebody else stops the process: not ours to let go.
    await sleep(500);
    process.kill(target.pid, 'SIGSTOP');
    await sleep(2500);
    expect(isStopped(target.pid)).toBe(true);
    guard.close();
    await sleep(200);
    expect(isStopped(target.pid)).toBe(true);
  });
});

describe('kill -9 of coroner run during a look never leaves the command stopped', () => {
  const why = have.cgroup();
  const times = have.deep
    ? Math.ceil(50 * Math.min(1, Number(process.env['CORONER_FUZZ'] ?? 1)))
    : 3;
  test.skipIf(why !== null)(
    `${times} times${why === null ? '' : ` (${why})`}`,
    { timeout: 600_000 },
    async () => {
      group = makeCgroup('python-kill9', { limitBytes: 200 * mib, swapBytes: 0 });
      let caught = 0;
      for (let i = 0; i < times; i++) {
        const folder = mkdtempSync(join(tmpdir(), 'coroner-test-kill9-'));
        const run = spawn(
          process.execPath,
          [coroner, 'run', '-q', '-o', folder, ...group.enter].concat([
            python,
            join(programs, 'grow.py'),
            'small',
            '150',
          ]),
          { stdio: 'ignore', timeout: 60_000, killSignal: 'SIGKILL' },
        );
        const ended = new Promise((resolve) => {
          run.once('exit', resolve);
        });
        let held: number | undefined;
        await eventually(() => {
          held = group!.pids().find(isStopped);
          return held !== undefined || run.exitCode !== null || run.signalCode !== null;
        });
        if (held !== undefined) {
          caught += 1;
          // At any moment of the look.
          await sleep((i * 37) % 400);
          run.kill('SIGKILL');
          const pid = held;
          expect(await eventually(() => !isStopped(pid))).toBe(true);
        }
        for (const pid of group.pids()) process.kill(pid, 'SIGKILL');
        await ended;
        await eventually(() => group!.pids().length === 0);
        rmSync(folder, { recursive: true, force: true });
      }
      expect(caught).toBeGreaterThan(0);
    },
  );
});
