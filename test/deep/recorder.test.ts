/**
 * The recorder under attack: whatever is done to it or around it, the command runs as if it had been started alone, ends as it would
 * have, is never left stopped, and the folder stays readable. CORONER_KILLS sets how often coroner is killed (default 100).
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { makeCgroup } from '../cgroup.ts';
import { cgroup, command, root, systemPython } from '../have.ts';
import { coroner, diagnose } from './matrix/provoke.ts';

const program = (name: string): string => new URL(`../programs/${name}`, import.meta.url).pathname;
const kills = Number(process.env['CORONER_KILLS'] ?? 100);
const [node, script] = coroner;

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner-attack-'));
  chmodSync(work, 0o755);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));
let count = 0;
const newFolder = (): string => {
  count += 1;
  const folder = join(work, String(count));
  mkdirSync(folder);
  return folder;
};

interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly report: Report | null;
  readonly ms: number;
}
/** `coroner run`, with a wrapper before it (`ulimit`, `nice`, `setpriv`) where one is given. */
const run = (
  words: readonly string[],
  {
    before = [],
    output,
    env = {},
    timeoutMs = 60_000,
  }: {
    readonly before?: readonly string[];
    readonly output?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly timeoutMs?: number;
  } = {},
): Ran => {
  const folder = newFolder();
  // The report goes to a place that outlives what is done to the output folder.
  const json = join(folder, 'report.json');
  const started = Date.now();
  const [file = '', ...args] = [
    ...before,
    node,
    script,
    'run',
    '--output',
    output ?? join(folder, 'store'),
    '--json',
    json,
    ...words,
  ];
  const { status, signal, stdout, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 26,
    env: { ...process.env, ...env, NO_COLOR: '1' },
    cwd: folder,
  });
  return {
    status,
    signal,
    stdout,
    stderr,
    ms: Date.now() - started,
    report: existsSync(json) ? (JSON.parse(readFileSync(json, 'utf8')) as Report) : null,
  };
};
const shell = (text: string, ...args: readonly string[]): readonly string[] => [
  'sh',
  '-c',
  text,
  'sh',
  ...args,
];
const noFault = ({ stderr }: Ran): void => {
  expect(stderr).not.toMatch(/fault of coroner|cannot give a verdict|\n {4}at /);
};
const causes = (ran: Ran): readonly string[] =>
  (ran.report?.incidents ?? []).map(({ cause }) => cause);

