// Soak. Two things go on side by side for an hour:
//
// - *long*: ONE `coroner run` over a supervisor whose workers die of their memory every twenty seconds or so and are started again.
//   Whatever coroner keeps of each of them adds up here: this is where its memory, its descriptors and its folder must stay flat.
// - *loop*: a service that dies of its memory about every minute is run again and again, each time under a new `coroner run`: its store
//   must stay within its size, and every death be told.
//
// Memory is compared at like moments: a worker's life has a quiet half and a death with looks and reports, so each round's figure is the
// median of what is seen while that round's worker is between 40 and 70 % of a usual life. One line a round, and a summary at the end:
// the median of each quarter of the hour (without the first three rounds, in which Node warms up).
//
//   node test/deep/soak.mjs [MINUTES = 60]
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));
const minutes = Number(process.argv[2] ?? 60);
const work = mkdtempSync(join(tmpdir(), 'coroner-soak-'));
const until = Date.now() + minutes * 60_000;
/** A v1 or v2 cgroup of our own, in which every other worker of the long run is killed by the kernel; null: not root, no cgroups. */
const cgroup = (() => {
  for (const [parent, limit, swap] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max', 'memory.swap.max'],
  ]) {
    const path = join(parent, `coroner-test-soak-${process.pid}`);
    try {
      mkdirSync(path);
      writeFileSync(join(path, limit), String(150 * 2 ** 20));
      try {
        writeFileSync(join(path, swap), limit === 'memory.max' ? '0' : String(150 * 2 ** 20));
      } catch {
        // no swap accounting: the machine has no swap to go to, or the limit is reached later
      }
      return path;
    } catch {
      if (existsSync(path)) rmdirSync(path);
    }
  }
  return null;
})();

/** Requests come, most of what they take is given back, every KEEPth is kept: dead of its limit after a while. */
const service = `
import random, sys, time
keep = int(sys.argv[1])
cache = {}
def handle(number):
    body = bytes(random.Random(number).randbytes(1000)) * 200
    if number % keep == 0:
        cache[number] = body
    return len(body)
number = 0
while True:
    handle(number)
    number += 1
    time.sleep(0.02)
`;
/** Starts workers until it is told to stop (the file vanishes); writes down when each was born and how it died. */
const supervisor = `
import json, os, subprocess, sys, time
service, log, go, cgroup = sys.argv[1:5]
number = 0
while os.path.exists(go):
    limited = cgroup and number % 2 == 1
    before = 'echo $$ > ' + cgroup + '/cgroup.procs; exec "$@"' if limited else 'ulimit -v 260000; exec "$@"'
    born = time.time()
    worker = subprocess.Popen(['sh', '-c', before, 'sh', sys.executable, '-c', service, '1'], stderr=subprocess.DEVNULL)
    with open(log, 'a') as out:
        out.write(json.dumps({'number': number, 'pid': worker.pid, 'born': born, 'limited': bool(limited)}) + '\\n')
    while worker.poll() is None:
        time.sleep(0.1)
        if not os.path.exists(go):
            worker.terminate()
    with open(log, 'a') as out:
        out.write(json.dumps({'number': number, 'pid': worker.pid, 'seconds': time.time() - born, 'status': worker.returncode}) + '\\n')
    number += 1
`;
const sizeOf = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => {
          try {
            return sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).blocks * 512;
          } catch {
            return sum;
          }
        }, 0)
    : 0;
const mib = (bytes) => Number((bytes / 2 ** 20).toFixed(1));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
/** Resident and proportional memory of a process in bytes, its open descriptors and threads; null once it has ended. */
const look = (pid) => {
  try {
    const kib = (file, key) =>
      Number(
        new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(
          readFileSync(`/proc/${pid}/${file}`, 'utf8'),
        )?.[1] ?? Number.NaN,
      ) * 1024;
    return {
      at: Date.now(),
      rssBytes: kib('status', 'VmRSS'),
      pssBytes: kib('smaps_rollup', 'Pss'),
      privateBytes: kib('smaps_rollup', 'Private_Dirty'),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      threads: readdirSync(`/proc/${pid}/task`).length,
    };
  } catch {
    return null;
  }
};
const watch = (child) => {
  const seen = [];
  const timer = setInterval(() => {
    const one = look(child.pid);
    if (one !== null && Number.isFinite(one.rssBytes)) seen.push(one);
  }, 1000);
  return { seen, stop: () => clearInterval(timer) };
};
const run = (state, words) => {
  const json = join(work, `${state}.json`);
  rmSync(json, { force: true });
  const store = join(work, state);
  const child = spawn(process.execPath, [coroner, 'run', '--quiet', '--json', json, ...words], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, XDG_STATE_HOME: store },
  });
  const ended = new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal));
  });
  const incidents = () =>
    existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')).incidents : [];
  return { child, store, ended, incidents };
};
const toldRightly = (incident) =>
  ['rlimit', 'alloc-failure-exception'].includes(incident?.cause) ||
  incident?.cause === 'kernel-cgroup-oom';

