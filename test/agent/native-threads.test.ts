import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allocationsOf } from '../../src/parsers/formats/agent-allocations.ts';
import { cCompiler, deep, everyPython } from '../have.ts';
import { noAgent, underAgent } from './under-agent.ts';

const program = (name: string) => new URL(`../programs/agent/${name}`, import.meta.url).pathname;
const MiB = 2 ** 20;
const found = [...everyPython()]
  .filter(([version]) => deep || /^3\.(?:11|13|15)\./.test(version))
  .map(([version, python]) => ({ version, python }));
const reason =
  cCompiler() ??
  (found.length === 0 ? 'needs CPython 3.6 to 3.15' : noAgent(found[0]?.python ?? ''));

describe.skipIf(reason)(`memory of native threads${reason ? ` (${reason})` : ''}`, () => {
  let folder = '';
  let library = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
    library = join(folder, 'libworker.so');
    const built = spawnSync(
      'cc',
      ['-shared', '-fPIC', '-pthread', '-o', library, program('native_threads.c')],
      { encoding: 'utf8' },
    );
    expect(built.stderr).toBe('');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (python: string, how: 'background' | 'inside') => {
    const ended = await underAgent([python, program('native_threads.py'), library, how]);
    expect(ended.signal, ended.stderr).toBe('SIGKILL');
    const { line } = JSON.parse(ended.stdout) as { line: number };
    return { line, allocations: allocationsOf(ended.files[0]!, 'death') };
  };

  test.each(found)(
    '$version: what a library allocates in the background belongs to the library, not to the line that runs meanwhile',
    async ({ python }) => {
      const { allocations } = await run(python, 'background');
      const own = allocations.find(({ file }) => file === library);
      expect(own?.bytes).toBeGreaterThan(39 * MiB);
      expect(own?.stack.some(({ file }) => file?.endsWith('.py'))).toBe(false);
      for (const { file, bytes } of allocations)
        if (file !== library) expect(bytes, `${file}`).toBeLessThan(12 * MiB);
    },
  );

  test.each(found.filter(({ version }) => !version.startsWith('2.')))(
    '$version: while a call into that library lasts, it belongs to the line of the call',
    async ({ python }) => {
      const { line, allocations } = await run(python, 'inside');
      const [first] = allocations;
      expect(first).toMatchObject({ file: program('native_threads.py'), line });
      expect(first?.bytes).toBeGreaterThan(40 * MiB);
    },
  );
});
