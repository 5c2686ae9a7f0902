import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const seconds = Number(process.env['CORONER_FUZZ_SECONDS'] ?? 600);

/** In one file, beside the build: what it finds by its own place is found from there. */
async function bundled(): Promise<string> {
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: 'test/deep/fuzz-parsers.ts',
      outDir: 'dist',
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rollupOptions: { output: { entryFileNames: 'fuzz-parsers.mjs', codeSplitting: false } },
    },
  });
  return `${root}dist/fuzz-parsers.mjs`;
}

test(
  'no mutation throws, hangs, misquotes or proves what nobody witnessed',
  async () => {
    const child = spawn(process.execPath, [await bundled()], {
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
    expect(said).toMatch(/^fuzz: [1-9]\d* of \d+ cases/m);
  },
  (seconds + 180) * 1000,
);
