// Programs that grow at different rates until the kernel kills them in a cgroup: does the verdict name the variable, and how old is
// the last look? node bench/final-snapshot.mjs [LIMIT_MIB] [RATES...]   (root; about two minutes)
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const [limitMiB = 800, ...given] = process.argv.slice(2).map(Number);
const rates = given.length > 0 ? given : [100, 250, 500, 1000, 2000];
const coroner = fileURLToPath(new URL('../bin/coroner.js', import.meta.url));
const program = fileURLToPath(new URL('../test/programs/heap/grow.py', import.meta.url));
const python = process.env.PYTHON ?? 'python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
/** How grow.py grows, and the variable that holds it. */
const ways = [
  ['buffers', 'blocks'],
  ['small', 'rows'],
  ['thread', 'blocks'],
  ['worker', 'rows'],
  ...(hasNumpy ? [['arrays', 'chunks']] : []),
];

const root = '/sys/fs/cgroup';
const isV1 = existsSync(`${root}/memory/memory.limit_in_bytes`);
const hierarchy = isV1 ? `${root}/memory` : root;
const group = `${hierarchy}/coroner-bench-look-${process.pid}`;
try {
  mkdirSync(group);
  writeFileSync(
    `${group}/${isV1 ? 'memory.limit_in_bytes' : 'memory.max'}`,
    String(limitMiB * 2 ** 20),
  );
} catch (error) {
  console.log(`no cgroup of one's own can be made here: ${error.message}`);
  process.exit(0);
}
for (const file of ['memory.memsw.limit_in_bytes', 'memory.swap.max'])
  if (existsSync(`${group}/${file}`))
    writeFileSync(`${group}/${file}`, file.includes('memsw') ? String(limitMiB * 2 ** 20) : '0');

/** The longest stops of the processes in the group, seen from outside: with more than 2 % of the limit free, and with less. */
function stopsOf() {
  const since = new Map();
  const longestMs = { living: 0, lost: 0 };
  const usage = `${group}/${isV1 ? 'memory.usage_in_bytes' : 'memory.current'}`;
  const timer = setInterval(() => {
    for (const pid of readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
      let state = '';
      try {
        const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
        state = text[text.lastIndexOf(')') + 2];
      } catch {}
      const now = performance.now();
      if (state !== 'T') since.delete(pid);
      else if (!since.has(pid)) {
        const free = 1 - Number(readFileSync(usage, 'utf8')) / (limitMiB * 2 ** 20);
        since.set(pid, { at: now, kind: free > 0.025 ? 'living' : 'lost' });
      } else {
        const { at, kind } = since.get(pid);
        longestMs[kind] = Math.max(longestMs[kind], now - at);
      }
    }
  }, 2);
  return () => {
    clearInterval(timer);
    return longestMs;
  };
}

async function run(how, rate) {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-bench-look-'));
  const json = join(folder, 'report.json');
  const child = spawn(
    process.execPath,
    [coroner, 'run', '-q', '-o', folder, '--json', json].concat(
      ['sh', '-c', `echo $$ > ${group}/cgroup.procs && exec "$@"`, 'enter'],
      [python, program, how, String(rate)],
    ),
    { stdio: 'ignore' },
  );
  const killer = setTimeout(() => child.kill('SIGKILL'), 120_000);
  const stops = stopsOf();
  await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(killer);
  const longestMs = stops();
  let incident;
  try {
    incident = JSON.parse(readFileSync(json, 'utf8')).incidents.find(
      ({ cause }) => cause === 'kernel-cgroup-oom',
    );
  } catch {}
  const looks = readdirSync(folder).flatMap((id) =>
    existsSync(join(folder, id, 'looks')) ? readdirSync(join(folder, id, 'looks')) : [],
  );
  rmSync(folder, { recursive: true, force: true });
  for (let i = 0; i < 100 && readFileSync(`${group}/cgroup.procs`, 'utf8') !== ''; i++)
    await sleep(20);
  return { incident, longestMs, looks: looks.length };
}

const row = (...cells) =>
  console.log(cells.map((cell, i) => String(cell).padEnd([10, 8, 10, 16, 12, 10, 14][i])).join(''));
row('grows by', 'MB/s', 'verdict', 'first holder', 'bytes seen', 'age ms', 'longest stop');
const results = [];
for (const [how, variable] of ways)
  for (const rate of rates) {
    const { incident, longestMs } = await run(how, rate);
    const holder = incident?.memory.holders?.[0];
    const ageMs = incident?.memory.ageAtDeathMs ?? null;
    const isNamed = holder?.name === variable;
    results.push({ rate, isNamed, ageMs, longestMs });
    row(
      how,
      rate,
      incident === undefined ? 'none' : 'killed',
      holder === undefined ? '-' : `${holder.name}${isNamed ? '' : ' (wrong)'}`,
      holder === undefined ? '-' : `${Math.round(holder.retainedBytes / 2 ** 20)} MiB`,
      ageMs ?? '-',
      `${Math.round(longestMs.living)} / ${Math.round(longestMs.lost)} ms`,
    );
  }
rmdirSync(group);
const named = results.filter(({ isNamed }) => isNamed).length;
const upTo500 = results
  .filter(({ rate, ageMs }) => rate <= 500 && ageMs !== null)
  .map(({ ageMs }) => ageMs)
  .sort((a, b) => a - b);
const all = results.flatMap(({ ageMs }) => (ageMs === null ? [] : [ageMs])).sort((a, b) => a - b);
const median = (list) => (list.length === 0 ? '-' : `${list[list.length >> 1]} ms`);
console.log(`\nnamed: ${named} of ${results.length} (target: all)`);
console.log(
  `median age up to 500 MB/s: ${median(upTo500)} (target: under 1000 ms); at all rates: ${median(all)}`,
);
console.log(
  ['living', 'lost']
    .map((kind) => {
      const ms = Math.round(Math.max(...results.map(({ longestMs }) => longestMs[kind])));
      return kind === 'living'
        ? `longest stop: ${ms} ms (bound: 500 ms and what the machine takes to wake a process)`
        : `longest stop in the last 2 % of the limit: ${ms} ms (bound: the same)`;
    })
    .join('\n'),
);
