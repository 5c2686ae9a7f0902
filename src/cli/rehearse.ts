import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { findMounts } from '../machine/cgroup.ts';
import { machineFacts } from '../machine/host.ts';
import type { Cause, Death } from '../model/causes.ts';
import type { Report } from '../model/report.ts';
import { find } from '../record/launch.ts';
import { Problem } from './problem.ts';
import { terminalOptions } from './terminal-options.ts';

const deaths = ['obvious', 'disguised', 'assassination', 'slow'] as const;
type Rehearsed = (typeof deaths)[number];

export function configure(command: Command): void {
  command
    .argument('[death]', `one of ${deaths.join(', ')}; without one: all four`)
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      `
Each program is small, bounded in time and memory, and runs in a cgroup of its own where that may be made.
Nothing else on the machine is touched. The recordings stay: coroner list.`,
    )
    .action(async (death: string | undefined, options: { readonly color: boolean }) => {
      if (death !== undefined && !(deaths as readonly string[]).includes(death))
        throw new Problem(
          `rehearse: no death called "${death}"`,
          `There are: ${deaths.join(', ')}.`,
        );
      await rehearse(death === undefined ? deaths : [death as Rehearsed], options);
    });
}

/** One program to run under the recorder. */
interface Act {
  readonly title: string;
  readonly explains: string;
  /** What cannot be done here, and what is done instead. */
  readonly instead?: string;
  readonly command: readonly string[];
  readonly expects: { readonly death: Death; readonly causes: readonly Cause[] };
}

/** The longest that one program may take. */
const boundMs = 60_000;
const limitBytes = 100 * 2 ** 20;
const programs = fileURLToPath(new URL('../../rehearsal/', import.meta.url));
const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));

async function rehearse(
  wanted: readonly Rehearsed[],
  options: { readonly color: boolean },
): Promise<void> {
  const stage = openStage();
  const { color } = terminalOptions(process.stdout, process.env, options);
  const bold = (text: string) => (color ? `\u001B[1m${text}\u001B[22m` : text);
  const dim = (text: string) => (color ? `\u001B[2m${text}\u001B[22m` : text);
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    stage.clear();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  // A reader that stops early (`| head`) ends this process wherever it is.
  process.once('exit', () => {
    running?.kill('SIGTERM');
    stage.clear();
  });
  const summary: string[] = [];
  try {
    for (const death of wanted) {
      const acts = await plays[death](stage);
      for (const act of acts) {
        if (interrupted) break;
        say(`\n${bold(`${act.title}`)}\n`);
        say(wrapped(act.explains));
        if (act.instead !== undefined) say(wrapped(act.instead));
        if (act.command.length === 0) {
          summary.push(`${act.title.padEnd(34)} not done here`);
          continue;
        }
        say(dim(`$ coroner run ${shown(act.command)}\n\n`));
        const report = await perform(act.command, stage, options.color);
        if (interrupted) break;
        const incident = report?.incidents.find(({ cause }) => act.expects.causes.includes(cause));
        const first = incident ?? report?.incidents[0];
        const said =
          first === undefined
            ? 'no death seen'
            : `${first.death}, ${first.cause}, ${first.confidence}`;
        summary.push(
          `${act.title.padEnd(34)} ${incident?.death === act.expects.death ? said : `${said} (expected: ${act.expects.death})`}`,
        );
      }
    }
  } finally {
    stage.clear();
  }
  if (interrupted) {
    say('\nRehearsal stopped, everything cleaned up.\n');
    process.exitCode = 130;
    return;
  }
  if (summary.length > 1) say(`\n${bold('What coroner said')}\n  ${summary.join('\n  ')}\n`);
}

const plays: Readonly<
  Record<Rehearsed, (stage: Stage) => Promise<readonly Act[]> | readonly Act[]>