describe('killed at random moments', () => {
  test(
    `${kills} times kill -9: the command goes on unharmed, is not left stopped, the folder can be read, a later death is told`,
    { timeout: kills * 5000 + 120_000 },
    async () => {
      const folder = newFolder();
      const store = join(folder, 'store');
      const file = (kind: string, index: number): string => join(folder, `${kind}-${index}`);
      const seen = { unharmed: 0, harmed: [] as string[], tooEarly: 0, stopped: 0 };
      /** Pids of commands that died of their limit while nobody recorded them any more. */
      const died: number[] = [];
      const grows = [systemPython, program('hog.py'), '2', '70', '0.015', '0.2'];
      const commands = [
        // Grows to near the limit, where coroner looks into it: the moment when it may be paused.
        { words: ['sh', '-c', 'ulimit -v 105000; exec "$@"', 'sh', ...grows], status: '0' },
        { words: grows, status: '0' },
        // Grows beyond it, and dies whether it is recorded or not.
        { words: ['sh', '-c', 'ulimit -v 75000; exec "$@"', 'sh', ...grows], status: '1' },
      ] as const;
      const start = (index: number): ReturnType<typeof spawn> =>
        spawn(
          node,
          [
            script,
            'run',
            '--quiet',
            '--output',
            store,
            'sh',
            '-c',
            'sh -c \'echo $$ > "$0"; exec "$@"\' "$@"; echo $? > "$0"',
            file('status', index),
            file('pid', index),
            ...(commands[Math.abs(index) % commands.length]?.words ?? []),
          ],
          { stdio: 'ignore', env: { ...process.env, NO_COLOR: '1' } },
        );
      const endOf = (child: ReturnType<typeof spawn>): Promise<void> =>
        new Promise((resolve) => child.on('exit', () => resolve()));
      /** Milliseconds until the command has been started; null: it never was. */
      const untilStarted = async (child: ReturnType<typeof spawn>): Promise<number | null> => {
        const from = performance.now();
        while (childrenOf(child.pid ?? 0).length === 0) {
          if (child.exitCode !== null || performance.now() - from > 20_000) return null;
          await sleep(2);
        }
        return performance.now() - from;
      };
      // How long a run takes here and now, with what else goes on: the kills shall fall on all of it.
      const measured = await Promise.all(
        [0, 1, 2, 3].map(async (index) => {
          const child = start(-index);
          const exited = endOf(child);
          const startMs = (await untilStarted(child)) ?? 1000;
          const from = performance.now();
          await exited;
          return { startMs, restMs: performance.now() - from };
        }),
      );
      const most = (key: 'startMs' | 'restMs'): number =>
        Math.max(...measured.map((one) => one[key]));
      const once = async (index: number): Promise<void> => {
        const child = start(index);
        const exited = endOf(child);
        // One in ten before the command is started, the others from there to the verdict.
        if (index % 10 === 0) await sleep(Math.random() * most('startMs'));
        else if ((await untilStarted(child)) !== null) await sleep(Math.random() * most('restMs'));
        const mine = childrenOf(child.pid ?? 0);
        child.kill('SIGKILL');
        await exited;
        if (mine.length === 0) {
          seen.tooEarly += 1;
          return;
        }
        const areStopped = (): boolean =>
          withDescendants(mine).some((pid) =>
            /^State:\s+[Tt]/m.test(readText(`/proc/${pid}/status`)),
          );
        for (let waited = 0; waited < 5000 && areStopped(); waited += 100) await sleep(100);
        if (areStopped()) seen.stopped += 1;
        const said = (): string => readText(file('status', index)).trim();
        for (let waited = 0; waited < 20_000 && said() === ''; waited += 50) await sleep(50);
        const { status } = commands[index % commands.length] ?? { status: '' };
        if (said() === status) {
          seen.unharmed += 1;
          if (status !== '0') died.push(Number(readText(file('pid', index))));
        } else seen.harmed.push(`${index}: ${said() || 'never ended'}`);
      };
      // Four at a time: the machine is to be busy, not on its knees.
      let next = 1;
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          while (next <= kills) await once(next++);
        }),
      );
      const folders = existsSync(store) ? readdirSync(store) : [];
      let read = 0;
      const wrong: string[] = [];
      const told = new Set<number>();
      for (let at = 0; at < folders.length; at += 25) {
        const some = folders.slice(at, at + 25).map((name) => join(store, name));
        const report = diagnose(some);
        read += some.length;
        for (const { cause, confidence, outOfMemory, headline, victim } of report.incidents) {
          if (outOfMemory !== true) continue;
          if (['rlimit', 'alloc-failure-exception'].includes(cause)) told.add(victim?.pid ?? 0);
          // Whatever else a half-written folder says, it must not be a death by memory, told for sure.
          else if (confidence === 'certain') wrong.push(`${cause}: ${headline}`);
        }
      }
      // Helpers of coroner's, pausers' guards: nothing that belongs to these runs may be left.
      const leftOver = (): readonly string[] =>
        readdirSync('/proc').filter(
          (pid) =>
            /^\d+$/.test(pid) &&
            Number(pid) !== process.pid &&
            readText(`/proc/${pid}/cmdline`).includes(`${folder}/`),
        );
      for (let waited = 0; waited < 20_000 && leftOver().length > 0; waited += 200)
        await sleep(200);
      const untold = died.filter((pid) => !told.has(pid));
      const partial = readdirSync(store, { recursive: true }).filter((name) =>
        String(name).endsWith('.part'),
      );
      console.log(
        `kill -9 of coroner: ${kills} times within ${Math.round(most('startMs') + most('restMs'))} ms; ${seen.unharmed} commands ended as they would have alone, ` +
          `${seen.tooEarly} killed before the command was started or after its end, ${seen.harmed.length} harmed, ${seen.stopped} left stopped; ` +
          `${read} folders of ${folders.length} read; ${died.length} died of their limit, ${untold.length} of these not told; ` +
          `left over: ${leftOver().length} processes, ${partial.length} half-written files`,
      );
      expect(seen.harmed).toEqual([]);
      expect(seen.stopped).toBe(0);
      expect(wrong).toEqual([]);
      expect(untold).toEqual([]);
      expect(leftOver()).toEqual([]);
    },
  );
});

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
function withDescendants(pids: readonly number[]): readonly number[] {
  return pids.flatMap((pid) => [pid, ...withDescendants(childrenOf(pid))]);
}
/** Children that are commands: coroner's own helpers (tee, a watcher) are node or tee. */
function childrenOf(pid: number): readonly number[] {
  return readText(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .filter((child) => /^Name:\s+(sh|python3?.*)$/m.test(readText(`/proc/${child}/status`)));
}

describe('no place to write', () => {
  const dies = [systemPython, program('huge.py')];
  const readOnly = root() ?? null;
  test.skipIf(readOnly !== null)('the disk is full: a tmpfs of 40 KiB (needs root)', () => {
    const at = newFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40k', 'coroner-test', at]);
    try {
      const ran = run([systemPython, program('hog.py'), '1', '60', '0.02'], { output: at });
      noFault(ran);
      expect(ran.status).toBe(0);
      const died = run(dies, { output: at });
      noFault(died);
      expect(died.status).toBe(1);
    } finally {
      execFileSync('umount', ['-l', at]);
    }
  });
  test.skipIf(readOnly !== null)('the output is mounted read-only (needs root)', () => {
    const at = newFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'coroner-test', at]);
    try {
      const ran = run(dies, { output: at });
      noFault(ran);
      expect(ran.status).toBe(1);
      expect(causes(ran)).toContain('alloc-failure-exception');
    } finally {
      execFileSync('umount', ['-l', at]);
    }
  });
  test('the output is a file', () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    const ran = run(dies, { output: file });
    noFault(ran);
    expect(ran.status).toBe(1);
    expect(causes(ran)).toContain('alloc-failure-exception');
  });
  test('the output is below /proc, where nobody can make a folder', () => {
    const ran = run(dies, { output: '/proc/coroner' });
    noFault(ran);
    expect(ran.status).toBe(1);
    expect(causes(ran)).toContain('alloc-failure-exception');
  });
  test('the output folder vanishes during the run', () => {
    const output = join(newFolder(), 'store');
    const ran = run(
      shell(
        'rm -rf "$1"; shift; exec "$@"',
        output,
        systemPython,
        program('hog.py'),
        '1',
        '40',
        '0.01',
      ),
      { output },
    );
    noFault(ran);
    expect(ran.status).toBe(0);
  });
  test('the current folder vanishes during the run', () => {
    const ran = run(
      shell('rmdir "$PWD" 2>/dev/null; rm -rf "$PWD"; exec "$@"', systemPython, '-c', 'pass'),
    );
    expect(ran.status).toBe(0);
  });
  test('stderr is closed', () => {
    const ran = run(dies, { before: ['sh', '-c', 'exec "$@" 2>&-', 'sh'] });
    expect(ran.status).toBe(1);
  });
});

