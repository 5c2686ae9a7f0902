/** `coroner run` as a user starts it: the command must not notice, and the deaths are real. */
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCgroup, type TestCgroup } from '../cgroup.ts';
import { cCompiler, cgroup, kernelLog, pythons, root, systemPython } from '../have.ts';
import { coroner, hangingUntil, underCoroner } from './under-coroner.ts';

const python = [...pythons().values()].at(-1) ?? systemPython;
const program = (name: string) => new URL(`../programs/${name}`, import.meta.url).pathname;
const quick = { options: ['--no-agent', '--no-last-look'] };

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner-run-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('the command runs as if it had been started alone', () => {
  test.each([
    ['exit 0', 'exit 0', 0, null],
    ['exit 3', 'exit 3', 3, null],
    ['SIGKILL', 'kill -9 $$', null, 'SIGKILL'],
    ['SIGTERM', 'kill -15 $$', null, 'SIGTERM'],
    ['SIGSEGV', 'kill -11 $$', null, 'SIGSEGV'],
  ])('%s', (_, script, status, signal) => {
    expect(underCoroner(['/bin/sh', '-c', script], quick)).toMatchObject({ status, signal });
  });

  test.each([
    ['no-such-command-at-all', 127, 'command not found'],
    ['/', 126, 'is a folder'],
  ])('%s cannot be started', (file, status, message) => {
    const outcome = underCoroner([file], quick);
    expect(outcome.status).toBe(status);
    expect(outcome.stderr).toContain(message);
  });

  test('python, where there is only python3', () => {
    const path = join(work, 'only-python3');
    mkdirSync(path);
    symlinkSync('/bin/true', join(path, 'python3'));
    const said = (PATH: string) => underCoroner(['python'], { ...quick, env: { PATH } }).stderr;
    expect(said(path)).toContain('python: command not found (python3 is there)');
    expect(said(work)).toMatch(/python: command not found$/m);
  });

  test('a limit that nobody would enforce starts nothing', () => {
    const outcome = underCoroner(['/bin/echo', 'started'], {
      options: ['--no-agent', '--memory-limit', '64M'],
    });
    expect(outcome.status).toBe(64);
    expect(outcome.stderr).toContain('--memory-limit: the agent enforces it');
    expect(outcome.stdout).toBe('');
  });

  test('a file that is no program', () => {
    const file = join(work, 'plain');
    writeFileSync(file, 'text', { mode: 0o644 });
    expect(underCoroner([file], quick)).toMatchObject({
      status: 126,
      stderr: expect.stringContaining('permission denied'),
    });
  });

  test('a script whose interpreter is missing says so', () => {
    const script = join(work, 'script');
    writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    const outcome = underCoroner([script], quick);
    expect(outcome.status).toBe(126);
    expect(outcome.stderr).toContain('interpreter');
  });

  test('stdin, stdout, arguments', () => {
    const outcome = underCoroner(
      ['/bin/sh', '-c', 'cat; printf "%s|" "$@"', 'sh', 'a b', '', '--x'],
      {
        ...quick,
        input: 'through\n',
      },
    );
    expect(outcome.stdout).toBe('through\na b||--x|');
  });

  test('stdout and stderr in one pipe keep their order', () => {
    const script = 'for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done';
    const { stdout } = spawnSync(
      '/bin/sh',
      [
        '-c',
        '"$@" 2>&1 | cat',
        'sh',
        process.execPath,
        coroner,
        'run',
        '--output',
        work,
        '--',
        '/bin/sh',
        '-c',
        script,
      ],
      { encoding: 'utf8', timeout: 30_000 },
    );
    expect(stdout.replaceAll('\n', ' ').trim()).toBe(
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `o${i} e${i}`).join(' '),
    );
  });

  test('a reader that goes away ends the command, as it would alone', () => {
    const { status } = spawnSync(
      '/bin/sh',
      [
        '-c',
        '"$@" 2>&1 | head -1',
        'sh',
        process.execPath,
        coroner,
        'run',
        '--output',
        work,
        '--',
        'yes',
      ],
      { encoding: 'utf8', timeout: 30_000 },
    );
    expect(status).toBe(0);
  });

  test('stderr in a file: nothing stands between', () => {
    const file = join(work, 'errors.log');
    const fd = openSync(file, 'w');
    const child = spawnSync(
      process.execPath,
      [
        coroner,
        'run',
        '--output',
        work,
        '--',
        '/bin/sh',
        '-c',
        'echo MemoryError >&2; readlink /proc/self/fd/2; exit 1',
      ],
      { stdio: ['ignore', 'pipe', fd], encoding: 'utf8', timeout: 30_000 },
    );
    expect(child.stdout.trim()).toBe(file);
    expect(readFileSync(file, 'utf8')).toMatch(/^MemoryError\n/);
  });

  test('--json -: the report comes after what the command wrote', () => {
    const { stdout } = spawnSync(
      process.execPath,
      [coroner, 'run', '--output', work, '--json', '-', '--', 'echo', 'hello'],
      { encoding: 'utf8', timeout: 30_000 },
    );
    expect(stdout.startsWith('hello\n')).toBe(true);
    expect(JSON.parse(stdout.slice('hello\n'.length))).toMatchObject({
      format: 'coroner/1',
      incidents: [],
    });
  });

  test('a run that ends well says nothing', () => {
    const { stderr, report } = underCoroner(['true'], quick);
    expect(stderr).toBe('');
    expect(report?.incidents).toEqual([]);
  });

  test('secrets on the command line are not written down', () => {
    const { files } = underCoroner(['true', '--password', 'hunter2', 'API_TOKEN=hunter2'], quick);
    expect([...files.values()].join('')).not.toContain('hunter2');
  });
});

