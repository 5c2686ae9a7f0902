/** The helper around a run: who may be killed, what is said where it is missing, how it is found. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { helper } from '../have.ts';

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname;
const coroner = path('bin/coroner');
const reason = helper();
let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner-helper-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** The text of one file of the newest incident below `folder`. */
const told = (folder: string, file: string): string | null => {
  const [id = ''] = readdirSync(folder).toSorted().toReversed();
  const found = join(folder, id, file);
  return existsSync(found) ? readFileSync(found, 'utf8') : null;
};
const children = (pid: number): readonly number[] =>
  spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line.trim() !== '')
    .map(Number);
const until = async (isSo: () => boolean) => {
  while (!isSo())
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
};
/** A run whose command waits for a file; the front, Node, the keeper by pid. */
async function waitingRun(name: string) {
  const folder = join(work, name);
  mkdirSync(folder);
  const script = 'echo > ready; while [ ! -e go ]; do sleep 0.05; done; echo > done; exit 3';
  const front = spawn(coroner, ['run', '-q', '-o', 'out', '--', 'sh', '-c', script], {
    cwd: folder,
    stdio: 'ignore',
  });
  const ended = new Promise<readonly [number | null, string | null]>((resolve) => {
    front.once('exit', (status, signal) => resolve([status, signal]));
  });
  await until(() => existsSync(join(folder, 'ready')));
  const [node = 0] = children(front.pid ?? 0);
  // The keeper is the only child that is no Node, tee or reader of the kernel log: it was there first.
  const keeper = Math.min(...children(node));
  const go = () => writeFileSync(join(folder, 'go'), '');
  return { folder, pids: { front: front.pid ?? 0, node, keeper }, ended, go };
}