const summary = {};
const long = async () => {
  const log = join(work, 'workers.ndjson');
  const go = join(work, 'go');
  writeFileSync(go, '');
  writeFileSync(log, '');
  const { child, store, ended, incidents } = run('long', [
    'python3',
    '-c',
    supervisor,
    service,
    log,
    go,
    cgroup ?? '',
  ]);
  const { seen, stop } = watch(child);
  const rounds = [];
  const usualSeconds = [];
  const look = setInterval(() => {
    const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
    const parsed = lines.map((line) => JSON.parse(line));
    for (const died of parsed.filter(({ seconds }) => seconds !== undefined)) {
      if (died.number < rounds.length) continue;
      const { born, limited } = parsed.find(
        ({ number, seconds }) => number === died.number && seconds === undefined,
      );
      usualSeconds.push(died.seconds);
      const quiet = seen.filter(
        ({ at }) => at / 1000 > born + 0.4 * died.seconds && at / 1000 < born + 0.7 * died.seconds,
      );
      const round = {
        part: 'long',
        round: died.number,
        seconds: Math.round(died.seconds),
        status: died.status,
        limited,
        rssMiB: mib(median(quiet.map(({ rssBytes }) => rssBytes))),
        pssMiB: mib(median(quiet.map(({ pssBytes }) => pssBytes))),
        dirtyMiB: mib(median(quiet.map(({ privateBytes }) => privateBytes))),
        peakRssMiB: mib(
          Math.max(...seen.filter(({ at }) => at / 1000 > born).map(({ rssBytes }) => rssBytes)),
        ),
        descriptors: median(quiet.map(({ descriptors }) => descriptors)),
        threads: median(quiet.map(({ threads }) => threads)),
        storeMiB: mib(sizeOf(store)),
      };
      rounds.push(round);
      console.log(JSON.stringify(round));
    }
    if (Date.now() > until) rmSync(go, { force: true });
  }, 2000);
  const status = await ended;
  clearInterval(look);
  stop();
  // The worker that was sent away at the end died of no memory.
  const deaths = rounds.filter(({ status: code }) => code !== -15).length;
  const told = incidents().filter(toldRightly);
  const counted = rounds.slice(3, -1);
  const quarter = counted.length / 4;
  /** The median of each quarter of the hour. */
  const quarters = (key) =>
    [0, 1, 2, 3].map((at) =>
      median(
        counted
          .slice(Math.floor(at * quarter), Math.floor((at + 1) * quarter))
          .map((round) => round[key]),
      ),
    );
  summary.long = {
    status,
    deaths,
    told: told.length,
    incidents: incidents().length,
    rssMiB: quarters('rssMiB'),
    pssMiB: quarters('pssMiB'),
    dirtyMiB: quarters('dirtyMiB'),
    descriptors: quarters('descriptors'),
    threads: quarters('threads'),
    storeMiB: quarters('storeMiB'),
  };
};
const loop = async () => {
  const deaths = [];
  for (let round = 0; Date.now() < until; round += 1) {
    const { child, store, ended, incidents } = run('loop', [
      'sh',
      '-c',
      'ulimit -v 260000; exec "$@"',
      'sh',
      'python3',
      '-c',
      service,
      '4',
    ]);
    const { seen, stop } = watch(child);
    const started = Date.now();
    const status = await ended;
    stop();
    const [first] = incidents();
    const death = {
      part: 'loop',
      round,
      seconds: Math.round((Date.now() - started) / 1000),
      status,
      said: first ? `${first.cause}, ${first.confidence}` : 'none',
      told: toldRightly(first),
      rssMiB: mib(
        median(
          seen
            .slice(Math.floor(seen.length * 0.4), Math.ceil(seen.length * 0.7))
            .map(({ rssBytes }) => rssBytes),
        ) ?? 0,
      ),
      peakRssMiB: mib(Math.max(0, ...seen.map(({ rssBytes }) => rssBytes))),
      descriptors: Math.max(0, ...seen.map(({ descriptors }) => descriptors)),
      storeMiB: mib(sizeOf(store)),
    };
    deaths.push(death);
    console.log(JSON.stringify(death));
  }
  const range = (key) => [
    Math.min(...deaths.map((death) => death[key])),
    Math.max(...deaths.map((death) => death[key])),
  ];
  summary.loop = {
    deaths: deaths.length,
    told: deaths.filter(({ told }) => told).length,
    rssMiB: range('rssMiB'),
    peakRssMiB: range('peakRssMiB'),
    descriptors: range('descriptors'),
    storeMiB: deaths.at(-1)?.storeMiB ?? 0,
  };
};
try {
  await Promise.all([long(), loop()]);
} finally {
  if (cgroup !== null) rmdirSync(cgroup);
}
console.log(JSON.stringify(summary, null, 1));
rmSync(work, { recursive: true, force: true });
const flat = (key, slack) => {
  const [, second, , last] = summary.long[key];
  return last <= second * 1.05 + slack;
};
const right =
  summary.long.told === summary.long.deaths &&
  summary.loop.told === summary.loop.deaths &&
  flat('descriptors', 1) &&
  // In its first quarter the C library's heaps find their size, and a collector lets some mebibytes lie about.
  flat('pssMiB', 4) &&
  // Sixty files of the agent's, samples, events and the looks.
  summary.long.storeMiB[3] < 320;
process.exit(right ? 0 : 1);