> = {
  obvious: () => [
    {
      title: 'An obvious death',
      explains:
        'A table of a million million rows. The allocator says no, Python raises MemoryError and says where.',
      command: [python(), join(programs, 'obvious.py')],
      expects: { death: 'obvious', causes: ['alloc-failure-exception'] },
    },
  ],
  disguised: (stage) => {
    const acts: Act[] = [
      {
        title: 'A disguised death, in Python',
        explains:
          'malloc says no by giving NULL, nobody looks, and the write through it is a segfault: no MemoryError, no word of memory.',
        command: [python(), join(programs, 'disguised.py')],
        expects: { death: 'disguised', causes: ['alloc-failure-segfault'] },
      },
    ];
    const program = compiled(stage);
    acts.push({
      title: 'A disguised death, in C',
      explains: 'The same in C: malloc(10,000,000,000,000,000), unchecked.',
      ...(program === null
        ? { instead: 'There is no C compiler (cc) here: left out.', command: [] }
        : { command: [program, '10000000000000000'] }),
      expects: { death: 'disguised', causes: ['alloc-failure-segfault'] },
    });
    return acts;
  },
  assassination: (stage) => {
    const program = [python(), join(programs, 'assassination.py')];
    const inside = stage.inCgroup(program);
    const base = {
      title: 'An assassination',
      explains:
        'A list grows in a cgroup that may hold 100 MiB. The kernel decides; the program is gone between two instructions.',
      expects: { death: 'assassination', causes: ['kernel-cgroup-oom'] },
    } as const;
    if (inside !== null) return [{ ...base, command: inside }];
    return [
      {
        ...base,
        instead: `That needs a cgroup of its own, which may not be made here (${stage.whyNot}; as root it may). The nearest thing: the same program with a limit of address space, where memory is refused instead: it dies an obvious death.`,
        command: withAddressSpace(program),
        expects: { death: 'obvious', causes: ['rlimit', 'alloc-failure-exception'] },
      },
    ];
  },
  slow: (stage) => {
    const swap = (machineFacts('/proc').swapTotalBytes ?? 0) > 300 * 2 ** 20;
    const base = {
      title: 'A slow death',
      explains: `A program looks things up at random in 200 MiB ${swap ? 'of memory' : 'of a file'}, and its cgroup may hold 100. Alive on paper, it does little but wait for pages.`,
      expects: { death: 'slow', causes: ['swap-thrash'] },
    } as const;
    const data = swap ? 'swap' : stage.file(200);
    const inside =
      data === null ? null : stage.inCgroup([python(), join(programs, 'slow.py'), data]);
    if (inside !== null) return [{ ...base, command: inside }];
    const spins = spinningPython();
    const needs = `That needs a cgroup of its own, which may not be made here (${stage.whyNot}; as root it may).`;
    if (spins === null)
      return [
        {
          ...base,
          instead: `${needs} The nearest thing is CPython 3.11 to 3.13 at a limit of address space, and there is none here: left out.`,
          command: [],
        },
      ];
    return [
      {
        ...base,
        instead: `${needs} The nearest thing: this Python unwinds an exception for ever once its address space is full. It is ended after 8 seconds.`,
        command: [
          '/bin/sh',
          '-c',
          'ulimit -v 250000; exec "$@"',
          'sh',
          'timeout',
          '-s',
          'KILL',
          '8',
          spins,
          join(programs, 'livelock.py'),
        ],
        expects: { death: 'slow', causes: ['rlimit'] },
      },
    ];
  },
};