describe('limits on the recorder itself', () => {
  for (const files of [20, 26, 40])
    test(`${files} file descriptors`, () => {
      const ran = run([systemPython, program('huge.py')], {
        before: ['sh', '-c', `ulimit -n ${files}; exec "$@"`, 'sh'],
      });
      // Either it works, or it says in one line that it cannot; never a stack of ours.
      noFault(ran);
      expect([1, 70, 126]).toContain(ran.status);
      if (ran.status !== 1) expect(ran.stderr).toMatch(/EMFILE|too many open files/i);
    });
  test.skipIf(cgroup() !== null)(
    'a pids cgroup that lets node live and little more (needs cgroups)',
    async () => {
      for (const pidsMax of [12, 14, 20]) {
        const limited = makeCgroup('pids', { pidsMax });
        try {
          const ran = run([systemPython, '-c', 'print("lives")'], { before: limited.enter });
          // Below a dozen or so node itself aborts: no fault of ours, and no command was started.
          if (ran.status !== null && ran.status !== 134) {
            noFault(ran);
            expect([0, 126]).toContain(ran.status);
          }
        } finally {
          await limited.remove();
        }
      }
    },
  );
  test('nice 19 beside busy others', () => {
    const busy = Array.from({ length: 4 }, () =>
      spawn(systemPython, [program('spin.py'), '20'], { stdio: 'ignore' }),
    );
    try {
      const ran = run([systemPython, program('huge.py')], { before: ['nice', '-n', '19'] });
      noFault(ran);
      expect(ran.status).toBe(1);
      expect(causes(ran)).toContain('alloc-failure-exception');
    } finally {
      for (const other of busy) other.kill('SIGKILL');
    }
  });
  test.skipIf(cgroup() !== null)(
    'coroner inside the same limited cgroup: the command dies, not coroner (needs cgroups)',
    async () => {
      const box = makeCgroup('box', { limitBytes: 200 * 2 ** 20, swapBytes: 0 });
      try {
        const ran = run([systemPython, program('hog.py')], { before: box.enter });
        noFault(ran);
        expect({ status: ran.status, signal: ran.signal }).toEqual({
          status: null,
          signal: 'SIGKILL',
        });
        expect(causes(ran)).toContain('kernel-cgroup-oom');
      } finally {
        await box.remove();
      }
    },
  );
});

