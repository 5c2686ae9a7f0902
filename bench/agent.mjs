// What the agent costs, beside its peers: node bench/agent.mjs [--python PATH] [--pairs N] [--quick | --timed] [w1 w6 ...]
//
// Instructions are counted by valgrind's cachegrind without cache simulation. The same run twice differs by less than 0.01 %, but
// any library that is preloaded, an empty one too, moves what is mapped behind it, and some code works by addresses: numpy's
// cache of ufunc loops hashes those of types (PyArrayIdentityHash_GetItem and its memcmp), pymalloc looks in a tree for whether a
// block is its own, the garbage collector counts what was allocated meanwhile. Empty libraries of three sizes changed w2_numpy by
// -0.1 to -0.4 % and w8_threads by +0.1 to +0.3 %. So the counts are judged against a twin: a library that maps as much as
// the agent does and does nothing. "of it" are instructions within the agent's own functions. CPU time is user + system of the process,
// medians of interleaved pairs; the noise of the machine is printed beside it as bare against bare. --timed leaves the instructions
// out and ends within eight minutes (--minutes N): what is long for the machine is made shorter, and peers get fewer runs.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PT_LOAD, readElf } from '../dist/elf/elf.js';
import { readAtBytes } from '../dist/elf/read-at.js';
import { agentCompanion } from '../dist/record/agent.js';

const here = fileURLToPath(new URL('./workloads/', import.meta.url));
const args = process.argv.slice(2);
const take = (name) => {
  const at = args.indexOf(name);
  return at === -1 ? undefined : args.splice(at, 2)[1];
};
const python = take('--python') ?? 'python3';
const pairs = Number(take('--pairs') ?? 7);
const quick = args.includes('--quick');
/** Without the instruction counts, which take minutes. */
const timedOnly = args.includes('--timed');
const minutes = Number(take('--minutes') ?? (timedOnly ? 8 : 60));
const deadline = performance.now() + minutes * 60_000;
// Arguments that make a run long enough to time, and short enough for valgrind (which is 30 times slower).
const workloads = {
  w1_objects: { timed: '8', counted: '2' },
  w2_numpy: { timed: '10', counted: '2' },
  w3_pandas: { timed: '4', counted: '1' },
  w4_json: { timed: '3', counted: '1' },
  w5_mix: { timed: '8', counted: '2' },
  w6_leak: { timed: '600000', counted: '100000' },
  w7_polars: { timed: '4', counted: '1' },
  w8_threads: { timed: '4', counted: '1' },
};
const wanted = args.filter((name) => !name.startsWith('-'));
const scratch = mkdtempSync(join(tmpdir(), 'coroner-bench-'));

// Under valgrind 30 times as much time passes: what the agent does by the clock is made as much rarer.
const valgrindPace = 'pace=6000';
const under = (options) => (counting) => {
  const folder = mkdtempSync(join(scratch, 'run-'));
  const env = { ...process.env };
  agentCompanion({ command: [python] }).prepare(env, folder);
  if (!env.LD_PRELOAD) throw new Error('no agent: npm run build');
  env.CORONER_AGENT_OPTIONS = [options, counting ? valgrindPace : ''].filter(Boolean).join(',');
  return { env, command: [python], folder };
};
const bare = () => ({ env: { ...process.env }, command: [python] });

/** What the loader maps for it: from its first page to the end of its bss. */
function mappedBytes(library) {
  const bytes = readFileSync(library);
  const { elf } = readElf(readAtBytes(bytes), bytes.length);
  const page = 4096;
  return Math.max(
    ...elf.programHeaders
      .filter(({ type }) => type === PT_LOAD)
      .map(({ address, memoryBytes }) => Math.ceil((address + memoryBytes) / page) * page),
  );
}
const agentLibrary = under('')(false).env.LD_PRELOAD.split(':')[0];

/**
 * A library that leaves everything else at the addresses where the agent leaves it, and does nothing: as large, and with
 * mappings as large as the agent's two files, which are asked for at the same time. null: there is no compiler.
 */
