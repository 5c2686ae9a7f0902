/** Ordinary programs that the kernel kills at full speed: the variable that held the memory, and the line (test/ordinary/). */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { noAgent } from '../agent/under-agent.ts';
import { cgroup, pythons } from '../have.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [, python = ''] =
  [...pythons()].findLast(([version]) => /^3\.(?:9|1\d)\./.test(version)) ?? [];
const reason = cgroup() ?? (python === '' ? 'needs CPython 3.9 to 3.13' : noAgent(python));
/** Of each kind one: what a program keeps in a function, a module, a class, an object, a chain, and what is still being built. */
const programs = [
  'csv_rows',
  'module_cache',
  'class_cache',
  'instance_rows',
  'linked_list',
  'list_comprehension',
  'memo',
  'kept_errors',
];

test.skipIf(reason)(
  `of ${programs.length} programs at least six variables and seven lines are named first${reason ? ` (${reason})` : ''}`,
  () => {
    const results = join(folder, 'results.json');
    const runner = new URL('../ordinary/run.mjs', import.meta.url).pathname;
    const { status, stderr } = spawnSync(
      process.execPath,
      [runner, '--python', python, '--write', results, ...programs],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const rows = JSON.parse(readFileSync(results, 'utf8')) as readonly {
      readonly variable: boolean;
      readonly line: boolean;
      readonly above: boolean;
      readonly cause: string | null;
    }[];
    expect(rows.map(({ cause }) => cause)).toEqual(programs.map(() => 'kernel-cgroup-oom'));
    expect(rows.filter(({ above }) => above)).toEqual([]);
    expect(rows.filter(({ variable }) => variable).length).toBeGreaterThanOrEqual(6);
    expect(rows.filter(({ line }) => line).length).toBeGreaterThanOrEqual(7);
  },
  400_000,
);
