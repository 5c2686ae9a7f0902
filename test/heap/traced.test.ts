/** A process that a debugger or strace follows is read, but never stopped: its tracer would see the stop and hold it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Inspection, Report } from '../../src/model/report.ts';
import { isTraced, pause, startGuard, threadStates } from '../../src/python/process/pause.ts';
import { makeCgroup, type TestCgroup } from '../cgroup.ts';
import * as have from '../have.ts';
import { programs, underWay, versions, type Stopped } from './target.ts';

const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));
const python = versions().at(-1)?.[1] ?? have.systemPython;
const mib = 2 ** 20;
vi.setConfig({ testTimeout: 120_000 });

let folder = '';
let target: Stopped | null = null;
let tracer: ChildProcess | null = null;
let group: TestCgroup | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-traced-'));
});
afterEach(async () => {
  tracer?.kill('SIGKILL');
  target?.end();
  [tracer, target] = [null, null];
  await group?.remove();
  group = null;
  rmSync(folder, { recursive: true, force: true });
});

const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8');
const tracerPid = (pid: number): number => Number(/^TracerPid:\t(\d+)/m.exec(statusOf(pid))![1]);
async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !what(); i++) await sleep(10);
  expect(what()).toBe(true);
}

/** Starts a Python that works on, and lets a program trace it. */
async function traced(command: string, args: (pid: number) => readonly string[]): Promise<number> {
  target = await underWay(python, 'busy.py');
  const { pid } = target;
  tracer = spawn(command, args(pid), {
    stdio: ['pipe', 'ignore', 'ignore'],
    timeout: 100_000,
    killSignal: 'SIGKILL',
  });
  await until(() => tracerPid(pid) !== 0);
  return pid;
}
/** Writes down the signals that the process gets. */
const strace = (pid: number) =>
  `-f -qq -e trace=none -e signal=all -o ${join(folder, 'strace')} -p ${pid}`.split(' ');
const signals = () => readFileSync(join(folder, 'strace'), 'utf8');
const gdb = (pid: number) => ['-q', '-nx', '-p', `${pid}`];

function inspection(pid: number): {
  readonly child: ChildProcess;
  readonly read: () => Inspection;
} {
  const json = join(folder, 'inspection.json');
  const child = spawn(process.execPath, [coroner, 'inspect', '--json', json, `${pid}`], {
    stdio: 'ignore',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  return { child, read: () => JSON.parse(readFileSync(json, 'utf8')) as Inspection };
}

describe('followed by strace', () => {
  const why = have.root() ?? have.command('strace');
  const title = (name: string) => `${name}${why === null ? '' : ` (${why})`}`;
  test.skipIf(why !== null)(title('it is not stopped'), async () => {
    const pid = await traced('strace', strace);
    const guard = startGuard();
    const result = pause(pid, guard, { mostMs: 500 });
    guard.close();
    expect(result).toEqual({ tracer: { pid: tracer!.pid, name: 'strace' } });
    expect(isTraced(result!)).toBe(true);
    // It gets signals in the order in which they were sent.
    process.kill(pid, 'SIGURG');
    await until(() => signals().includes('SIGURG'));
    expect(signals()).not.toContain('SIGSTOP');
  });
  test.skipIf(why !== null)(title('coroner inspect reads it while it runs'), async () => {
    const pid = await traced('strace', strace);
    const { child, read } = inspection(pid);
    await new Promise((resolve) => child.once('exit', resolve));
    process.kill(pid, 'SIGURG');
    await until(() => signals().includes('SIGURG'));
    expect(signals()).not.toContain('SIGSTOP');
    const { memory, threads } = read();
    const note = `it was being traced by strace (pid ${tracer!.pid}): not stopped`;
    expect(memory.notes).toContain(note);
    expect(threads.length).toBeGreaterThan(0);
  });
});

describe('held by gdb', () => {
  const why = have.root() ?? have.command('gdb');
  const cgroup = why ?? have.cgroup();
  test.skipIf(why !== null)(
    `coroner inspect reads it and leaves it held${why === null ? '' : ` (${why})`}`,
    async () => {
      const pid = await traced('gdb', gdb);
      await until(() => threadStates(pid).every((state) => state === 't'));
      const { child, read } = inspection(pid);
      await new Promise((resolve) => child.once('exit', resolve));
      expect(threadStates(pid).every((state) => state === 't')).toBe(true);
      expect(read().memory.notes).toContain(
        `it was being traced by gdb (pid ${tracer!.pid}): not stopped`,
      );
      // Nothing waits for it there: as soon as gdb lets it go, it runs.
      tracer!.stdin!.end('detach\nquit\n');
      await until(() => tracerPid(pid) === 0);
      await until(() => !threadStates(pid).some((state) => state === 'T' || state === 't'));
    },
  );

  test.skipIf(cgroup !== null)(
    `a command under gdb dies of its limit as it would${cgroup === null ? '' : ` (${cgroup})`}`,
    () => {
      group = makeCgroup('python-gdb', { limitBytes: 300 * mib, swapBytes: 0 });
      const json = join(folder, 'report.json');
      const { signal } = spawnSync(
        process.execPath,
        [coroner, 'run', '-q', '-o', folder, '--json', json, ...group.enter].concat(
          ['gdb', '-q', '-nx', '-batch', '-ex', 'run', '--args'],
          [python, join(programs, 'grow.py'), 'small', '60'],
        ),
        { stdio: 'ignore', timeout: 90_000, killSignal: 'SIGKILL' },
      );
      // Stopped for good, the run would have been ended by the timeout.
      expect(signal).toBeNull();
      const { incidents, sources } = JSON.parse(readFileSync(json, 'utf8')) as Report;
      const incident = incidents.find(({ cause }) => cause === 'kernel-cgroup-oom');
      expect(incident?.victim?.name).toMatch(/^python/);
      expect(sources).toContainEqual(
        expect.objectContaining({
          id: 'last-look',
          detail: expect.stringMatching(
            /^it was being traced by gdb \(pid \d+\): not stopped$/,
          ) as string,
        }),
      );
      expect(incident?.memory.holders?.[0]).toMatchObject({ name: 'rows' });
    },
  );
});

describe('stopped by job control', () => {
  test('it is read and stays stopped', async () => {
    target = await underWay(python, 'busy.py');
    const { pid } = target;
    process.kill(pid, 'SIGSTOP');
    await until(() => threadStates(pid).every((state) => state === 'T'));
    const { child, read } = inspection(pid);
    await new Promise((resolve) => child.once('exit', resolve));
    expect(threadStates(pid).every((state) => state === 'T')).toBe(true);
    expect(read().threads.length).toBeGreaterThan(0);
  });
});
