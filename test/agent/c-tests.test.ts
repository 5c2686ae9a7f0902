import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parts } from './parts.ts';
import { agentFor } from '../../src/record/agent.ts';
import { cCompiler } from '../have.ts';
import { underAgent } from './under-agent.ts';

const reason = cCompiler();
const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const agent = (name: string) => new URL(`../../agent/${name}`, import.meta.url).pathname;
function compile(name: string, ...args: readonly string[]): string {
  const out = join(folder, name);
  const { status, stderr } = spawnSync(
    'cc',
    ['-std=gnu11', '-g', '-Wall', '-o', out, ...args, '-ldl', '-lpthread', '-lm'],
    {
      encoding: 'utf8',
    },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return out;
}

describe.skipIf(reason)(`the agent in C${reason ? ` (${reason})` : ''}`, () => {
  test('tables and sampler under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
    const program = compile(
      'state-sanitized',
      '-O1',
      '-fsanitize=address,undefined',
      '-fno-sanitize-recover=all',
      agent('test/state.c'),
      ...parts,
    );
    const { status, stdout, stderr } = spawnSync(program, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/ok\n$/);
  });

  test('64 threads, every function of the family, signals and forks: nothing is lost, nothing is left', async () => {
    const program = compile('stress', '-O1', agent('test/stress.c'));
    const { stdout, stderr, exitCode, files } = await underAgent([program, '64', '1000'], {
      sampleEveryBytes: 8192,
    });
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: 'ok\n', stderr: '', exitCode: 0 });
    const [file] = files;
    expect(files).toHaveLength(1);
    expect(file?.peakBytes).toBeGreaterThan(5e6);
    // stdio's buffer and what the C library keeps of threads.
    expect(file?.liveBytes).toBeLessThan(2e6);
    expect(file?.failures.map(({ call }) => call)).toEqual(['malloc', 'calloc', 'realloc']);
  });

  test('lookups by name answer as without the agent, but libc by its handle gives the hooks', async () => {
    const program = compile('lookup', agent('test/lookup.c'));
    const bare = spawnSync(program, { encoding: 'utf8' });
    const { stdout, exitCode, files } = await underAgent([program]);
    expect(exitCode).toBe(0);
    const own = /coroner-agent-linux-[^ \n]*/;
    const told = stdout.split('\n').map((line) => line.replace(own, 'AGENT'));
    const libc = bare.stdout.split('\n')[0]?.replace('next ', '');
    expect(told).toEqual([
      'next AGENT',
      'default AGENT',
      'handle AGENT',
      `other ${libc}`,
      'missing nowhere error',
      '',
    ]);
    // Taken and given back through what was looked up: seen both times. A file this dull is not kept.
    expect(files).toEqual([]);
  });

  test('the library asks for no glibc newer than 2.17: one file fits every distribution in use', () => {
    const found = agentFor(['/bin/sh'], process.env);
    if ('lacks' in found) throw new Error(found.lacks);
    const versions = [...readFileSync(found.library, 'latin1').matchAll(/GLIBC_2\.(\d+)/g)].map(
      ([, minor]) => Number(minor),
    );
    expect(Math.max(0, ...versions)).toBeLessThanOrEqual(17);
  });
});
