/** CPython's own tests with and without the agent, valgrind, and deaths at any moment. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parts } from '../agent/parts.ts';
import { allocationsOf } from '../../src/parsers/formats/agent-allocations.ts';
import { noAgent, underAgent } from '../agent/under-agent.ts';
import { cCompiler, command, everyPython, newestPythons, testRoot } from '../have.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const found = [...everyPython()].filter(([version]) => version.startsWith('3.'));
const reason = found.length === 0 ? 'needs CPython 3.6 to 3.15' : noAgent(found[0]?.[1] ?? '');

/** Seconds each, and those that take a minute and more. CORONER_CPYTHON=short runs of the latter two, with one CPython. */
const suites = [
  'test_gc',
  'test_ctypes',
  'test_fork1',
  'test_memoryio',
  'test_memoryview',
  'test_mmap',
  'test_thread',
  'test_threadedtempfile',
  'test_threading_local',
  'test_threadsignals',
  'test_tracemalloc',
];
const longSuites = [
  'test_threading',
  'test_multiprocessing_fork',
  'test_subprocess',
  'test_multiprocessing_spawn',
  'test_multiprocessing_forkserver',
];
const isShort = process.env['CORONER_CPYTHON'] === 'short';
const leftOut = (version: string, suite: string): boolean =>
  isShort &&
  longSuites.includes(suite) &&
  !(version.startsWith('3.11.') && longSuites.indexOf(suite) < 2);

/** Where its standard library lies. */
const libraryOf = (version: string, python: string): string =>
  join(
    newestPythons().has(version) ? join(testRoot, 'usr') : join(dirname(python), '..'),
    'lib',
    `python${version.split('.').slice(0, 2).join('.')}`,
  );

describe.skipIf(reason)(`CPython's own tests${reason ? ` (${reason})` : ''}`, () => {
  const cases = found
    .filter(([version]) => /^3\.(?:8|9|1\d)\./.test(version))
    .flatMap(([version, python]) =>
      [...suites, ...longSuites]
        .filter((suite) => {
          const tests = join(libraryOf(version, python), 'test', suite);
          return existsSync(tests) || existsSync(`${tests}.py`);
        })
        .map((suite) => ({ version, python, suite })),
    );
  if (newestPythons().size > 0 && !cases.some(({ version }) => newestPythons().has(version)))
    test.skip('CPython 3.14 and 3.15 (need libpython3.X-testsuite in the root folder)', () => {});
  for (const { version, python, suite } of cases) {
    const name = `${version} ${suite}: the same result with and without the agent`;
    if (leftOut(version, suite)) {
      test.skip(`${name} (long: CORONER_CPYTHON=short leaves it out)`, () => {});
      continue;
    }
    test(name, { timeout: 700_000 }, async () => {
      const words = [python, '-m', 'test', '-q', suite] as const;
      // Side by side: most of their time they wait for each other's sleeps.
      const [bare, { exitCode, stdout }] = await Promise.all([
        new Promise<number | null>((resolve) => {
          const child = execFile(
            words[0],
            words.slice(1),
            { cwd: folder, timeout: 600_000, maxBuffer: 1 << 28 },
            () => resolve(child.exitCode),
          );
        }),
        underAgent([...words], { timeoutMs: 600_000, cwd: folder }),
      ]);
      expect({ exitCode, output: exitCode === bare ? '' : stdout.slice(-4000) }).toEqual({
        exitCode: bare,
        output: '',
      });
    });
  }

  test('forty SIGKILLs at any moment of heavy recording: every file can be read and its sums agree', async () => {
    const [, python = ''] = found.at(-1) ?? [];
    const code =
      'import os, threading, signal, sys, time\nthreading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGKILL)).start()\nkeep = []\nwhile True:\n  keep.append({"i": len(keep)})\n  if len(keep) > 300000: keep.clear()';
    for (let i = 0; i < 40; i += 1) {
      const { signal, files } = await underAgent(
        [python, '-c', code, String(0.05 + (i % 20) * 0.02)],
        {
          sampleEveryBytes: 4096,
        },
      );
      expect(signal).toBe('SIGKILL');
      expect(files).toHaveLength(1);
      const [file] = files;
      const live = allocationsOf(file!, 'death', { leastShare: 0 }).reduce(
        (sum, { bytes }) => sum + bytes,
        0,
      );
      // One sample may be half accounted for.
      expect(Math.abs(live - (file?.liveBytes ?? 0))).toBeLessThan(2 ** 20);
    }
  }, 300_000);
});

const noValgrind = cCompiler() ?? command('valgrind');
test.skipIf(noValgrind)(
  `tables and sampler under valgrind${noValgrind ? ` (${noValgrind})` : ''}`,
  () => {
    const agent = (name: string) => new URL(`../../agent/${name}`, import.meta.url).pathname;
    const program = join(folder, 'state');
    expect(
      spawnSync('cc', [
        '-std=gnu11',
        '-g',
        '-O1',
        '-o',
        program,
        agent('test/state.c'),
        ...parts,
        '-ldl',
        '-lpthread',
        '-lm',
      ]).status,
    ).toBe(0);
    const { status, stderr } = spawnSync(
      'sh',
      // valgrind 3.19 knows no mlock2(), and says so for a program that it is told to run with the agent's parts in it.
      ['-c', 'ulimit -l 64; exec valgrind -q --error-exitcode=9 "$0" 150000', program],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  },
  180_000,
);