describe('many processes', () => {
  test('5,000 short-lived children', { timeout: 200_000 }, () => {
    const loop = 'i=0; while [ $i -lt 5000 ]; do /bin/true; i=$((i+1)); done';
    const started = Date.now();
    execFileSync('sh', ['-c', loop]);
    const bareMs = Date.now() - started;
    const ran = run(shell(loop), { timeoutMs: 180_000 });
    console.log(`5,000 short-lived children: ${bareMs} ms bare, ${ran.ms} ms recorded`);
    noFault(ran);
    expect(ran.status).toBe(0);
    expect(ran.report?.incidents).toEqual([]);
  });
  test('80 workers that die one after the other: each is told, the folder keeps to its bound', () => {
    const output = join(newFolder(), 'store');
    const ran = run(
      [
        systemPython,
        '-c',
        'import subprocess, sys\nfor _ in range(80):\n    subprocess.call(["sh", "-c", "ulimit -v 80000; exec \\"$@\\"", "sh", sys.executable, "-c", "kept = []\\nwhile True: kept.append(bytearray(1 << 18))"], stderr=subprocess.DEVNULL)',
      ],
      { output, timeoutMs: 180_000 },
    );
    noFault(ran);
    expect(causes(ran)).toHaveLength(80);
    // Of a worker whose file is gone and that nobody sampled, the limit is not known: only that it was refused memory.
    expect(causes(ran).filter((cause) => cause === 'rlimit').length).toBeGreaterThan(55);
    expect(
      causes(ran).filter((cause) => !['rlimit', 'alloc-failure-exception'].includes(cause)),
    ).toEqual([]);
    const files = readdirSync(output, { recursive: true }).filter((name) =>
      String(name).endsWith('.mem'),
    );
    // Sixty, and those that came since it was last looked.
    expect(files.length).toBeLessThan(75);
  }, 200_000);
  test('500 processes at once', { timeout: 100_000 }, () => {
    const ran = run([
      systemPython,
      '-c',
      'import os, time\nfor _ in range(500):\n    if os.fork() == 0:\n        time.sleep(2)\n        os._exit(0)\nfor _ in range(500):\n    os.wait()',
    ]);
    noFault(ran);
    expect(ran.status).toBe(0);
    expect(ran.report?.incidents).toEqual([]);
  });
});

