// What `coroner run` costs a Python that fills a cgroup with small objects until the kernel kills it: wall time and CPU (command and
// coroner together), bare, under run, and under run without the last look, in turn; and for how long the command was stopped.
// At the limit the kernel may look for pages for seconds before it kills, with or without coroner: "full s" is when it was first reached.
// node bench/near-limit.mjs [ROUNDS] [LIMIT_MIB] [KINDS...]   (root; some minutes). INSIDE=1: also with coroner within the limit.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const [rounds = '3', limitMiB = '600', ...given] = process.argv.slice(2);
/** What holds the memory in near_limit.py. */
const variables = {
  lists: 'index',
  groups: 'index',
  dicts: 'rows',
  strings: 'names',
  classes: 'items',
};
const kinds = given.length > 0 ? given : Object.keys(variables);
const limitBytes = Number(limitMiB) * 2 ** 20;
const coroner = fileURLToPath(new URL('../bin/coroner', import.meta.url));
const program = fileURLToPath(new URL('workloads/near_limit.py', import.meta.url));
const python = process.env.PYTHON ?? 'python3';
const modes = {
  bare: null,
  run: [],
  'no last look': ['--no-last-look'],
  // As in a container.
  ...(process.env.INSIDE && {
    'run, inside': ['--inside'],
    'none, inside': ['--inside', '--no-last-look'],
  }),
};

const root = '/sys/fs/cgroup';
const isV1 = existsSync(`${root}/memory/memory.limit_in_bytes`);
const group = `${isV1 ? `${root}/memory` : root}/coroner-bench-near-${process.pid}`;
try {
  mkdirSync(group);
  writeFileSync(`${group}/${isV1 ? 'memory.limit_in_bytes' : 'memory.max'}`, String(limitBytes));
} catch (error) {
  console.log(`no cgroup of one's own can be made here: ${error.message}`);
  process.exit(0);
}
for (const file of ['memory.memsw.limit_in_bytes', 'memory.swap.max'])
  if (existsSync(`${group}/${file}`))
    writeFileSync(`${group}/${file}`, file.includes('memsw') ? String(limitBytes) : '0');

/** Counts the CPU of everything that is started: what a killed process took is not told by wait() to its ancestors. null: no such group. */
const cpuGroup = (() => {
  const folder = isV1 ? `${root}/cpuacct/coroner-bench-near-${process.pid}` : `${group}-cpu`;
  try {
    mkdirSync(folder);
    return folder;
  } catch {
    return null;
  }
})();
function cpuSeconds() {
  if (cpuGroup === null) return NaN;
  if (isV1) return Number(readFileSync(`${cpuGroup}/cpuacct.usage`, 'utf8')) / 1e9;
  // On v2 the command is in the group with the limit.
  return [cpuGroup, group]
    .map((folder) => /usage_usec (\d+)/.exec(readFileSync(`${folder}/cpu.stat`, 'utf8'))[1])
    .reduce((sum, us) => sum + Number(us) / 1e6, 0);
}

const usage = `${group}/${isV1 ? 'memory.usage_in_bytes' : 'memory.current'}`;
/** For how long processes of the group were seen to stand still, and when the limit was reached. */
function watchGroup() {
  const begun = performance.now();
  const since = new Map();
  let full = NaN;
  const stops = [];
  const look = setInterval(() => {
    const stopped = new Set();
    for (const pid of readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
      let text = '';
      try {
        text = readFileSync(`/proc/${pid}/stat`, 'latin1');
      } catch {}
      if (text[text.lastIndexOf(')') + 2] === 'T') stopped.add(pid);
    }
    const now = performance.now();
    if (Number.isNaN(full) && Number(readFileSync(usage, 'utf8')) > limitBytes - 2 ** 20)
      full = (now - begun) / 1000;
    for (const pid of stopped) if (!since.has(pid)) since.set(pid, now);
    for (const [pid, at] of since)
      if (!stopped.has(pid)) {
        stops.push(now - at);
        since.delete(pid);
      }
  }, 3);
  return () => {
    clearInterval(look);
    return { stops, full };
  };
}

async function measure(kind, options) {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-bench-near-'));
  const json = join(folder, 'report.json');
  const enter = ['sh', '-c', `echo $$ > ${group}/cgroup.procs && exec "$@"`, 'enter'];
  const isInside = options?.includes('--inside') === true;
  const own = (options ?? []).filter((option) => option !== '--inside');
  const under = [coroner, 'run', '-q', ...own, '-o', folder, '--json', json];
  const run = [python, program, kind];
  const command =
    options === null
      ? [...enter, ...run]
      : isInside
        ? [...enter, ...under, ...run]
        : [...under, ...enter, ...run];
  const seen = watchGroup();
  const counted = cpuGroup === null ? 'exec "$@"' : `echo $$ > ${cpuGroup}/cgroup.procs; exec "$@"`;
  const cpuBefore = cpuSeconds();
  const begun = performance.now();
  const child = spawn(
    'timeout',
    ['-s', 'KILL', '120', 'sh', '-c', counted, 'counted', ...command],
    { stdio: 'ignore' },
  );
  await new Promise((resolve) => child.once('exit', resolve));
  const wall = (performance.now() - begun) / 1000;
  const cpu = cpuSeconds() - cpuBefore;
  const { stops, full } = seen();
  let holder = null;
  let looks = [];
  try {
    if (options !== null) {
      const { incidents } = JSON.parse(readFileSync(json, 'utf8'));
      holder = incidents[0]?.memory.holders?.[0]?.name ?? null;
      looks = readdirSync(folder, { recursive: true })
        .filter((name) => /looks\/.*\.json$/.test(name))
        .toSorted()
        .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
    }
  } catch {}
  rmSync(folder, { recursive: true, force: true });
  for (let i = 0; i < 100 && readFileSync(`${group}/cgroup.procs`, 'utf8') !== ''; i++)
    await sleep(20);
  return { wall, full, cpu, stops, holder, looks };
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const row = (...cells) =>
  console.log(cells.map((cell, i) => String(cell).padEnd([9, 14, 9, 9, 8, 7, 12, 13][i])).join(''));
row(
  'kind',
  'mode',
  'wall s',
  'CPU s',
  'stops',
  'stopped ms',
  'longest ms',
  'named, told by the looks',
);
for (const kind of kinds) {
  const results = Object.fromEntries(Object.keys(modes).map((mode) => [mode, []]));
  for (let i = 0; i < Number(rounds); i++)
    for (const [mode, options] of Object.entries(modes))
      results[mode].push(await measure(kind, options));
  for (const [mode, list] of Object.entries(results)) {
    const of = (value) => median(list.map(value));
    const named = list.filter(({ holder }) => holder === variables[kind]).length;
    const told = list.map(({ looks }) => looks.at(-1)?.stops).filter(Boolean);
    row(
      kind,
      mode,
      of(({ wall }) => wall).toFixed(2),
      of(({ full }) => full).toFixed(2),
      of(({ cpu }) => cpu).toFixed(2),
      of(({ stops }) => stops.length),
      Math.round(of(({ stops }) => stops.reduce((sum, ms) => sum + ms, 0))),
      Math.round(of(({ stops }) => Math.max(0, ...stops))),
      mode.startsWith('run')
        ? `${named} of ${list.length}${told.map(({ count, sumMs, longestMs }) => `; ${count}: ${sumMs}/${longestMs}`).join('')}`
        : '',
    );
  }
}
for (const folder of [group, cpuGroup]) if (folder !== null) rmdirSync(folder);
