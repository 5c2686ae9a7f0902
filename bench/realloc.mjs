// What it costs a block to grow by realloc: node bench/realloc.mjs [--python PATH] [--pairs N] [--times N] [--limit MIB] [str bytearray array list BytesIO]
//
// Five kinds, without a limit (the program's own seconds) and in a cgroup until the kernel kills them (wall time from the command's start
// to its death, without what `run` does before and after). Bare beside `run`, with and without the last look and the agent: interleaved
// pairs, medians of the quotients; in brackets those of the program's own CPU seconds, which a busy machine changes less. Aims: 1.03
// without a limit, 1.1 to the kill. The second half needs root and a cgroup.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const args = process.argv.slice(2);
const take = (name) => {
  const at = args.indexOf(name);
  return at === -1 ? undefined : args.splice(at, 2)[1];
};
// The interpreter itself: a version manager's shim in front of it is a dozen processes more.
const python = execFileSync(
  take('--python') ?? 'python3',
  ['-c', 'import sys; print(sys.executable)'],
  {
    encoding: 'utf8',
  },
).trim();
const pairs = Number(take('--pairs') ?? 5);
const times = Number(take('--times') ?? 8);
const limitMiB = Number(take('--limit') ?? 600);
const coroner = fileURLToPath(new URL('../bin/coroner', import.meta.url));
const program = fileURLToPath(new URL('./workloads/grow_in_place.py', import.meta.url));
/** Steps that take about a second, and end below 600 MiB; so often in a run, for one second alone is as inexact as what is asked. */
const steps = { str: 25e6, bytearray: 25e6, array: 20e6, list: 40e6, BytesIO: 20e6 };
const kinds = args.length > 0 ? args : Object.keys(steps);
const scratch = mkdtempSync(join(tmpdir(), 'coroner-bench-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));

const run = (...flags) => [coroner, 'run', '-q', ...flags, '-o', scratch, '--'];
const variants = {
  bare: [],
  run: run(),
  '--no-last-look': run('--no-last-look'),
  '--no-agent': run('--no-agent'),
};

const root = '/sys/fs/cgroup';
const isV1 = existsSync(`${root}/memory/memory.limit_in_bytes`);
const group = `${isV1 ? `${root}/memory` : root}/coroner-bench-realloc-${process.pid}`;
function makeGroup() {
  const bytes = String(limitMiB * 2 ** 20);
  try {
    mkdirSync(group);
    writeFileSync(`${group}/${isV1 ? 'memory.limit_in_bytes' : 'memory.max'}`, bytes);
    const swap = `${group}/${isV1 ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max'}`;
    if (existsSync(swap)) writeFileSync(swap, isV1 ? bytes : '0');
    return true;
  } catch (error) {
    console.log(`no cgroup of one's own can be made here: ${error.message}`);
    return false;
  }
}

function start(command) {
  const { stdout } = spawnSync(command[0], command.slice(1), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 180_000,
    killSignal: 'SIGKILL',
  });
  return stdout ?? '';
}
/** Wall and CPU seconds of the growth alone, as the program says them. */
function free(kind, before) {
  const [wall, cpu] = start([...before, python, program, kind, String(steps[kind]), String(times)])
    .split(' ')
    .map(Number);
  return { wall, cpu };
}
/** Wall and CPU seconds of the whole program: a shell around it, outside of the group, tells when it began and ended. */
function toTheKill(kind, before) {
  const script = `begun=$(date +%s%N); sh -c 'echo $$ > ${group}/cgroup.procs; exec "$@" >&2' sh "$@"; echo $begun $(date +%s%N); times`;
  const told = start([...before, 'sh', '-c', script, 'sh', python, program, kind]);
  const [clock = '', , children = ''] = told.trim().split('\n');
  const [begun, ended] = clock.split(' ').map(Number);
  const cpu = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => m * 60 + Number(s));
  return { wall: (ended - begun) / 1e9, cpu: cpu[0] + cpu[1] };
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1] ?? NaN;
const row = (...cells) =>
  console.log(cells.map((cell, i) => String(cell).padEnd(i === 0 ? 12 : 17)).join(''));
function compare(title, run) {
  console.log(`\n${title}`);
  row('', 'bare (s)', ...Object.keys(variants).slice(1));
  for (const kind of kinds) {
    const seconds = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
    for (let pair = 0; pair < pairs; pair += 1)
      for (const [name, before] of Object.entries(variants)) seconds[name].push(run(kind, before));
    const quotient = (name, what) =>
      median(seconds[name].map((one, i) => one[what] / seconds.bare[i][what])).toFixed(2);
    row(
      kind,
      median(seconds.bare.map(({ wall }) => wall)).toFixed(2),
      ...Object.keys(variants)
        .slice(1)
        .map((name) => `${quotient(name, 'wall')} (${quotient(name, 'cpu')})`),
    );
  }
}

console.log(`${pairs} pairs, ${python}`);
compare('without a limit (aim: 1.03)', free);
if (makeGroup()) {
  try {
    compare(`to the kill in a cgroup of ${limitMiB} MiB (aim: 1.1)`, toTheKill);
  } finally {
    // The kernel takes the last process out of it in its own time.
    for (let i = 0; i < 50 && existsSync(group); i += 1)
      try {
        rmdirSync(group);
      } catch {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      }
  }
}