function python(): string {
  const path = process.env['PATH'] ?? '';
  const found = find('python3', path) ?? find('python', path);
  if (found === null)
    throw new Problem(
      'rehearse: no python3 on the PATH',
      'Install Python, or name the folder of one in PATH.',
    );
  // A version manager's shim is a shell script that starts a dozen processes: ask it for the real one.
  const asked = spawnSync(found, ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  const real = asked.status === 0 ? asked.stdout.trim() : '';
  return real !== '' && existsSync(real) ? real : found;
}

/** A CPython of the versions that never end at a limit of address space; null: none here. */
function spinningPython(): string | null {
  const candidates = [python(), '/usr/bin/python3'];
  const probe =
    'import sys; sys.exit(0 if sys.implementation.name == "cpython" and (3, 11) <= sys.version_info[:2] <= (3, 13) else 1)';
  return (
    candidates.find(
      (path) =>
        existsSync(path) &&
        spawnSync(path, ['-c', probe], { stdio: 'ignore', timeout: 10_000 }).status === 0,
    ) ?? null
  );
}

/** dash, BusyBox and bash all know `ulimit -v` (in KiB). */
const withAddressSpace = (program: readonly string[]): readonly string[] => [
  '/bin/sh',
  '-c',
  'ulimit -v 400000; exec "$@"',
  'sh',
  ...program,
];

function compiled(stage: Stage): string | null {
  const compiler = find('cc', process.env['PATH'] ?? '') ?? find('gcc', process.env['PATH'] ?? '');
  if (compiler === null) return null;
  const program = join(stage.folder, 'naive_malloc');
  const { status } = spawnSync(
    compiler,
    ['-O0', '-g', '-o', program, join(programs, 'naive_malloc.c')],
    { stdio: 'ignore', timeout: 30_000 },
  );
  return status === 0 ? program : null;
}

/** Where the programs run, and what is cleared away afterwards whatever happens. */
interface Stage {
  readonly folder: string;
  readonly whyNot: string;
  /** The command as it runs in the cgroup; null: there is none. */
  readonly inCgroup: (command: readonly string[]) => readonly string[] | null;
  /** A file of so many MiB on a disk; null: no room. */
  readonly file: (mebibytes: number) => string | null;
  readonly clear: () => void;
}

function openStage(): Stage {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-rehearsal-'));
  let cgroup: string | null = null;
  let whyNot = 'there is no memory controller';
  const { v1, v2 } = findMounts('/proc');
  const candidates = [
    ...(v1 === null ? [] : [{ parent: v1.folder, limit: 'memory.limit_in_bytes' }]),
    ...(v2 === null ? [] : [{ parent: v2.folder, limit: 'memory.max' }]),
  ];
  for (const { parent, limit } of candidates) {
    const path = join(parent, `coroner-rehearsal-${process.pid}-${randomBytes(3).toString('hex')}`);
    try {
      mkdirSync(path);
      cgroup = path;
      writeFileSync(join(path, limit), String(limitBytes));
      break;
    } catch (error) {
      whyNot = (error as NodeJS.ErrnoException).code ?? String(error);
      if (cgroup !== null) removeCgroup(cgroup);
      cgroup = null;
    }
  }
  return {
    folder,
    whyNot,
    inCgroup: (command) =>
      cgroup === null
        ? null
        : ['/bin/sh', '-c', `echo $$ > "$0/cgroup.procs" && exec "$@"`, cgroup, ...command],
    file: (mebibytes) => {
      // Not in memory: /tmp is often tmpfs, whose pages are memory themselves.
      const where = ['/var/tmp', folder].find((path) => existsSync(path)) ?? folder;
      const path = join(
        where === folder ? folder : mkdtempSync(join(where, 'coroner-rehearsal-')),
        'data',
      );
      files.push(path);
      try {
        const fd = openSync(path, 'wx', 0o600);
        const block = randomBytes(2 ** 20);
        for (let count = 0; count < mebibytes; count += 1) writeSync(fd, block);
        closeSync(fd);
        dropFromCache(path);
        return path;
      } catch {
        return null;
      }
    },
    clear: () => {
      if (cgroup !== null) removeCgroup(cgroup);
      for (const path of files) rmSync(join(path, '..'), { recursive: true, force: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
const files: string[] = [];

/**
 * What lies in the page cache is charged to whoever read or wrote it first, and the limit would never bite:
 * written out and forgotten, it is charged to the program that reads it.
 */
function dropFromCache(path: string): void {
  spawnSync('sync', [path], { stdio: 'ignore', timeout: 30_000 });
  spawnSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
    stdio: 'ignore',
    timeout: 30_000,
  });
}

/** Ends what is still in it (only what was put there), then removes it. */
function removeCgroup(path: string): void {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    }
    try {
      for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n'))
        if (pid !== '') process.kill(Number(pid), 'SIGKILL');
    } catch {
      // Just gone.
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
}

let running: ChildProcess | null = null;

/** Runs one program under the recorder, as anybody would; null: no report came of it. */
function perform(command: readonly string[], stage: Stage, color: boolean): Promise<Report | null> {
  const json = join(stage.folder, 'report.json');
  rmSync(json, { force: true });
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [coroner, 'run', '--json', json, ...(color ? [] : ['--no-color']), '--', ...command],
      // What the program and the recorder say is the show itself: all of it can be paged and piped.
      { stdio: ['inherit', 1, 1], timeout: boundMs, killSignal: 'SIGTERM' },
    );
    running = child;
    child.on('error', () => resolve(null));
    child.on('exit', () => {
      running = null;
      try {
        resolve(JSON.parse(readFileSync(json, 'utf8')) as Report);
      } catch {
        resolve(null);
      }
    });
  });
}

const shown = (command: readonly string[]) => {
  // The shell that enters the cgroup or sets the limit is ours, not the point.
  const own = command[0] === '/bin/sh' ? command.slice(4) : command;
  return own
    .map((word) => (word.startsWith(programs) ? word.slice(programs.length) : word))
    .join(' ');
};

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > 78 && line !== '') {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return `${lines.join('\n')}\n`;
}

const say = (text: string) => process.stdout.write(text);
