/** Runs a situation bare and under `coroner run`, and says in what the two differ. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemPython } from '../have.ts';
import { compilePrograms } from './foreign.ts';
import type { Situation } from './situations.ts';

const file = (name: string) => new URL(name, import.meta.url).pathname;
/** The front door: `coroner`, or Node with bin/coroner.js. */
export type Way = 'helper' | 'node';
const ways: Readonly<Record<Way, readonly string[]>> = {
  helper: [file('../../bin/coroner'), 'run'],
  node: [process.execPath, file('../../bin/coroner.js'), 'run'],
};

export interface Seen {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Compiles the probe and the programs of foreign.ts into a folder and returns the probe's path. */
export function compileProbe(folder: string): string {
  const out = join(folder, 'probe');
  const { status, stderr } = spawnSync('cc', ['-O1', '-o', out, file('probe.c')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  compilePrograms(folder);
  return out;
}

const quoted = (words: readonly string[]) =>
  words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');

/** Node's own pipes are sockets. */
const throughPipes = (text: string) =>
  `set -o pipefail; { (\n${text}\n) 2>&3 | cat; } 3> >(cat >&2); status=$?; wait $!; exit $status`;

async function see(
  { script, output = 'files' }: Situation,
  probe: string,
  way: Way | null,
): Promise<Seen> {
  const outer = mkdtempSync(join(tmpdir(), 'coroner-situation-'));
  // The same path in both runs, as commands print it; a folder of its own behind it.
  const work = join(outer, 'work');
  mkdirSync(work);
  try {
    const words = way === null ? [] : [...ways[way], '-q', '-o', join(outer, 'incidents'), '--'];
    const text = `RUN=(${quoted(words)})\n${script}`;
    const streams = ['stdout', 'stderr'].map((name) => join(outer, name));
    const fds = streams.map((path) => openSync(path, 'a'));
    const child = spawn('/bin/bash', ['-c', output === 'files' ? text : throughPipes(text)], {
      cwd: work,
      stdio: ['ignore', ...fds],
      env: {
        ...process.env,
        NO_COLOR: '1',
        PROBE: probe,
        MADE: dirname(probe),
        PYPROBE: file('probe.py'),
        PYTHON: systemPython,
        WORK: work,
      },
      // Nothing of it outlives a situation that hangs.
      detached: true,
    });
    for (const fd of fds) closeSync(fd);
    const timeout = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), 20_000);
    const ended = await new Promise<Pick<Seen, 'status' | 'signal'>>((resolve) => {
      child.once('close', (status, signal) => resolve({ status, signal }));
    });
    clearTimeout(timeout);
    const [stdout = '', stderr = ''] = streams.map((path) =>
      readFileSync(path, 'latin1').replaceAll(outer, 'OUTER'),
    );
    return { ...ended, stdout, stderr };
  } finally {
    rmSync(outer, { recursive: true, force: true });
  }
}

/** What differs; empty: nothing. Coroner's own words come after the command's, or before it where it was not recorded. */
export function differences(situation: Situation, bare: Seen, run: Seen): readonly string[] {
  const found: string[] = [];
  for (const what of ['status', 'signal', 'stdout'] as const)
    if (bare[what] !== run[what])
      found.push(`${what}: ${JSON.stringify(bare[what])} bare, ${JSON.stringify(run[what])} run`);
  if (situation.wordsDiffer === true) return found;
  const own = situation.unrecorded === true ? /^coroner: not recorded: .*\n/ : null;
  if (own !== null && !own.test(run.stderr))
    found.push(`stderr: nothing says that it was not recorded: ${run.stderr}`);
  const words = own === null ? run.stderr : run.stderr.replace(own, '');
  const rest = words.startsWith(bare.stderr) ? words.slice(bare.stderr.length) : null;
  if (
    rest === null ||
    !/^(?:(?:✔|\u00e2\u009c\u0094|✖|\u00e2\u009c\u0096|coroner: |\?|! ).*\n(?: .*\n)*)*$/.test(rest)
  )
    found.push(`stderr: ${JSON.stringify(bare.stderr)} bare, ${JSON.stringify(run.stderr)} run`);
  return found;
}

export async function compare(
  situation: Situation,
  probe: string,
  way: Way,
): Promise<readonly string[]> {
  const [bare, run] = [await see(situation, probe, null), await see(situation, probe, way)];
  return differences(situation, bare, run);
}
