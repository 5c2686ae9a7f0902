// Compiles src/parsers/teddy.c to WebAssembly and writes it into src/parsers/teddy-wasm.ts.
// Needs clang with its WebAssembly target and wasm-ld (Debian: apt-get install clang lld).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const source = new URL('../src/parsers/teddy.c', import.meta.url).pathname;
const target = new URL('../src/parsers/teddy-wasm.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'coroner-teddy-'));
try {
  const wasm = join(folder, 'teddy.wasm');
  execFileSync(
    process.env.CLANG ?? 'clang',
    [
      '--target=wasm32',
      '-O3',
      '-msimd128',
      '-ffreestanding',
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
    `// Made by scripts/teddy.mjs from teddy.c. Not to be edited.\nexport const teddyWasm =\n${lines.join(' +\n')};\n`,
  );
  console.log(`${target}: ${Buffer.from(base64, 'base64').length} bytes`);
} finally {
  rmSync(folder, { recursive: true });
}
