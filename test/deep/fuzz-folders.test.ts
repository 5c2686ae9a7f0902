import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { bundled, root } from './bundled.ts';

const seconds = Number(process.env['CORONER_FUZZ_SECONDS'] ?? 600);

test(
  'no spoilt incident folder throws, hangs or proves more than it did',
  async () => {
    const child = spawn(process.execPath, [await bundled('fuzz-folders')], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let wrong = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (wrong += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    console.log(said.trim());
    expect(wrong).toBe('');
    expect(status).toBe(0);
    expect(said).toMatch(/^fuzz: [1-9]\d* of \d+ folders/m);
  },
  (seconds + 180) * 1000,
);
