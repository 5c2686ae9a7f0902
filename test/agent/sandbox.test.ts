/** Programs that restrict their own system calls: the agent must not make one that ends them, and goes on noting. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { cCompiler, everyPython } from '../have.ts';
import { noAgent, underAgent } from './under-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const source = (name: string) => new URL(`../programs/agent/${name}`, import.meta.url).pathname;

const noCompiler = cCompiler();
describe.skipIf(noCompiler)(
  `a sandbox of its own, in C${noCompiler ? ` (${noCompiler})` : ''}`,
  () => {
    const program = join(folder, 'sandbox');
    const compiled = spawnSync('cc', ['-O1', '-o', program, source('sandbox.c')], {
      encoding: 'utf8',
    });
    test.for([
      ['strict'],
      ['filter'],
      ['syscall'],
      ['filter', 'fork'],
      ['syscall', 'fork'],
    ] as const)('%s: it lives and allocates as without the agent', async (how) => {
      expect(compiled.stderr).toBe('');
      const bare = spawnSync(program, how, { encoding: 'utf8' });
      const seen = await underAgent([program, ...how]);
      expect(bare.status).toBe(0);
      const { stdout, stderr, exitCode, signal } = seen;
      expect({ stdout, stderr, exitCode, signal }).toEqual({
        stdout: bare.stdout,
        stderr: '',
        exitCode: 0,
        signal: null,
      });
      const [file] = seen.files;
      // What was noted before and in the sandbox; strict mode ends by exit(), which nobody sees.
      expect(file?.peakBytes).toBeGreaterThan(5e6);
      if (how[0] !== 'strict') expect(file?.failures.map(({ call }) => call)).toEqual(['malloc']);
    });
    test.for(['strict', 'filter', 'syscall'])(
      '%s: it asks for no snapshot in its sandbox',
      async (how) => {
        const asked: number[] = [];
        const seen = await underAgent([program, how], {
          memoryLimitBytes: 2 ** 20,
          atLimit: 'report',
          answering: ({ pid }) => asked.push(pid),
        });
        expect(seen).toMatchObject({ stderr: '', exitCode: 0, signal: null, waitingPid: 0 });
        // Before it.
        expect(asked.length).toBeGreaterThan(0);
      },
    );
  },
);

describe.skipIf(noCompiler)(
  `children in its own memory${noCompiler ? ` (${noCompiler})` : ''}`,
  () => {
    const program = join(folder, 'in-its-memory');
    test.for(['vfork', 'clone', 'exec'])('%s: their end is not its own', async (how) => {
      const { status, stderr } = spawnSync('cc', ['-O1', '-o', program, source('in_its_memory.c')]);
      expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' });
      const { signal, files } = await underAgent([program, how]);
      expect(signal).toBe('SIGKILL');
      expect(files).toHaveLength(1);
      expect(files[0]).toMatchObject({ state: 'running', exitCode: null });
      expect(files[0]?.liveBytes).toBeGreaterThanOrEqual(3 << 20);
    });
  },
);

const [, python = ''] =
  [...everyPython()].find(([version]) => version.startsWith('3.11.')) ??
  [...everyPython()].at(-1) ??
  [];
const reason = python === '' ? 'needs CPython 3.6 to 3.15' : noAgent(python);
describe.skipIf(reason)(`a sandbox of its own, in Python${reason ? ` (${reason})` : ''}`, () => {
  test('libc is asked by its handle; the lines and the refusal are there all the same', async () => {
    const path = source('sandboxed.py');
    const { stdout, stderr, exitCode, files } = await underAgent([python, path]);
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: 'refused\n', stderr: '', exitCode: 0 });
    const kept = readFileSync(path, 'utf8')
      .split('\n')
      .findIndex((line) => line.endsWith('# kept'));
    const [file] = files;
    expect(file?.failures[0]?.bytes).toBe(2 ** 60 + 1);
    const lines = file?.paths.map(({ stack }) => stack[0]?.line);
    expect(lines).toContain(kept + 1);
    expect(lines).toContain(kept + 2);
  });
});