function makeTwin() {
  const { env, folder } = under('')(false);
  spawnSync(python, ['-c', ''], { env });
  const files = readdirSync(join(folder, 'agent'))
    .filter((name) => !name.endsWith('.spare'))
    .sort((a) => (a === 'tree' ? -1 : 1));
  const source = join(scratch, 'twin.c');
  writeFileSync(
    source,
    `#define _GNU_SOURCE
#include <sys/mman.h>
char padding[PADDING];
__attribute__((constructor)) static void start(void) {
${files
  .map((name) => statSync(join(folder, 'agent', name)).size)
  .map((size) => `  mmap(0, ${size}, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);`)
  .join('\n')}
}
`,
  );
  const library = join(scratch, 'twin.so');
  const compile = (padding) =>
    spawnSync('cc', ['-O2', '-fPIC', '-shared', `-DPADDING=${padding}`, '-o', library, source])
      .status === 0;
  const first = 4096;
  if (!compile(first)) return null;
  const twin = mappedBytes(library);
  const wanted = mappedBytes(agentLibrary);
  return compile(first + wanted - twin) && mappedBytes(library) === wanted ? library : null;
}
const twin = timedOnly ? null : makeTwin();

const has = (command, ...rest) => spawnSync(command, rest, { stdio: 'ignore' }).status === 0;
const variants = {
  bare,
  agent: under(''),
  'libc only': under('objects=0,stacks=0'),
  ...(quick
    ? {}
    : {
        'bare again': bare,
        tracemalloc: () => ({ env: process.env, command: [python, '-X', 'tracemalloc'] }),
        ...(has(python, '-c', 'import memray')
          ? {
              memray: () => ({
                env: process.env,
                command: [
                  python,
                  '-m',
                  'memray',
                  'run',
                  '-q',
                  '-f',
                  '-o',
                  join(scratch, 'memray.bin'),
                ],
              }),
              'memray --trace-python-allocators': () => ({
                env: process.env,
                command: [
                  python,
                  '-m',
                  'memray',
                  'run',
                  '-q',
                  '-f',
                  '--trace-python-allocators',
                  '-o',
                  join(scratch, 'memray.bin'),
                ],
              }),
            }
          : {}),
        ...(has('heaptrack', '--version')
          ? {
              heaptrack: () => ({
                env: process.env,
                command: ['heaptrack', '-o', join(scratch, 'heaptrack'), python],
              }),
            }
          : {}),
      }),
};

/** One bare run is made about so long, in seconds of CPU time: start-up matters little then, and all fits into the time. */
const wantedSeconds = 1.2;
const targets = [];
const target = (what, value, bound, good) => targets.push({ what, value, bound, good });

const common = { encoding: 'utf8', maxBuffer: 1 << 28, cwd: scratch };
const withTwin = () => ({ env: { ...process.env, LD_PRELOAD: twin }, command: [python] });
function count(start, script, argument) {
  const counts = join(scratch, 'counts');
  const { env, command } = start(true);
  const { stderr } = spawnSync(
    'valgrind',
    [
      '--tool=cachegrind',
      '--cache-sim=no',
      `--cachegrind-out-file=${counts}`,
      ...command,
      script,
      argument,
    ],
    {
      ...common,
      env: {
        ...env,
        PYTHONHASHSEED: '0',
        W7_DIR: scratch,
        POLARS_MAX_THREADS: '1',
        OMP_NUM_THREADS: '1',
      },
    },
  );
  const found = /I\s+refs:\s+([\d,]+)/.exec(stderr);
  return found ? { all: Number(found[1].replaceAll(',', '')), own: ownOf(counts) } : null;
}

/** Instructions in the agent's own functions. The others change too: what hashes addresses or compares them (numpy, pymalloc) meets other ones. */
function ownOf(counts) {
  let inAgent = false;
  let sum = 0;
  for (const line of readFileSync(counts, 'utf8').split('\n'))
    if (line.startsWith('fl=')) inAgent = /\/agent\/[a-z]+\.[ch]$/.test(line);
    else if (inAgent && /^\d/.test(line)) sum += Number(line.split(' ')[1]);
  return sum;
}

/** The workload as arguments: the process that measures it stays bare. */
const measured = (env, command, script, argument) => [
  '/usr/bin/env',
  ...Object.entries(env)
    .filter(([name]) => /^(LD_PRELOAD|CORONER_AGENT_)/.test(name))
    .map(([name, value]) => `${name}=${value}`),
  `W7_DIR=${scratch}`,
  ...command,
  script,
  argument,
];

