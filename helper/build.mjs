// Compiles the helper into dist/helper/ and puts it in the place of bin/coroner, where npm links it. With no argument: for this machine, with
// `musl-gcc` (the smallest), else `cc`, static where the C library allows it. A machine without a compiler gets helper/stub.sh as bin/coroner.
// `--all`: what the published package carries: x64 and arm64 (gcc-aarch64-linux-gnu), static, for any C library; bin/coroner is the stub,
// which helper/install.mjs replaces where the package is installed. $MUSL_ARM64 (agent/build.mjs) makes the one for arm64 a tenth as large.
// `--out=FOLDER`: there instead, and bin/coroner stays as it is.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { put, ready } from './install.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const given = process.argv.find((word) => word.startsWith('--out='))?.slice('--out='.length);
const out =
  given === undefined ? fileURLToPath(new URL('../dist/helper/', import.meta.url)) : `${given}/`;
const sources = readdirSync(here)
  .filter((name) => name.endsWith('.c'))
  .toSorted()
  .map((name) => here + name);
const all = process.argv.includes('--all');

/** Compiler and options with which Debian's cross compiler links musl for arm64; none without its folder. */
function muslArm64() {
  const root = process.env.MUSL_ARM64;
  if (root === undefined) return [];
  const cross = 'aarch64-linux-gnu-gcc';
  const own = (option) => spawnSync(cross, [option], { encoding: 'utf8' }).stdout?.trim() ?? '';
  const library = `${root}/usr/lib/aarch64-linux-musl`;
  return [
    {
      command: [
        cross,
        '-static',
        '-mno-outline-atomics',
        '-nostdinc',
        '-nostdlib',
        `-isystem${root}/usr/include/aarch64-linux-musl`,
        `-isystem${own('-print-file-name=include')}`,
        `${library}/crt1.o`,
        `${library}/crti.o`,
      ],
      last: [`${library}/libc.a`, own('-print-libgcc-file-name'), `${library}/crtn.o`],
    },
  ];
}

/** Whether any of the attempts gives a program. */
function compile(arch, attempts) {
  const name = `coroner-helper-linux-${arch}`;
  const unfinished = `${out}${name}.${process.pid}`;
  const words = [];
  for (const attempt of attempts) {
    const { command, last } = Array.isArray(attempt) ? { command: attempt, last: [] } : attempt;
    const [compiler, ...flags] = command;
    const { status, error, stderr } = spawnSync(
      compiler,
      [`@${here}flags.rsp`, ...flags, '-o', unfinished, ...sources, ...last],
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
        compile('arm64', [...muslArm64(), ['aarch64-linux-gnu-gcc', '-static']]),
      ].every(Boolean)
    : compile(process.arch, [['musl-gcc', '-static'], [compiler, '-static'], [compiler]]));
if (given === undefined) put(all ? null : ready());
process.exit(built || process.platform !== 'linux' ? 0 : 1);
