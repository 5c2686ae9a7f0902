/** Runs a row's command: under `coroner run`, and bare with what it leaves behind. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../../src/model/report.ts';
import { makeCgroup, type TestCgroup } from '../../cgroup.ts';
import { kernelLog, root as asRoot, systemPython } from '../../have.ts';
import type { Place, Row } from './row.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
export const coroner = [process.execPath, join(root, 'bin/coroner.js')] as const;
const programs = join(root, 'test/programs');
const builds = mkdtempSync(join(tmpdir(), 'coroner-programs-'));
// An ordinary user runs them too.
chmodSync(builds, 0o755);
process.on('exit', () => rmSync(builds, { recursive: true, force: true }));

const compilers: Readonly<Record<string, readonly string[]>> = {
  c: ['gcc', '-g', '-O0', '-w'],
  cpp: ['g++', '-g', '-O0'],
  rs: ['rustc', '-g'],
};
export const build = (name: string): string => {
  const out = join(builds, name);
  if (existsSync(out)) return out;
  const source = readdirSync(programs).find((file) => file.replace(/\.(c|cpp|rs)$/, '') === name);
  const [compiler = '', ...options] = compilers[source?.split('.').at(-1) ?? ''] ?? [];
  execFileSync(compiler, [...options, '-o', out, join(programs, source ?? name)], {
    stdio: 'pipe',
  });
  return out;
};

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  readonly pids: ReadonlySet<number>;
  readonly timedOut: boolean;
}

/** Starts the command, ends it as the row says, collects what it prints and which processes were in its cgroup. */
const launch = async (
  command: readonly string[],
  row: Row,
  place: Place,
  environment: Readonly<Record<string, string>>,
): Promise<Ran> => {
  const started = Date.now();
  const out = join(place.folder, '..', `stdout-${started}`);
  const err = join(place.folder, '..', `stderr-${started}`);
  const files = [openSync(out, 'w'), openSync(err, 'w')] as const;
  const child = spawn(command[0] ?? '', command.slice(1), {
    cwd: place.folder,
    stdio: ['ignore', ...files],
    env: { ...process.env, ...environment, NO_COLOR: '1' },
    // Its own process group: what is left at the end can be ended as one.
    detached: true,
  });
  for (const file of files) closeSync(file);
  const pids = new Set<number>();
  if (child.pid !== undefined) pids.add(child.pid);
  let timedOut = false;
  const poll = setInterval(() => {
    for (const pid of place.cgroup?.pids() ?? []) pids.add(pid);
  }, 10);
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-(child.pid ?? 0), signal);
    } catch {
      // gone
    }
  };
  const timers: NodeJS.Timeout[] = [];
  if (row.end)
    timers.push(
      setTimeout(
        () => {
          const [first] = place.cgroup?.pids() ?? [];
          try {
            process.kill(first ?? child.pid ?? 0, row.end?.signal);
          } catch {
            // gone
          }
        },
        (place.isBare ? row.end.bareAfterMs : undefined) ?? row.end.afterMs,
      ),
    );
  timers.push(
    setTimeout(() => {
      timedOut = true;
      for (const pid of place.cgroup?.pids() ?? [])
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // gone
        }
      timers.push(setTimeout(() => signalGroup('SIGKILL'), 3000));
    }, row.timeoutMs ?? 40_000),
  );
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, by) => resolve([code, by]));
    },
  );
  clearInterval(poll);
  for (const timer of timers) clearTimeout(timer);
  signalGroup('SIGKILL');
  return {
    status,
    signal,
    stdout: readFileSync(out, 'utf8'),
    stderr: readFileSync(err, 'utf8'),
    ms: Date.now() - started,
    pids,
    timedOut,
  };
};

/** Prepares folder, cgroups and port, and clears them away whatever happens. */
export const inPlace = async <T>(
  row: Row,
  isBare: boolean,
  use: (place: Place) => Promise<T>,
): Promise<T> => {
  const work = mkdtempSync(join(tmpdir(), `coroner-row-`));
  const folder = join(work, 'cwd');
  mkdirSync(folder);
  const steps: (() => void)[] = [];
  let outermost: TestCgroup | null = null;
  let own: TestCgroup | null = null;
  try {
    for (const options of row.cgroups ?? [])
      own = own === null ? (outermost = makeCgroup(row.id, options)) : own.child('job', options);
    const place: Place = {
      folder,
      program: (name) => join(programs, name),
      built: build,
      python: row.python ?? systemPython,
      cgroup: own,
      port: await freePort(),
      isBare,
      cleanUp: (step) => steps.push(step),
    };
    return await use(place);
  } finally {
    if (outermost) await outermost.remove();
    for (const step of steps.toReversed())
      try {
        step();
      } catch {
        // a step whose work was never begun
      }
    rmSync(work, { recursive: true, force: true });
  }
};

