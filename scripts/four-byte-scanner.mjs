// Compiles src/parsers/search/four-byte-scanner.c to WebAssembly and writes it into src/parsers/search/four-byte-scanner-wasm.ts.
// Needs clang with its WebAssembly target and wasm-ld (Debian: apt-get install clang lld).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const source = new URL('../src/parsers/search/four-byte-scanner.c', import.meta.url).pathname;
const target = new URL('../src/parsers/search/four-byte-scanner-wasm.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'coroner-quads-'));
try {
  const wasm = join(folder, 'quads.wasm');
  execFileSync(
    process.env.CLANG ?? 'clang',
    [
      '--target=wasm32',
      '-O3',
      '-msimd128',
      '-ffreestanding',
      '-mbulk-memory',
      '-nostdlib',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-Wl,--no-entry,--strip-all,-z,stack-size=4096',
      '-o',
      wasm,
      source,
    ],
    { stdio: 'inherit' },
  );
  const base64 = readFileSync(wasm).toString('base64');
  const lines = base64.match(/.{1,90}/g).map((line) => `  '${line}'`);
  writeFileSync(
    target,
    `// Made by scripts/four-byte-scanner.mjs from quads.c. Not to be edited.\nexport const quadsWasm =\n${lines.join(' +\n')};\n`,
  );
  console.log(`${target}: ${Buffer.from(base64, 'base64').length} bytes`);
} finally {
  rmSync(folder, { recursive: true });
}