test("a command that forges a kernel log in its own folder and kills itself: not the kernel's doing", () => {
  const forge = `import os, signal
up = int(float(open('/proc/uptime').read().split()[0]) * 1e6)
with open(os.environ['CORONER_RUN'] + '/kernel.log', 'a') as log:
    log.write('3,11,%d,-;Memory cgroup out of memory: Killed process %d (python3) total-vm:1kB, anon-rss:1kB, file-rss:1kB\\n' % (up, os.getpid()))
os.kill(os.getpid(), signal.SIGKILL)`;
  const { incident, files, signal } = underCoroner([python, '-c', forge], quick);
  expect(signal).toBe('SIGKILL');
  expect(files.get('kernel.log')).toContain('Killed process');
  expect(incident?.outOfMemory).not.toBe(true);
});

describe.skipIf(cgroup() !== null)(`cgroups (${cgroup() ?? 'there are'})`, () => {
  let groups: TestCgroup[] = [];
  const group = (limit: number) => {
    const made = makeCgroup('run', { limitBytes: limit, swapBytes: 0 });
    groups.push(made);
    return made;
  };
  const clear = async () => {
    for (const made of groups) await made.remove();
    groups = [];
  };
  const eat = [python, '-c', 'x = bytearray(200 * 2**20)'];

  test(`a kill at the limit (${kernelLog() ?? 'certain'})`, async () => {
    try {
      const { path, enter } = group(100 * 2 ** 20);
      const { signal, status, incident, report } = underCoroner([...enter, ...eat]);
      expect(signal ?? status).toBe('SIGKILL');
      expect(report?.incidents).toHaveLength(1);
      expect(incident).toMatchObject({
        death: 'assassination',
        cause: 'kernel-cgroup-oom',
        confidence: kernelLog() === null ? 'certain' : 'strong',
        limit: { owner: 'cgroup', path, bytes: 104857600 },
      });
      expect(incident?.because.some(({ quote }) => quote?.includes('Killed process'))).toBe(
        kernelLog() === null,
      );
    } finally {
      await clear();
    }
  });

  test('coroner inside the limited cgroup survives and tells', async () => {
    try {
      const { path, enter } = group(100 * 2 ** 20);
      const { signal, incident } = underCoroner(eat, { before: enter });
      expect(signal).toBe('SIGKILL');
      expect(incident).toMatchObject({ cause: 'kernel-cgroup-oom', limit: { path } });
    } finally {
      await clear();
    }
  });

  const capabilities = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const mayLower = ((BigInt(`0x${capabilities?.[1] ?? '0'}`) >> 24n) & 1n) === 1n;
  test.skipIf(!mayLower)(
    'the OOM killer may choose the command and not its recorder (needs CAP_SYS_RESOURCE)',
    () => {
      const { stdout } = underCoroner(
        ['sh', '-c', 'sleep 0.5; cat /proc/$$/oom_score_adj /proc/$PPID/oom_score_adj'],
        quick,
      );
      const [command = NaN, recorder] = stdout.split('\n').map(Number);
      expect(command).toBeGreaterThan(Number(readFileSync('/proc/self/oom_score_adj', 'utf8')));
      expect(recorder).toBe(-1000);
    },
  );

  const outlivesItsChild = (how: string): string =>
    `import os, subprocess, time
child = os.fork()
if child == 0:
    held = []
    while True:
        held.append(b'x' * 2**20)
${how === 'reaped' ? 'os.waitpid(child, 0)' : 'os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)'}
subprocess.Popen(['sh', '-c', 'sleep 2; kill -9 %d' % os.getpid()])
time.sleep(40)`;

  test.each(['reaped', 'not reaped'])(
    'a child that died of its limit (%s), and later a SIGKILL by hand to its parent: one kill, one death of memory',
    async (how) => {
      try {
        const { enter } = group(100 * 2 ** 20);
        const { report, signal } = underCoroner([...enter, python, '-c', outlivesItsChild(how)], {
          options: ['--no-last-look'],
        });
        expect(signal).toBe('SIGKILL');
        const deaths = report?.incidents.filter(({ outOfMemory }) => outOfMemory === true) ?? [];
        expect(deaths.map(({ headline }) => headline)).toEqual([expect.any(String)]);
        expect(deaths[0]?.victim?.pid).not.toBe(
          report?.incidents.find(({ outOfMemory }) => outOfMemory === false)?.victim?.pid,
        );
        expect(JSON.stringify(deaths)).not.toContain('waiting for it');
      } finally {
        await clear();
      }
    },
  );

  test("the limit is the parent's", async () => {
    try {
      const parent = group(100 * 2 ** 20);
      const { enter } = parent.child('inner');
      const { incident } = underCoroner([...enter, ...eat]);
      expect(incident).toMatchObject({
        cause: 'kernel-cgroup-oom',
        limit: { path: parent.path, bytes: 104857600 },
      });
    } finally {
      await clear();
    }
  });

  test.skipIf(root() !== null)(
    `no kernel log: from the counters alone, strong at most (${root() ?? 'in a mount namespace'})`,
    async () => {
      try {
        const { enter } = group(100 * 2 ** 20);
        // No program that could ask the kernel instead.
        const bin = join(work, 'bin');
        spawnSync('/bin/sh', ['-c', 'mkdir -p "$1"; ln -sf "$2" "$1/sh"', 'sh', bin, '/bin/sh']);
        const { incident, report } = underCoroner([...enter, ...eat], {
          before: [
            'unshare',
            '-m',
            '/bin/sh',
            '-c',
            'mount --bind /dev/null /dev/kmsg && PATH="$0" exec "$@"',
            bin,
          ],
        });
        expect(incident).toMatchObject({ cause: 'kernel-cgroup-oom', confidence: 'strong' });
        expect(incident?.unknown.length).toBeGreaterThan(0);
        expect(report?.sources).toContainEqual(
          expect.objectContaining({ id: 'kernel-log', status: 'absent' }),
        );
      } finally {
        await clear();
      }
    },
  );

  test('a worker killed while its parent hangs is said while it hangs', async () => {
    try {
      const { enter } = group(150 * 2 ** 20);
      const said = /^coroner: the kernel killed .*: its cgroup reached its memory limit/m;
      const { stderr, incident } = await hangingUntil(said, [
        ...enter,
        python,
        '-c',
        [
          'import multiprocessing as m, os, sys, time',
          // A worker that a busy recorder never saw would have no parent in the verdict.
          'def is_seen():',
          '    with open(os.environ["CORONER_RUN"] + "/events.ndjson") as f:',
          '        return \'"pid":%d,\' % os.getpid() in f.read()',
          'def eat(i):',
          '    l = []',
          '    while i == 1 and not is_seen(): time.sleep(0.01)',
          '    while i == 1: l.append(bytearray(b"x" * (1 << 20)))',
          '    return i',
          'if __name__ == "__main__":',
          '    with m.get_context("fork").Pool(2) as p:',
          '        result = p.map_async(eat, range(2), chunksize=1)',
          // It hangs until the kill was said, however slowly the machine gets there, and for the seconds that make it a hang.
          '        sys.stdin.read()',
          '        try: result.get(3)',
          '        except m.TimeoutError: print("gave up")',
        ].join('\n'),
      ]);
      expect(stderr).toMatch(said);
      expect(incident).toMatchObject({ cause: 'kernel-cgroup-oom' });
      expect(incident?.related?.[0]?.how).toContain('parent');
    } finally {
      await clear();
    }
  });
});

