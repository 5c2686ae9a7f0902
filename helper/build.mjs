// Compiles the helper into dist/helper/ and puts it in the place of bin/coroner, where npm links it. With no argument: for this machine, with
// `musl-gcc` (the smallest), else `cc`, static where the C library allows it. A machine without a compiler gets helper/stub.sh as bin/coroner.
// `--all`: what the published package carries: x64 and arm64 (gcc-aarch64-linux-gnu), static, for any C library; bin/coroner is the stub,
// which helper/install.mjs replaces where the package is installed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { put, ready } from './install.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = fileURLToPath(new URL('../dist/helper/', import.meta.url));
const sources = readdirSync(here)
  .filter((name) => name.endsWith('.c'))
  .map((name) => here + name);
const all = process.argv.includes('--all');

/** Whether any of the attempts gives a program. */
function compile(arch, attempts) {
  const name = `coroner-helper-linux-${arch}`;
  const unfinished = `${out}${name}.${process.pid}`;
  const words = [];
  for (const [compiler, ...flags] of attempts) {
    const { status, error, stderr } = spawnSync(
      compiler,
      [`@${here}flags.rsp`, ...flags, '-o', unfinished, ...sources],
      { encoding: 'utf8', stdio: ['ignore', 'inherit', 'pipe'] },
    );
    if (status === 0) {
      process.stderr.write(stderr);
      renameSync(unfinished, out + name);
      return true;
    }
    words.push(`${compiler} ${flags.join(' ')}: ${error?.message ?? stderr.split('\n')[0]}`);
  }
  rmSync(unfinished, { force: true });
  console.error(`helper: ${name} could not be built:\n  ${words.join('\n  ')}`);
  return false;
}

mkdirSync(out, { recursive: true });
const compiler = process.env.CC ?? 'cc';
const built =
  process.platform === 'linux' &&
  (all
    ? [
        compile('x64', [['musl-gcc', '-static']]),
        compile('arm64', [['aarch64-linux-gnu-gcc', '-static']]),
      ].every(Boolean)
    : compile(process.arch, [['musl-gcc', '-static'], [compiler, '-static'], [compiler]]));
put(all ? null : ready());
process.exit(built || process.platform !== 'linux' ? 0 : 1);
