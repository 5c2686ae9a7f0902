/** Four deaths on each CPython: the line and the variable that held the memory are named. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SnapshotFile } from '../../src/model/incident-folder.ts';
import type { Incident } from '../../src/model/report.ts';
import { makeCgroup, type TestCgroup } from '../cgroup.ts';
import { coreOf, coresHere } from '../cores/dump.ts';
import { cgroup, newestPythons } from '../have.ts';
import { triedVersions } from '../heap/target.ts';
import { coroner, underCoroner, type Outcome } from './under-coroner.ts';

const program = new URL('../programs/named_end.py', import.meta.url).pathname;
const lineOf = (mark: string) =>
  readFileSync(program, 'utf8')
    .split('\n')
    .findIndex((line) => line.endsWith(`# ${mark}`)) + 1;
const mib = 2 ** 20;
const noCgroup = cgroup();
const because = (reason: string | null) => (reason === null ? '' : ` (${reason})`);

function expectNamed({ incident, files }: Outcome): void {
  expect(incident?.memory.allocations?.[0]).toMatchObject({ file: program, line: lineOf('grows') });
  expect(incident?.memory.allocations?.[0]?.share).toBeGreaterThan(0.5);
  const looks = [...files]
    .filter(([path]) => path.startsWith('looks/'))
    .map(([, text]) => JSON.parse(text) as SnapshotFile);
  expect(looks.length).toBeGreaterThan(0);
  // A look has so much time for each stop: on a busy machine it may end with the stacks.
  if (looks.every(({ stage }) => stage === 'stacks'))
    expect(incident?.stack.map((frame) => frame.function)).toContain('load');
  else expect(incident?.memory.holders?.[0]).toMatchObject({ name: 'records', function: 'load' });
}

if (newestPythons().size === 0)
  test.skip('CPython 3.14 and 3.15 (need the root folder of npm run pythons)', () => {});

describe.each(triedVersions())('CPython %s', (_, python) => {
  const words = (how: string, limits = '') =>
    ['sh', '-c', `${limits} exec "$@"`, 'sh', python, program, how] as const;

  test.skipIf(noCgroup)(`a kill in a cgroup${because(noCgroup)}`, async () => {
    const group: TestCgroup = makeCgroup('named-kill', { limitBytes: 200 * mib, swapBytes: 0 });
    try {
      const outcome = underCoroner([...group.enter, ...words('grow')]);
      expect(outcome.signal).toBe('SIGKILL');
      expect(outcome.incident?.cause).toBe('kernel-cgroup-oom');
      expectNamed(outcome);
    } finally {
      await group.remove();
    }
  });

  test('a MemoryError at a limit of address space', () => {
    const outcome = underCoroner(words('grow', 'ulimit -v 220000;'));
    expect(outcome.status).toBe(1);
    expect(outcome.incident?.limit).toMatchObject({ owner: 'rlimit', path: 'RLIMIT_AS' });
    expectNamed(outcome);
  });

  test('a budget', () => {
    const outcome = underCoroner(words('grow'), { options: ['--memory-limit', '96M'] });
    const { status, incident } = outcome;
    expect(status).toBe(1);
    expect(incident?.limit).toMatchObject({ owner: 'budget', path: '--memory-limit' });
    expectNamed(outcome);
    expect(incident?.memory.failures?.[0]?.stack[0]).toMatchObject({ function: 'load' });
  });

  test('a crash where malloc() was not asked what it said: the line and the size', () => {
    const { signal, incident } = underCoroner(words('crash', 'ulimit -c 0;'));
    expect(signal).toBe('SIGSEGV');
    expect(incident).toMatchObject({
      cause: 'alloc-failure-segfault',
      request: { bytes: 2 ** 46 },
    });
    expect(incident?.memory.failures?.[0]?.stack[0]).toMatchObject({
      function: 'crash',
      line: lineOf('refused'),
    });
    expect(incident?.memory.allocations?.[0]?.line).toBe(lineOf('grows'));
  });

  const noCore = coresHere();
  test.skipIf(noCore)(`the core of that crash: the variable${because(noCore)}`, () => {
    // Pages of files go into it: those of the root folder are not at their paths here.
    const core = coreOf([python, program, 'crash'], {
      limits: 'echo 0x3f > /proc/self/coredump_filter;',
    });
    try {
      const { stdout } = spawnSync(process.execPath, [coroner, 'inspect', '--json', '-', core], {
        encoding: 'utf8',
        timeout: 50_000,
      });
      const { memory } = JSON.parse(stdout) as { readonly memory: Incident['memory'] };
      expect(memory.holders?.[0]).toMatchObject({ name: 'rows', function: 'crash' });
    } finally {
      rmSync(dirname(core), { recursive: true });
    }
  });
});