describe('commands that are hard to follow', () => {
  const hog = (before: string): readonly string[] => [
    systemPython,
    '-c',
    `${before}\nkept = []\nwhile True:\n    kept.append(bytearray(b"x" * (1 << 20)))`,
  ];
  const under = async (words: readonly string[], check: (ran: Ran) => void): Promise<void> => {
    const limited = makeCgroup('hard', { limitBytes: 100 * 2 ** 20, swapBytes: 0 });
    try {
      const ran = run([...limited.enter, ...words], { timeoutMs: 40_000 });
      noFault(ran);
      check(ran);
    } finally {
      await limited.remove();
    }
  };
  const killed = (ran: Ran): void => {
    expect({ status: ran.status, signal: ran.signal }).toEqual({ status: null, signal: 'SIGKILL' });
    expect(causes(ran)).toEqual(['kernel-cgroup-oom']);
  };
  const skip = cgroup() !== null;
  test.skipIf(skip)('changes its name (needs cgroups)', () =>
    under(hog('import ctypes; ctypes.CDLL(None).prctl(15, b"a) b (\\x1b[31m", 0, 0, 0)'), killed),
  );
  test.skipIf(skip)('makes a session of its own (needs cgroups)', () =>
    under(['setsid', '--wait', ...hog('')], (ran) => {
      expect(causes(ran)).toContain('kernel-cgroup-oom');
    }),
  );
  test.skipIf(skip)('closes all descriptors (needs cgroups)', () =>
    under(hog('import os; os.closerange(0, 4096)'), killed),
  );
  test.skipIf(skip)('blocks all signals (needs cgroups)', () =>
    under(hog('import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))'), killed),
  );
  test.skipIf(skip)('moves into another cgroup, whose limit kills it (needs cgroups)', async () => {
    const other = makeCgroup('moved', { limitBytes: 60 * 2 ** 20, swapBytes: 0 });
    try {
      const ran = run(
        [
          ...hog(
            `import os, sys, time\ntime.sleep(0.5)\nopen(sys.argv[1], "w").write(str(os.getpid()))`,
          ),
          join(other.folder, 'cgroup.procs'),
        ],
        { timeoutMs: 40_000 },
      );
      noFault(ran);
      killed(ran);
      expect(ran.report?.incidents[0]?.limit).toMatchObject({ owner: 'cgroup', path: other.path });
    } finally {
      await other.remove();
    }
  });
  test.skipIf(skip || root() !== null)('changes its user (needs root and cgroups)', () =>
    under(hog('import os; os.setuid(65534)'), killed),
  );
  test.skipIf(skip || root() !== null)(
    'is PID 1 of a namespace of its own (needs root and cgroups)',
    () =>
      under(['unshare', '--pid', '--fork', '--mount-proc', ...hog('')], (ran) => {
        expect(causes(ran)).toContain('kernel-cgroup-oom');
      }),
  );
  test('daemonises, with its stderr inherited: coroner ends with the command', () => {
    const ran = run([
      systemPython,
      '-c',
      'import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(8)\n    os._exit(0)',
    ]);
    noFault(ran);
    expect(ran.status).toBe(0);
    // spawnSync waits for the pipes that the daemon still holds, so the time is read from the report's own folder.
    expect(ran.report?.incidents).toEqual([]);
  });
  test.skipIf(root() !== null || command('passwd') !== null)(
    'executes a setuid program, as an ordinary user (needs root to become one)',
    () => {
      const ran = run(['passwd', '--status'], {
        before: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
        output: '/nonexistent/coroner',
      });
      noFault(ran);
      expect(ran.report?.incidents ?? []).toEqual([]);
    },
  );
  test('its pipes stay blocking whatever coroner does with its own ends of them', () => {
    // Grows, so that coroner looks into it; prints the flags of its stdout and stderr all the while.
    const watches = [
      'import fcntl, os, time',
      'kept = []',
      'seen = set()',
      'for _ in range(60):',
      '    kept.append(bytearray(b"x" * (4 << 20)))',
      '    seen.update(fd for fd in (1, 2) if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)',
      '    time.sleep(0.03)',
      'raise SystemExit(len(seen))',
    ].join('\n');
    expect(run([systemPython, '-c', watches]).status).toBe(0);
  });
  test('prints as fast as it can to stdout', { timeout: 120_000 }, () => {
    const words = shell('head -c 2000000000 /dev/zero > /dev/stdout');
    const [bare, recorded] = [throughput(words), throughput([node, script, 'run', ...words])];
    console.log(`2 GB to stdout: ${bare} ms bare, ${recorded} ms recorded`);
    expect(recorded).toBeGreaterThan(0);
  });
  test('prints as fast as it can to stderr', { timeout: 120_000 }, () => {
    const words = shell('head -c 2000000000 /dev/zero >&2');
    const bare = throughput(words, 2);
    const output = join(newFolder(), 'store');
    const recorded = throughput([node, script, 'run', '--output', output, ...words], 2);
    const kept = folderSize(output);
    console.log(
      `2 GB to stderr: ${bare} ms bare, ${recorded} ms recorded, ${Math.round(kept / 1024)} KiB kept`,
    );
    expect(kept).toBeLessThan(40 * 2 ** 20);
  });
});