describe('refusals and look-alikes', () => {
  test('caught and survived: no death', () => {
    const { status, report } = underCoroner(
      [python, '-c', 'try: bytearray(10**12)\nexcept MemoryError: pass'],
      quick,
    );
    expect(status).toBe(0);
    for (const { death, outOfMemory } of report?.incidents ?? [])
      expect({ death, outOfMemory }).toEqual({ death: 'none', outOfMemory: false });
  });

  test.skipIf(cCompiler() !== null)('std::bad_alloc and its like are read from stderr', () => {
    const binary = join(work, 'bad_alloc');
    const built = spawnSync('c++', ['-o', binary, program('bad_alloc.cpp')], { timeout: 60_000 });
    if (built.status !== 0) return;
    const { incident, signal } = underCoroner([binary, '100000000000000'], quick);
    expect(signal).toBe('SIGABRT');
    expect(incident).toMatchObject({ death: 'obvious', cause: 'alloc-failure-abort' });
  });

  test.each([
    ['kill -9', ['/bin/sh', '-c', 'kill -9 $$']],
    ['timeout -s KILL', ['timeout', '-s', 'KILL', '0.3', 'sleep', '9']],
    ['exit 137', ['/bin/sh', '-c', 'exit 137']],
    ['a plain NULL bug', [python, '-c', 'import ctypes; ctypes.string_at(0)']],
    ['a wild pointer', [python, '-c', 'import ctypes; ctypes.string_at(0xdeadbeef0000)']],
  ])('%s is not memory', (_, command) => {
    const { incident } = underCoroner(command, quick);
    expect(incident?.outOfMemory ?? null).not.toBe(true);
    expect(['not-memory', 'undetermined']).toContain(incident?.cause);
  });
});
