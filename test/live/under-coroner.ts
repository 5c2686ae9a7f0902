/** Runs a command under `coroner run` with an output folder of its own, as a user would. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Incident, Report } from '../../src/model/report.ts';

export const coroner = new URL('../../bin/coroner.js', import.meta.url).pathname;

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly report: Report | null;
  readonly incident: Incident | undefined;
  /** Files of the incident folder, by their path in it. */
  readonly files: ReadonlyMap<string, string>;
}
export interface Options {
  /** Words before `node`: a shell that enters a cgroup. */
  readonly before?: readonly string[];
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export function underCoroner(command: readonly string[], given: Options = {}): Outcome {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-live-'));
  try {
    const [file = '', ...args] = [
      ...(given.before ?? []),
      process.execPath,
      coroner,
      'run',
      '--output',
      folder,
      '--json',
      join(folder, 'report.json'),
      ...(given.options ?? []),
      '--',
      ...command,
    ];
    const { status, signal, stdout, stderr } = spawnSync(file, args, {
      encoding: 'utf8',
      timeout: 50_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, NO_COLOR: '1', ...given.env },
      ...(given.input === undefined ? {} : { input: given.input }),
    });
    let report: Report | null = null;
    try {
      report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report;
    } catch {
      // The command could not be started.
    }
    const files = new Map<string, string>();
    const [id = ''] = readdirSync(folder).filter((name) => name !== 'report.json');
    for (const name of readdirSync(join(folder, id), { recursive: true, withFileTypes: true }))
      if (name.isFile()) {
        const path = join(name.parentPath, name.name);
        files.set(path.slice(join(folder, id).length + 1), readFileSync(path, 'utf8'));
      }
    return { status, signal, stdout, stderr, report, incident: report?.incidents[0], files };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The same for a command that reads its stdin to the end: that comes when coroner has said what is waited for. What it never says fails the
 * test by its absence from `stderr`.
 */
export async function hangingUntil(
  said: RegExp,
  command: readonly string[],
): Promise<Pick<Outcome, 'stderr' | 'incident'>> {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-live-'));
  const json = join(folder, 'report.json');
  try {
    const child = spawn(
      process.execPath,
      [coroner, 'run', '--output', folder, '--json', json, '--', ...command],
      {
        stdio: ['pipe', 'ignore', 'pipe'],
        timeout: 50_000,
        killSignal: 'SIGKILL',
        env: { ...process.env, NO_COLOR: '1' },
      },
    );
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (said.test(stderr)) child.stdin.end();
    });
    await once(child, 'close');
    child.stdin.destroy();
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    return { stderr, incident: report.incidents[0] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same without coroner. */
export function alone(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [file = '', ...args] = command;
  return spawnSync(file, args, {
    encoding: 'utf8',
    timeout: 50_000,
    killSignal: 'SIGKILL',
    env: { ...process.env, ...env },
  });
}