// time(1) of the shell: user and system seconds of the child and all it waited for, and its peak.
function time(variant, script, argument, longestMs = deadline - performance.now()) {
  const { env, command, folder } = variants[variant](false);
  const { stderr, status } = spawnSync(
    '/usr/bin/python3',
    [
      '-c',
      `
import os, resource, subprocess, sys
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
try:
    child.wait(float(sys.argv[1]))
except subprocess.TimeoutExpired:
    os.killpg(child.pid, 9)
    child.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.write("%d %f %d" % (child.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss))`,
      String(Math.max(0.1, longestMs / 1000)),
      ...measured(env, command, script, argument),
    ],
    { ...common, env: process.env },
  );
  const [code, seconds, peak] = (stderr ?? '').split(' ').map(Number);
  const files = folder
    ? readdirSync(join(folder, 'agent')).filter((name) => name.endsWith('.mem'))
    : [];
  const fileBytes = files.reduce(
    (sum, name) => sum + statSync(join(folder, 'agent', name)).blocks * 512,
    0,
  );
  if (folder) rmSync(folder, { recursive: true, force: true });
  return status === 0 && code === 0 ? { seconds, peakKib: peak, fileBytes } : null;
}

/**
 * Peak of what is resident of the agent's own mappings in MiB: its file of tables, and its library with the bss. Peaks of whole
 * processes differ more from run to run (polars' allocator, threads) than the agent takes. Its mappings only grow, so looking
 * every 50 ms, in a run of its own, misses little. The kernel may lay what lies behind the bss into the same mapping: then it is too much.
 */
function ownMemory(script, argument, longestMs) {
  const { env, command, folder } = variants.agent(false);
  const { stdout, status } = spawnSync(
    '/usr/bin/python3',
    [
      '-c',
      `
import os, subprocess, sys, time
library, span, longest = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
child = subprocess.Popen(sys.argv[4:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
most, base, until = 0, None, time.monotonic() + longest
while child.poll() is None:
    if time.monotonic() > until:
        os.killpg(child.pid, 9)
    resident = 0
    counts = False
    try:
        with open("/proc/%d/smaps" % child.pid, errors="replace") as smaps:
            for line in smaps:
                words = line.split()
                if not words[0].endswith(":"):
                    start, name = int(words[0].split("-")[0], 16), " ".join(words[5:])
                    if name == library and words[2] == "00000000":
                        base = start
                    counts = name.endswith(("/%d.mem" % child.pid, "/agent/tree")) or name == library or (
                        not name and base is not None and base <= start < base + span)
                elif counts and words[0] == "Rss:":
                    resident += int(words[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    most = max(most, resident)
    time.sleep(0.05)
print(most if child.returncode == 0 else 0)`,
      agentLibrary,
      String(mappedBytes(agentLibrary)),
      String(Math.max(0.1, longestMs / 1000)),
      ...measured(env, command, script, argument),
    ],
    { ...common, env: process.env },
  );
  rmSync(folder, { recursive: true, force: true });
  return status === 0 && Number(stdout) > 0 ? Number(stdout) / 1024 : null;
}

/** The argument with which a bare run takes about as long as wanted: from two runs, as importing takes its part. */
function fitting(script, timed) {
  const most = Number(timed);
  const little = Math.max(1, Math.round(most / 8));
  // The first run may make data.
  if (time('bare', script, String(little)) === null) return null;
  const short = time('bare', script, String(little))?.seconds;
  const long = little === most ? undefined : time('bare', script, String(little * 2))?.seconds;
  if (short === undefined || long === undefined) return String(little);
  const each = Math.max(1e-9, (long - short) / little);
  const wanted = Math.round((wantedSeconds - (short - each * little)) / each);
  return String(Math.min(most, Math.max(little, wanted)));
}
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const percent = (ratio) =>
  ratio === null ? 'failed' : `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(2)} %`;
const instructionsOf = (counted) =>
  counted === null ? 'failed' : `${percent(counted.ratio)} (of it: ${percent(1 + counted.own)})`;
