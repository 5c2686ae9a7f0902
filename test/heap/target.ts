/** Python programs that stop themselves where a test wants to look. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { threadStates } from '../../src/python/process/pause.ts';
import { deep, newestPythons, pythons } from '../have.ts';

export const programs = fileURLToPath(new URL('../programs/heap/', import.meta.url));

export interface Stopped {
  readonly pid: number;
  readonly folder: string;
  readonly child: ChildProcess;
  readonly end: () => void;
}

export interface StartOptions {
  readonly timeoutMs?: number;
  /** Of the interpreter. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program with a file name as its first argument. */
export function start(
  python: string,
  program: string,
  args: readonly string[] = [],
  { flags = [], env = {}, timeoutMs = 120_000 }: StartOptions = {},
): Stopped {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-test-heap-'));
  const child = spawn(python, [...flags, join(programs, program), join(folder, 'truth'), ...args], {
    // A core is written here.
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  return {
    pid: child.pid!,
    folder,
    child,
    end: () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Starts a program and waits until it has stopped itself. */
export async function stopped(
  python: string,
  program: string,
  args: readonly string[] = [],
  options: StartOptions = {},
): Promise<Stopped> {
  const target = start(python, program, args, options);
  const { child, folder, pid } = target;
  for (let i = 0; i < 1200; i++) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
    const states = threadStates(pid);
    if (existsSync(join(folder, 'truth')) && states.length > 0 && states.every((s) => s === 'T'))
      break;
    await sleep(50);
  }
  return target;
}

/** Starts a program and waits until it says, by making its file, that it is under way. */
export async function underWay(
  python: string,
  program: string,
  args: readonly string[] = [],
  options: StartOptions = {},
): Promise<Stopped> {
  const target = start(python, program, args, options);
  for (let i = 0; i < 6000 && !existsSync(join(target.folder, 'truth')); i++) {
    const { exitCode, signalCode } = target.child;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`${program} ended with ${exitCode ?? signalCode}`);
    await sleep(10);
  }
  return target;
}

/** `3.12` and the like: one CPython of each minor version at hand, 3.6 and later. */
export const versions = (): readonly (readonly [string, string])[] => minorsOf(pythons());

/** As `versions`, those of the root folder. */
export const newestVersions = (): readonly (readonly [string, string])[] =>
  minorsOf(newestPythons());

function minorsOf(
  interpreters: ReadonlyMap<string, string>,
): readonly (readonly [string, string])[] {
  const found = new Map<string, string>();
  for (const [version, path] of interpreters) {
    const match = /^3\.(\d+)\.\d+$/.exec(version);
    if (match !== null && Number(match[1]) >= 6) found.set(`3.${match[1]}`, path);
  }
  return [...found].sort((a, b) => Number(a[0].slice(2)) - Number(b[0].slice(2)));
}

/** All of them in the deep tests; else the newest here, and the newest of the root folder. */
export const triedVersions = (): readonly (readonly [string, string])[] => {
  const all = versions();
  if (deep) return [...all, ...newestVersions()];
  return [...all.slice(-1), ...newestVersions().slice(-1)];
};
