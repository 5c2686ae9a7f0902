// Compiles the agent into dist/agent/. With no argument: for this machine, with `cc` (or $CC).
// `--all`: the four ready-made files that the published package carries, with Debian's cross compilers.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { agentFlags, agentFileName } from './flags.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = fileURLToPath(new URL('../dist/agent/', import.meta.url));
const sources = readdirSync(here)
  .filter((name) => name.endsWith('.c'))
  .map((name) => here + name);

const compilers = process.argv.includes('--all')
  ? [
      { compiler: 'gcc', arch: 'x64', libc: 'gnu' },
      { compiler: 'musl-gcc', arch: 'x64', libc: 'musl' },
      { compiler: 'aarch64-linux-gnu-gcc', arch: 'arm64', libc: 'gnu' },
      {
        compiler: process.env.CORONER_MUSL_ARM64_CC ?? 'aarch64-linux-musl-gcc',
        arch: 'arm64',
        libc: 'musl',
      },
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
for (const { compiler, arch, libc } of compilers) {
  const file = out + agentFileName(arch, libc);
  const unfinished = `${file}.${process.pid}`;
  const { status, error } = spawnSync(
    compiler,
    [...agentFlags, '-o', unfinished, ...sources, '-ldl', '-lpthread'],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (error || status !== 0) {
    rmSync(unfinished, { force: true });
    console.error(
      `agent: ${compiler} could not build ${agentFileName(arch, libc)}${error ? `: ${error.message}` : ''}`,
    );
    failed += 1;
  } else renameSync(unfinished, file);
}
process.exit(failed === compilers.length ? 1 : 0);
