// Compiles the agent into dist/agent/. With no argument: for this machine, with `cc` (or $CC).
// `--all`: the four ready-made files that the published package carries, with Debian's cross compilers
// (gcc, musl-tools, gcc-aarch64-linux-gnu). Nobody packages a musl compiler for arm64: there $MUSL_ARM64 is a folder
// into which Debian's musl and musl-dev for arm64 were unpacked (apt-get download, dpkg -x).
// `--out=FOLDER`: there instead. What is published has no debug information: it would name this folder, and be most of the size.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const given = process.argv.find((word) => word.startsWith('--out='))?.slice('--out='.length);
const out =
  given === undefined ? fileURLToPath(new URL('../dist/agent/', import.meta.url)) : `${given}/`;
const sources = readdirSync(here)
  .filter((name) => name.endsWith('.c'))
  .toSorted()
  .map((name) => here + name);
// A file of options, read by the compiler itself: `coroner run` compiles with the same ones on first use.
// -fno-builtin-*: gcc turns malloc + memset into calloc, which is one of the functions defined here.
const flags = `@${here}flags.rsp`;
// musl is in every process that loads it, and glibc, whose programs may be started by one of musl, finds no library of that name.
const libraries = { gnu: ['-ldl', '-lpthread'], musl: ['-nolibc'] };
// Before glibc 2.34 dlsym is in libdl, which a program need not have loaded: what is published asks for it.
const publishedGnu = ['-Wl,--no-as-needed', '-l:libdl.so.2', '-Wl,--as-needed', '-lpthread'];

const cross = 'aarch64-linux-gnu-gcc';
function muslArm64() {
  const root = process.env.MUSL_ARM64;
  if (root === undefined) return null;
  const own = (option) => spawnSync(cross, [option], { encoding: 'utf8' }).stdout?.trim() ?? '';
  return {
    // Outlined atomics ask glibc for the CPU's features.
    flags: [
      '-mno-outline-atomics',
      '-nostdinc',
      '-isystem',
      `${root}/usr/include/aarch64-linux-musl`,
      '-isystem',
      own('-print-file-name=include'),
      '-nostdlib',
    ],
    // The first two have what a destructor of a library is called by.
    libraries: [
      own('-print-file-name=crtbeginS.o'),
      own('-print-file-name=crtendS.o'),
      own('-print-libgcc-file-name'),
    ],
  };
}

const all = process.argv.includes('--all');
const targets = all
  ? [
      { compiler: 'gcc', arch: 'x64', libc: 'gnu', special: { libraries: publishedGnu } },
      { compiler: 'musl-gcc', arch: 'x64', libc: 'musl' },
      { compiler: cross, arch: 'arm64', libc: 'gnu', special: { libraries: publishedGnu } },
      { compiler: cross, arch: 'arm64', libc: 'musl', special: muslArm64() },
    ]
  : [
      {
        compiler: process.env.CC ?? 'cc',
        arch: process.arch,
        // Node says which C library it runs on; a musl Node reports no glibc version.
        libc: process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl',
      },
    ];

mkdirSync(out, { recursive: true });
let failed = 0;
for (const { compiler, arch, libc, special } of targets) {
  const name = `coroner-agent-linux-${arch}-${libc}.so`;
  if (special === null) {
    console.error(`agent: ${name} was left out: MUSL_ARM64 is not set (see agent/build.mjs)`);
    failed += 1;
    continue;
  }
  const unfinished = `${out}${name}.${process.pid}`;
  const { status, error } = spawnSync(
    compiler,
    [
      flags,
      ...(all ? ['-g0', '-s'] : []),
      ...(special?.flags ?? []),
      '-o',
      unfinished,
      ...sources,
      ...(special?.libraries ?? libraries[libc]),
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (error || status !== 0) {
    rmSync(unfinished, { force: true });
    console.error(`agent: ${compiler} could not build ${name}${error ? `: ${error.message}` : ''}`);
    failed += 1;
  } else renameSync(unfinished, out + name);
}
process.exit(failed === targets.length ? 1 : 0);
