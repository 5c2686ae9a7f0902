/** A block that grows by little is counted once and in full, whichever sizes it goes through: glibc rounds up in its own way. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { cCompiler } from '../have.ts';
import { underAgent } from './under-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const noCompiler = cCompiler();
describe.skipIf(noCompiler)(`growth by realloc${noCompiler ? ` (${noCompiler})` : ''}`, () => {
  const program = join(folder, 'by-little');
  const source = new URL('../programs/agent/by_little.c', import.meta.url).pathname;
  const compiled = spawnSync('cc', ['-O1', '-o', program, source], { encoding: 'utf8' });
  test.for([1, 4, 8, 10, 16, 24, 100, 1000, 4096, 5000])('by %i bytes', async (step) => {
    expect(compiled.stderr).toBe('');
    const size = 20e6;
    const { files } = await underAgent([program, String(size), String(step)]);
    expect(files[0]?.liveBytes).toBeGreaterThan(size * 0.95);
    expect(files[0]?.liveBytes).toBeLessThan(size * 1.05);
  });
});