describe.skipIf(reason !== null)(`the helper${reason ? ` (${reason})` : ''}`, () => {
  test('requests, options, variables under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
    const program = join(work, 'words');
    const sources = ['test/words.c', 'request.c', 'options.c', 'exec.c'];
    const built = spawnSync(
      'cc',
      [
        '-std=c11',
        '-g',
        '-Wall',
        '-Wextra',
        '-fsanitize=address,undefined',
        '-fno-sanitize-recover=all',
        '-o',
        program,
        ...sources.map((name) => path(`helper/${name}`)),
      ],
      { encoding: 'utf8' },
    );
    expect({ status: built.status, stderr: built.stderr }).toEqual({ status: 0, stderr: '' });
    const { status, stdout, stderr } = spawnSync(program, {
      encoding: 'utf8',
      env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' },
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'ok\n', stderr: '' });
  });

  test('its list of options with a value is that of coroner run --help', () => {
    const { stdout } = spawnSync(coroner, ['run', '--help'], { encoding: 'utf8' });
    const source = readFileSync(path('helper/options.c'), 'utf8');
    const listed = (name: string) =>
      [
        ...(new RegExp(`${name}\\[\\] = \\{([^}]*)\\}`).exec(source)?.[1] ?? '').matchAll(
          /"(-[^"]+)"/g,
        ),
      ].map(([, option]) => option);
    const shown = (value: RegExp) =>
      [...stdout.matchAll(/^ {2}(-.*?) {2}/gm)]
        .filter(([, option = '']) => value.test(option))
        .flatMap(([, option = '']) => option.replace(/ [<[].*/, '').split(', '));
    expect(listed('valued').toSorted()).toEqual(shown(/</).toSorted());
    expect(listed('optional').toSorted()).toEqual(shown(/\[/).toSorted());
  });

  test('both its processes are small', async () => {
    const { pids, ended, go } = await waitingRun('small');
    for (const pid of [pids.front, pids.keeper]) {
      const kib = Number(
        /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN,
      );
      expect(kib).toBeLessThan(1024);
    }
    go();
    expect(await ended).toEqual([3, null]);
  });

  test.each([
    // Who waits for coroner sees what it saw before there was a helper.
    ['front', [null, 'SIGKILL']],
    // The recorder alone: the command's status is not lost.
    ['node', [3, null]],
    ['keeper', [null, 'SIGKILL']],
  ] as const)('kill -9 of the %s leaves the command alone', async (part, expected) => {
    const { folder, pids, ended, go } = await waitingRun(`kill-${part}`);
    process.kill(pids[part], 'SIGKILL');
    if (part === 'node') go();
    expect(await ended).toEqual(expected);
    go();
    await until(() => existsSync(join(folder, 'done')));
    // Without its front the recorder goes on to the end.
    if (part === 'front') {
      // It is made empty, and written in one go.
      await until(() => told(join(folder, 'out'), 'end.json')?.endsWith('\n') === true);
      expect(JSON.parse(told(join(folder, 'out'), 'end.json') ?? '')).toMatchObject({
        exitCode: 3,
      });
    }
  });

  test('a signal to the whole group, with stderr a pipe: the run ends as its command does', () => {
    // timeout(1) sends it to its group. The keeper may be gone before Node hands its own copy on.
    for (let round = 0; round < 4; round += 1) {
      const { status, signal } = spawnSync(
        'sh',
        [
          '-c',
          `timeout 0.6 '${coroner}' run -q -o '${join(work, 'group')}' sleep 60 2>&1 | cat; exit 0`,
        ],
        { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL' },
      );
      expect([round, status, signal]).toEqual([round, 0, null]);
    }
  });

  test('a death by a real-time signal is recorded by its name', () => {
    const out = join(work, 'real-time');
    spawnSync(coroner, ['run', '-q', '-o', out, '--', 'sh', '-c', 'kill -40 $$']);
    expect(JSON.parse(told(out, 'end.json') ?? '')).toMatchObject({
      exitCode: null,
      signal: 'SIGRTMIN+6',
    });
  });

  test('without it the incident folder says what is lost, with it nothing', () => {
    const run = (name: string, ...words: readonly string[]) => {
      const out = join(work, name);
      const [file = '', ...args] = [...words, 'run', '-q', '-o', out, '--', 'sh', '-c', 'exit 4'];
      expect(spawnSync(file, args).status).toBe(4);
      return told(out, 'events.ndjson');
    };
    expect(run('by-node', process.execPath, path('bin/coroner.js'))).toContain(
      'started without the helper',
    );
    expect(run('by-helper', coroner)).not.toContain('without the helper');
  });

  test('a variable set by hand is no helper', () => {
    const { status } = spawnSync(
      process.execPath,
      [path('bin/coroner.js'), 'run', '-q', '-o', join(work, 'forged'), '--', 'sh', '-c', 'exit 4'],
      { env: { ...process.env, CORONER_HELPER: `1:${process.pid}` } },
    );
    expect(status).toBe(4);
  });

  test.each([
    ['with the compiled helper in the package', true],
    ['with none', false],
  ])('the stub, through links as npm makes them, %s', (_, isThere) => {
    const folder = join(work, `package-${isThere}`);
    const bin = join(folder, 'package/bin');
    mkdirSync(bin, { recursive: true });
    mkdirSync(join(folder, '.bin'));
    for (const file of ['coroner.js', 'package.json']) cpSync(path(`bin/${file}`), join(bin, file));
    writeFileSync(join(bin, 'coroner'), readFileSync(path('helper/stub.sh')), { mode: 0o755 });
    mkdirSync(join(folder, 'package/dist'));
    for (const part of ['bundle', 'agent', ...(isThere ? ['helper'] : [])])
      symlinkSync(path(`dist/${part}`), join(folder, 'package/dist', part));
    symlinkSync('../package/bin/coroner', join(folder, '.bin/coroner'));
    symlinkSync(join(folder, '.bin/coroner'), join(folder, 'again'));
    const { status, stdout } = spawnSync(
      '/bin/bash',
      ['-c', "exec ./again run -q -o out -- sh -c 'cat <&5; exit 6' 5<<< text 2>&1"],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(stdout.startsWith('text\n')).toBe(isThere);
    expect(status).toBe(6);
  });

  test('diagnose searches big logs without WebAssembly where address space is limited', () => {
    const log = join(work, 'big.log');
    const kill =
      'Jan 31 12:00:01 host kernel: Out of memory: Killed process 4242 (python3) total-vm:1000kB, anon-rss:900kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:10kB oom_score_adj:0\n';
    writeFileSync(
      log,
      `${'Jan 31 12:00:00 host app[1]: nothing of interest\n'.repeat(60_000)}${kill}`,
    );
    const diagnose = (limit: string) =>
      spawnSync(
        '/bin/bash',
        ['-c', `ulimit -v ${limit}; exec "$0" diagnose --json - "$1"`, coroner, log],
        {
          encoding: 'utf8',
          maxBuffer: 1 << 28,
        },
      );
    const causes = (text: string) =>
      (JSON.parse(text) as { incidents: { cause: string }[] }).incidents.map(({ cause }) => cause);
    const free = causes(diagnose('unlimited').stdout);
    expect(free).toContain('kernel-global-oom');
    for (const limit of ['3000000', '1000000', '600000'])
      expect(causes(diagnose(limit).stdout)).toEqual(free);
  });
});
