// What recording costs: interleaved pairs of the same program bare and under `coroner run`, medians, as a table. Figures of a busy machine are
// provisional: what counts is the ratio within one run.
//
//   node bench/overhead.mjs [--pairs N] [--seconds N] [--wall] [--json]       --wall: the CPU-bound program only
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Node reads these at each start (some 30 ms): a cost of the machine's setting, not of recording.
delete process.env.NODE_EXTRA_CA_CERTS;
const coroner = fileURLToPath(new URL('../bin/coroner.js', import.meta.url));
const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const pairs = option('pairs', 5);
const seconds = option('seconds', 10);

const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], {
  encoding: 'utf8',
}).stdout?.trim();
if (!python) {
  console.error('overhead: needs python3');
  process.exit(1);
}
const work = mkdtempSync(join(tmpdir(), 'coroner-bench-'));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/**
 * Work that is the same however fast the machine is: calibrated to about so many seconds. Calls and small integers only: a loop that makes
 * objects runs up to 7 % faster or slower from one start to the next, by where its objects happen to lie. What those cost is bench/run.mjs.
 */
const spin = (rounds) => `
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
for i in range(${rounds}):
    fib(18)
import time
print(time.process_time())
`;
const calibrate = () => {
  const rounds = 500;
  const begun = performance.now();
  spawnSync(python, ['-c', spin(rounds)]);
  return Math.round((rounds * seconds * 1000) / (performance.now() - begun));
};

/** Runs to the end; CPU time and peak of the process itself (not of its children) read from /proc while it lives. */
const run = (command, { watch = false, stdio = ['ignore', 'ignore', 'ignore'] } = {}) =>
  new Promise((resolve) => {
    const begun = performance.now();
    const child = spawn(command[0], command.slice(1), { stdio });
    const seen = { cpuMs: 0, peakRssBytes: 0 };
    const look = () => {
      try {
        const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        seen.cpuMs = (Number(stat[11]) + Number(stat[12])) * 10;
        const high = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
        if (high) seen.peakRssBytes = Math.max(seen.peakRssBytes, Number(high[1]) * 1024);
      } catch {
        // It has just ended.
      }
    };
    const timer = watch ? setInterval(look, 20) : undefined;
    let lastWords = null;
    let said = '';
    child.stdout?.on('data', (chunk) => (said += chunk));
    child.stderr?.on('data', () => (lastWords ??= performance.now()));
    child.on('exit', () => {
      clearInterval(timer);
      resolve({
        ms: performance.now() - begun,
        ...seen,
        saidAt: lastWords,
        begun,
        said,
        endedAt: performance.now(),
      });
    });
  });
const under = (command, ...options) => [
  process.execPath,
  coroner,
  'run',
  '--output',
  work,
  ...options,
  '--',
  ...command,
];

const rows = [];
const row = (what, value, target, good) => rows.push({ what, value, target, good });

/** CPU-bound: wall time, and what the recorder itself takes while memory rests. */
async function cpuBound(name, options) {
  const command = [python, '-c', spin(calibrate())];
  const bare = [];
  const recorded = [];
  const again = [];
  const stdio = ['ignore', 'pipe', 'ignore'];
  for (let pair = 0; pair < pairs; pair += 1) {
    bare.push(await run(command, { stdio }));
    recorded.push(await run(under(command, ...options), { watch: true, stdio }));
    again.push(await run(command, { stdio }));
  }
  // Each recorded run beside the two bare ones around it: a machine that grows slower or faster meanwhile does so for both.
  const ratio = median(recorded.map(({ ms }, pair) => ms / ((bare[pair].ms + again[pair].ms) / 2)));
  const fastest = (runs) => Math.min(...runs.map(({ ms }) => ms));
  const least = (runs) => Math.min(...runs.map(({ said }) => Number(said)));
  row(
    `CPU time of that Python itself, the least, ${name}`,
    `${(least(recorded) / least([...bare, ...again])).toFixed(3)} times`,
    '',
    true,
  );
  row(
    'the same bare against bare: the median of pairs, and the fastest',
    `${median(again.map(({ ms }, pair) => ms / bare[pair].ms)).toFixed(3)}, ${(fastest(again) / fastest(bare)).toFixed(3)} times`,
    '',
    true,
  );
  row(
    `the same recorded, the fastest, ${name}`,
    `${(fastest(recorded) / fastest([...bare, ...again])).toFixed(3)} times`,
    '',
    true,
  );
  row(
    `wall time of ${seconds} s of Python, the median of pairs, ${name}`,
    `${ratio.toFixed(3)} times`,
    'at most 1.01',
    ratio <= 1.01,
  );
  const share = median(recorded.map(({ cpuMs, ms }) => cpuMs / ms));
  row(
    `CPU of the recorder, start and verdict included, ${name}`,
    `${(share * 100).toFixed(2)} % of a core`,
    '',
    true,
  );
  row(
    `peak RSS of the recorder, ${name}`,
    `${(median(recorded.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20).toFixed(1)} MiB`,
    'below 90 MB',
    median(recorded.map(({ peakRssBytes }) => peakRssBytes)) < 90e6,
  );
}