const mib = (value) => `${value.toFixed(1)} MiB`;
const times = (ratio) => (ratio === null ? 'failed' : ratio.toFixed(3));
const row = (cells) => console.log(`| ${cells.join(' | ')} |`);

mkdirSync(scratch, { recursive: true });
try {
  const names = Object.keys(workloads).filter(
    (name) =>
      (wanted.length === 0 || wanted.some((prefix) => name.startsWith(prefix))) &&
      existsSync(`${here}${name}.py`),
  );
  console.log(
    `${spawnSync(python, ['--version'], common).stdout.trim()}, ${process.platform} ${process.arch}, ${pairs} pairs\n`,
  );
  const counted = timedOnly ? [] : ['agent', 'libc only'];
  const timed = Object.keys(variants).filter((name) => name !== 'bare');
  if (!timedOnly && twin === null)
    console.log('No C compiler: instructions are judged against bare, layout and all.\n');
  const columns = [
    'workload',
    ...counted.map((name) => `instructions: ${name}`),
    ...(timedOnly ? [] : ['against bare: twin', ...counted.map((name) => `against bare: ${name}`)]),
    ...(quick
      ? []
      : [
          ...timed.map((name) => `CPU: ${name}`),
          'memory: the agent itself',
          'peak: agent',
          'peak: bare again',
          'peak: bare, least to most',
          'file',
        ]),
  ];
  row(columns);
  row(columns.map(() => '---'));
  const memories = [];
  const files = [];
  const ratios = Object.fromEntries(timed.map((name) => [name, []]));
  for (const name of names) {
    const script = `${here}${name}.py`;
    const argument = fitting(script, workloads[name].timed);
    if (argument === null) {
      const why =
        performance.now() > deadline ? 'no time left' : `${python} lacks a library that it needs`;
      row([`${name}: ${why}`]);
      if (performance.now() > deadline) target(`CPU time of ${name}`, 'no time left', '', false);
      continue;
    }
    const argumentCounted = workloads[name].counted;
    const counts = timedOnly
      ? {}
      : Object.fromEntries(
          [
            ['bare', bare],
            ...(twin === null ? [] : [['twin', withTwin]]),
            ...counted.map((variant) => [variant, variants[variant]]),
          ].map(([variant, start]) => [variant, count(start, script, argumentCounted)]),
        );
    const against = (base, variant) =>
      counts[base]?.all && counts[variant]?.all
        ? {
            ratio: counts[variant].all / counts[base].all,
            own: counts[variant].own / counts[base].all,
          }
        : null;
    const fair = twin === null ? 'bare' : 'twin';
    const instructions = counted.map((variant) => against(fair, variant));
    const countCells = timedOnly
      ? []
      : [
          ...instructions.map(instructionsOf),
          ...['twin', ...counted].map((variant) =>
            percent(against('bare', variant)?.ratio ?? null),
          ),
        ];
    for (const [at, [variant, bound]] of [
      ['agent', 1.015],
      ['libc only', 1.005],
    ].entries())
      if (!timedOnly)
        target(
          `instructions of ${name}, ${variant}, against ${fair}`,
          instructionsOf(instructions[at]),
          `at most ${percent(bound)}`,
          instructions[at] !== null && instructions[at].ratio <= bound,
        );
    if (quick) {
      row([name, ...countCells]);
      continue;
    }
    const left = names.length - names.indexOf(name);
    const slice = (deadline - performance.now()) / left;
    const results = Object.fromEntries(Object.keys(variants).map((variant) => [variant, []]));
    const own = ['bare', 'bare again', 'agent', 'libc only'];
    /** Interleaved and in random order; the first round is made in any case, and each run ends with the time. */
    const rounds = (chosen, most, untilMs) => {
      for (let round = 0; round < most && (round === 0 || performance.now() < untilMs); round += 1)
        for (const variant of chosen.toSorted(() => Math.random() - 0.5)) {
          const result = time(variant, script, argument, untilMs + slice / 4 - performance.now());
          if (result !== null) results[variant].push(result);
        }
    };
    const begun = performance.now();
    rounds(own, pairs, begun + slice * 0.6);
    // The dear ones need no seven runs.
    rounds(
      Object.keys(variants).filter((variant) => !own.includes(variant)),
      2,
      begun + slice * 0.75,
    );
    const seconds = (variant) =>
      results[variant].length === 0 ? null : median(results[variant].map((one) => one.seconds));
    const peak = (variant) => median(results[variant].map((one) => one.peakKib));
    const difference = (variant) => (peak(variant) - peak('bare')) / 1024;
    const bares = [...results.bare, ...results['bare again']].map((one) => one.peakKib);
    const spread = (Math.max(...bares) - Math.min(...bares)) / 1024;
    const itself = ownMemory(script, argument, slice / 4);
    const cells = timed.map((variant) => {
      const ratio =
        seconds(variant) === null || seconds('bare') === null
          ? null
          : seconds(variant) / seconds('bare');
      if (ratio !== null) ratios[variant].push(ratio);
      return times(ratio);
    });
    const failed = results.bare.length === 0 || results.agent.length === 0;
    if (failed) target(`CPU time of ${name}`, 'not measured in the time', '', false);
    else {
      memories.push({ name, itself, difference: difference('agent'), spread });
      files.push(Math.max(...results.agent.map((one) => one.fileBytes)) / 1e6);
    }
    row([
      name,
      ...countCells,
      ...cells,
      ...(failed
        ? ['failed', '', '', '']
        : [
            itself === null ? 'failed' : mib(itself),
            mib(difference('agent')),
            mib(difference('bare again')),
            mib(spread),
          ]),
      failed
        ? ''
        : `${(Math.max(...results.agent.map((one) => one.fileBytes)) / 2 ** 20).toFixed(1)} MiB`,
    ]);
  }
  if (!quick) {
    const geometric = (values) =>
      values.length === 0
        ? null
        : Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
    row([
      'geometric mean',
      ...(timedOnly ? [] : [...counted, 'twin', ...counted].map(() => '')),
      ...timed.map((name) => times(geometric(ratios[name]))),
      '',
      '',
      '',
      '',
      '',
    ]);
    const [mean, noise] = [geometric(ratios.agent), geometric(ratios['bare again'] ?? [])];
    if (mean !== null) {
      const spread = (ratios['bare again'] ?? []).map((ratio) => Math.abs(ratio - 1));
      target(
        `CPU time, geometric mean (bare against bare: ${times(noise)}, single ones up to ${percent(1 + Math.max(0, ...spread))})`,
        times(mean),
        'at most 1.03',
        mean <= 1.03,
      );
      const own = memories.map(({ itself }) => itself);
      target(
        "memory of the agent's own mappings, the most of all workloads",
        own.includes(null) ? 'not measured' : mib(Math.max(...own)),
        'at most 4 MB',
        !own.includes(null) && Math.max(...own) * 2 ** 20 <= 4e6,
      );
      // What the mappings do not show: a sampled object has malloc()'s header, and lies outside pymalloc's pages.
      const most = memories.toSorted(
        (a, b) => b.difference - b.spread - a.difference + a.spread,
      )[0];
      target(
        `peak of RSS beyond bare (${most.name}; bare against itself: ${mib(most.spread)})`,
        mib(most.difference),
        'at most 4 MB beyond what bare differs from itself',
        (most.difference - most.spread) * 2 ** 20 <= 4e6,
      );
      target(
        'file',
        `${Math.max(...files).toFixed(1)} MB`,
        'at most 10 MB',
        Math.max(...files) <= 10,
      );
    }
    const empty = join(scratch, 'empty.py');
    spawnSync('touch', [empty]);
    const start = (variant) =>
      median(Array.from({ length: 15 }, () => time(variant, empty, '')?.seconds ?? Number.NaN));
    const [bareStart, agentStart] = [start('bare') * 1000, start('agent') * 1000];
    target(
      `start-up in CPU time (bare: ${bareStart.toFixed(1)} ms)`,
      `+${(agentStart - bareStart).toFixed(1)} ms`,
      'at most 5 ms',
      agentStart - bareStart <= 5,
    );
  }
  console.log('');
  row(['what', 'measured', 'target', '']);
  row(['---', '---', '---', '---']);
  for (const { what, value, bound, good } of targets)
    row([what, value, bound, good ? 'met' : '**missed**']);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