/** Milliseconds until the command has ended, its output read by `cat > /dev/null`. */
function throughput(words: readonly string[], fd: 1 | 2 = 1): number {
  const started = Date.now();
  const { status } = spawnSync(
    'bash',
    [
      '-c',
      fd === 1
        ? '"$@" | cat > /dev/null; exit ${PIPESTATUS[0]}'
        : '"$@" 2>&1 >/dev/null | cat > /dev/null; exit ${PIPESTATUS[0]}',
      'bash',
      ...words,
    ],
    { stdio: 'ignore', timeout: 110_000 },
  );
  expect(status).toBe(0);
  return Date.now() - started;
}
function folderSize(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce(
      (sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size,
      0,
    );
}

describe('terminal and signals', () => {
  /** Types KEYS into a terminal in which the command runs, each after its seconds; gives wait status and what was on the screen. */
  const terminal = (
    words: readonly string[],
    keys: readonly (readonly [number, string])[],
  ): { readonly status: number; readonly screen: string } => {
    const { stdout, stderr } = spawnSync(
      systemPython,
      [program('terminal.py'), JSON.stringify(keys), ...words],
      { encoding: 'utf8', timeout: 60_000, env: { ...process.env, NO_COLOR: '1', TERM: 'xterm' } },
    );
    const answer: unknown = JSON.parse(stdout.split('\n').at(-2) ?? stderr);
    return answer as { status: number; screen: string };
  };
  const sleeper = [systemPython, '-c', 'import time\nprint("ready", flush=True)\ntime.sleep(20)'];
  const stubborn = [
    systemPython,
    '-c',
    'import time\nn = 0\nprint("ready", flush=True)\nwhile n < 2:\n    try:\n        time.sleep(20)\n        break\n    except KeyboardInterrupt:\n        n += 1\n        print("caught", n, flush=True)\nraise SystemExit(40 + n)',
  ];
  const recorded = (words: readonly string[]): readonly string[] => [
    node,
    script,
    'run',
    '--output',
    join(newFolder(), 'store'),
    ...words,
  ];
  for (const [name, words, keys] of [
    ['Ctrl-C', sleeper, [[1.5, '\u0003']]],
    [
      'Ctrl-C twice, caught by the command',
      stubborn,
      [
        [1.5, '\u0003'],
        [0.7, '\u0003'],
      ],
    ],
    ['Ctrl-\\', sleeper, [[1.5, '\u001c']]],
    ['hang-up', sleeper, [[1.5, 'HANGUP']]],
    [
      'Ctrl-Z, then continued, then Ctrl-C',
      sleeper,
      [
        [1.5, '\u001a'],
        [0.7, 'CONTINUE'],
        [0.7, '\u0003'],
      ],
    ],
  ] as const)
    test(`${name}: ends as it does without coroner`, () => {
      const bare = terminal(words, keys);
      const watched = terminal(recorded(words), keys);
      expect(watched.status).toBe(bare.status);
      expect(watched.screen).toContain('ready');
    });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGQUIT'] as const)
    test(`${signal} sent to coroner reaches the command`, async () => {
      const child = spawn(
        node,
        [script, 'run', '--output', join(newFolder(), 'store'), ...sleeper],
        {
          stdio: ['ignore', 'pipe', 'ignore'],
          detached: true,
        },
      );
      await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
      child.kill(signal);
      const [status, by] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
        child.on('exit', (code, died) => resolve([code, died]));
      });
      expect({ status, by }).toEqual({ status: null, by: signal });
    });
  test('coroner run inside coroner run', () => {
    const inner = join(newFolder(), 'inner.json');
    const ran = run([
      node,
      script,
      'run',
      '--output',
      join(newFolder(), 'store'),
      '--json',
      inner,
      systemPython,
      program('huge.py'),
    ]);
    noFault(ran);
    expect(ran.status).toBe(1);
    expect(
      (JSON.parse(readFileSync(inner, 'utf8')) as Report).incidents.map(({ cause }) => cause),
    ).toContain('alloc-failure-exception');
    // The inner run has told it; the outer one may, and must not say anything else.
    expect(causes(ran).filter((cause) => cause !== 'alloc-failure-exception')).toEqual([]);
  });
  test('exit statuses and deaths by signal are the command’s own', () => {
    for (const status of [0, 1, 3, 126, 127, 137, 255])
      expect(run(['sh', '-c', `exit ${status}`]).status).toBe(status);
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSEGV', 'SIGABRT', 'SIGUSR2'] as const)
      expect(run(['sh', '-c', `ulimit -c 0; kill -${signal.slice(3)} $$`]).signal).toBe(signal);
  });
});