/** While memory rests: CPU time of the recorder between two moments of a sleeping command, start-up left out. */
async function atRest(name, options) {
  const shares = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const child = spawn(
      process.execPath,
      under([python, '-c', 'import time; time.sleep(8)'], ...options).slice(1),
      { stdio: 'ignore' },
    );
    const cpu = () => {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return (Number(stat[11]) + Number(stat[12])) * 10;
    };
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const [before, begun] = [cpu(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 4000));
    shares.push((cpu() - before) / (performance.now() - begun));
    await new Promise((resolve) => child.on('exit', resolve));
  }
  const share = median(shares);
  row(
    `CPU of the recorder while memory rests, ${name}`,
    `${(share * 100).toFixed(2)} % of a core`,
    'below 1.5 %',
    share < 0.015,
  );
}

/** A command that does nothing: everything that is added, until the shell has its prompt back; and until the command has started. */
async function startUp(name, options) {
  const added = [];
  const untilStarted = [];
  for (let pair = 0; pair < Math.max(pairs, 9); pair += 1) {
    const bare = (await run(['/bin/true'])).ms;
    added.push((await run(under(['/bin/true'], ...options))).ms - bare);
    const stamp = join(work, 'stamp');
    const begun = Date.now();
    await run(
      under(
        [
          python,
          '-S',
          '-c',
          `import time; open(${JSON.stringify(stamp)}, 'w').write(repr(time.time()))`,
        ],
        ...options,
      ),
    );
    const started = Number(readFileSync(stamp, 'utf8')) * 1000 - begun;
    const alone = Date.now();
    await run([
      python,
      '-S',
      '-c',
      `import time; open(${JSON.stringify(stamp)}, 'w').write(repr(time.time()))`,
    ]);
    untilStarted.push(started - (Number(readFileSync(stamp, 'utf8')) * 1000 - alone));
  }
  const node = [];
  for (let pair = 0; pair < Math.max(pairs, 9); pair += 1)
    node.push((await run([process.execPath, '-e', '0'])).ms);
  row(
    `start-up added before the command runs, ${name}`,
    `${median(untilStarted).toFixed(0)} ms`,
    'below 150 ms',
    median(untilStarted) < 150,
  );
  row(
    `added to a command that does nothing, ${name}`,
    `${median(added).toFixed(0)} ms (Node alone: ${median(node).toFixed(0)} ms)`,
    '',
    true,
  );
}

/** From the command's end to the first word of the verdict. */
async function verdict(name, options) {
  const parent = '/sys/fs/cgroup/memory';
  const folder = join(parent, `coroner-test-bench-${process.pid}`);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'memory.limit_in_bytes'), String(100 * 2 ** 20));
  } catch {
    row(
      `from death to verdict, ${name}`,
      'not measured (needs a cgroup v1 of its own)',
      'within 300 ms',
      true,
    );
    return;
  }
  const times = [];
  try {
    for (let pair = 0; pair < pairs; pair += 1) {
      const before = new Set(readdirSync(work));
      const enter = ['/bin/sh', '-c', `echo $$ > ${folder}/cgroup.procs && exec "$@"`, 'sh'];
      const died = await run(
        under(
          [...enter, python, '-c', 'import time; time.sleep(1.5)\nx = bytearray(200*2**20)'],
          ...options,
        ),
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      const id = readdirSync(work).find(
        (entry) => /^\d{8}-\d{6}-/.test(entry) && !before.has(entry),
      );
      const start = JSON.parse(readFileSync(join(work, id, 'incident.json'), 'utf8'));
      const text = (file) => readFileSync(join(work, id, file), 'utf8');
      // The kernel log is the whole machine's: only the kill of this very command counts.
      const { pid } = text('events.ndjson')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
        .find(({ what, role }) => what === 'process' && role === 'command');
      const gone = text('kernel.log')
        .split('\n')
        .find((line) => line.includes(`Killed process ${pid} (`));
      if (!gone || died.saidAt === null) continue;
      const killedAfterMs = (Number(gone.split(',')[2]) / 1e6 - start.startedUptimeSeconds) * 1000;
      const saidAfterMs = performance.timeOrigin + died.saidAt - Date.parse(start.startedAt);
      times.push(saidAfterMs - killedAfterMs);
    }
  } finally {
    for (let attempt = 0; attempt < 20 && existsSync(folder); attempt += 1)
      try {
        rmdirSync(folder);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
  }
  if (times.length > 0)
    row(
      `from the kill to the first word of the verdict, ${name}`,
      `${median(times).toFixed(0)} ms`,
      'within 300 ms',
      median(times) < 300,
    );
}

try {
  const all = [
    ['everything on', []],
    ['recorder alone', ['--no-agent', '--no-last-look', '--no-python-hook']],
  ];
  for (const [name, options] of all) {
    await cpuBound(name, options);
    if (process.argv.includes('--wall')) continue;
    await atRest(name, options);
    await startUp(name, options);
    await verdict(name, options);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
if (process.argv.includes('--json')) console.log(JSON.stringify(rows, null, 1));
else {
  console.log(
    `| what (medians of ${pairs} interleaved pairs; load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}) | measured | target | |`,
  );
  console.log('| --- | --- | --- | --- |');
  for (const { what, value, target, good } of rows)
    console.log(
      `| ${what} | ${value} | ${target} | ${target === '' ? '' : good ? 'met' : '**missed**'} |`,
    );
}
