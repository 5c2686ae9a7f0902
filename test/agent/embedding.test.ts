import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allocationsOf } from '../../src/parsers/formats/agent-allocations.ts';
import { cCompiler, pythons } from '../have.ts';
import { noAgent, underAgent } from './under-agent.ts';

const program = (name: string) => new URL(`../programs/agent/${name}`, import.meta.url).pathname;

/** Those whose libpython lies beside them as a shared library. */
const found = [...pythons()].flatMap(([version, python]) => {
  if (version.startsWith('2.')) return [];
  const folder = join(dirname(dirname(python)), 'lib');
  const library = readdirSync(folder).find((name) =>
    /^libpython3\.\d+[a-z]*\.so\.1\.0$/.test(name),
  );
  return library === undefined ? [] : [{ version, python, library: join(folder, library) }];
});
const reason =
  cCompiler() ??
  (found.length === 0 ? 'needs a shared libpython' : noAgent(found[0]?.python ?? ''));

describe.skipIf(reason)(`libpython opened with dlopen()${reason ? ` (${reason})` : ''}`, () => {
  let folder = '';
  let embedding = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
    embedding = join(folder, 'embedding');
    const built = spawnSync('cc', ['-o', embedding, program('embedding.c'), '-ldl'], {
      encoding: 'utf8',
    });
    expect(built.status, built.stderr).toBe(0);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(found)('$version: its lines are told', async ({ version, python, library }) => {
    const { signal, stderr, files } = await underAgent(
      [embedding, library, program('embedded.py')],
      { env: { PYTHONHOME: dirname(dirname(python)) } },
    );
    expect(signal, stderr).toBe('SIGKILL');
    expect(files[0]?.python).toMatchObject({ version, stacks: true, objects: true });
    const lines = allocationsOf(files[0]!, 'death').filter(({ file }) => file === '<string>');
    expect(lines[0]).toMatchObject({ line: 8 });
    expect(lines[0]?.bytes).toBeGreaterThan(20 * 2 ** 20);
    expect(lines.find(({ line }) => line === 13)?.bytes).toBeCloseTo(8 * 2 ** 20, -4);
    const all = allocationsOf(files[0]!, 'death').reduce((sum, { bytes }) => sum + bytes, 0);
    expect(lines.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(all * 0.8);
  });
});