const parse = (text: string, context: string): Report => {
  try {
    return JSON.parse(text) as Report;
  } catch {
    throw new Error(`no report:\n${context}`);
  }
};
export const diagnose = (args: readonly string[]): Report => {
  const { stdout, stderr } = spawnSync(
    coroner[0],
    [coroner[1], 'diagnose', '--json', '-', ...args],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      timeout: 60_000,
    },
  );
  return parse(stdout, `coroner diagnose ${args.join(' ')}\n${stderr}\n${stdout.slice(0, 500)}`);
};

const attempt = (work: () => Report): Report | Error => {
  try {
    return work();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
};

export interface Provoked {
  readonly report: Report;
  readonly pids: ReadonlySet<number>;
  readonly ran: Ran;
}

/** Somebody else than the user of this test: an ordinary user, a container. */
export interface Guise {
  readonly name: string;
  /** Put before coroner itself, after the row's cgroup has been entered. */
  readonly become: readonly string[];
}

/** Under `coroner run`: what it said, and what its folder alone says afterwards. */
export const live = (
  row: Row,
  guise?: Guise,
): Promise<Provoked & { readonly folder: Report | Error; readonly cgroup: string | null }> =>
  inPlace(row, false, async (place) => {
    const store = join(place.folder, '../store');
    const json = join(place.folder, '../report.json');
    if (guise) for (const open of [place.folder, join(place.folder, '..')]) chmodSync(open, 0o777);
    const recorded = [...coroner, 'run', '--json', json, '--output', store];
    const enter = place.cgroup?.enter ?? [];
    const ran = await launch(
      guise
        ? [...enter, ...guise.become, ...recorded, ...row.command(place)]
        : [...recorded, ...enter, ...row.command(place)],
      row,
      place,
      row.environment?.(place) ?? {},
    );
    if (!existsSync(json))
      throw new Error(
        `coroner run wrote no report: ${JSON.stringify({ ...ran, pids: [...ran.pids] }, null, 1)}`,
      );
    const report = parse(readFileSync(json, 'utf8'), ran.stderr);
    const folders = existsSync(store) ? readdirSync(store).map((name) => join(store, name)) : [];
    return {
      report,
      ran,
      pids: ran.pids,
      cgroup: place.cgroup?.path ?? null,
      folder: attempt(() => diagnose(folders)),
    };
  });

/** Bare, from a shell as a person would start it; then `coroner diagnose` on its stderr and on what the kernel wrote meanwhile. */
export const after = (row: Row): Promise<Provoked & { readonly cgroup: string | null }> =>
  inPlace(row, true, async (place) => {
    const mark = `coroner-test ${row.id} ${process.pid} ${Date.now()}`;
    const logged = asRoot() === null && kernelLog() === null;
    if (row.rateLimited) await sleep(6000);
    if (logged) writeFileSync('/dev/kmsg', `${mark}\n`);
    const pidFile = join(place.folder, '../pid');
    const ran = await launch(
      // bash says `line 1: 123 Killed  python3 x.py` on stderr, as it does in a script.
      [
        'bash',
        '-c',
        '"$@"; exit $?',
        'bash',
        // Whose death it is: the pid that the command will have.
        'sh',
        '-c',
        'echo $$ > "$0"; exec "$@"',
        pidFile,
        ...(place.cgroup?.enter ?? []),
        ...row.command(place),
      ],
      row,
      place,
      row.environment?.(place) ?? {},
    );
    const left = join(place.folder, '..');
    const pids = new Set([...ran.pids, Number(readFileSync(pidFile, 'utf8'))]);
    writeFileSync(join(left, 'stderr.txt'), ran.stderr);
    const files = [join(left, 'stderr.txt')];
    if (logged) {
      const log = execFileSync('dmesg', [], { encoding: 'utf8', maxBuffer: 1 << 26 });
      const from = log.indexOf(mark);
      // The whole machine's log, others' deaths in it too: as it is in life.
      writeFileSync(
        join(left, 'kern.log'),
        from < 0 ? log : log.slice(log.indexOf('\n', from) + 1),
      );
      files.push(join(left, 'kern.log'));
    }
    for (const name of readdirSync(place.folder))
      if (/^core(\.\d+)?$/.test(basename(name))) files.push(join(place.folder, name));
    return {
      report: diagnose(files),
      ran,
      pids,
      cgroup: place.cgroup?.path ?? null,
    };
  });
