// Incident folders as a hostile or broken disk gives them back: lines and fields of any JSON, files that are folders, links, FIFOs,
// devices, cut or flipped. None may throw (contained faults count), take longer than two seconds, or claim more than the folder as it was.
//   CORONER_FOLDERS        how many (default: 100,000)
//   CORONER_FUZZ_SECONDS   for how long at most (default: 600); the number that fitted in is printed
//   CORONER_FUZZ_SEED      where to start (default: 1); a failure names its seed
//   CORONER_FUZZ_FIFOS     0: without FIFOs
//   CORONER_FUZZ_KEEP      1: goes on after a failure and counts the different ones
// A program of its own, started by fuzz-folders.test.ts: a FIFO that somebody waits for cannot be interrupted from inside.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { hearFaults } from '../../src/model/faults.ts';
import { random } from '../fixtures.ts';
import {
  baseFolders,
  certainty,
  put,
  readBack,
  renderAll,
  renderStored,
  write,
  type BaseFolder,
} from '../folders.ts';
import { pick, spoilField, spoilFile, spoilLine, type Spoilt } from '../spoil.ts';

const wanted = Number(process.env['CORONER_FOLDERS'] ?? 100_000);
const seconds = Number(process.env['CORONER_FUZZ_SECONDS'] ?? 600);
const firstSeed = Number(process.env['CORONER_FUZZ_SEED'] ?? 1);
const withFifos = process.env['CORONER_FUZZ_FIFOS'] !== '0';
const goOn = process.env['CORONER_FUZZ_KEEP'] === '1';
const slowMs = 2000;
const hangMs = 60_000;

hearFaults((_fault, error) => {
  throw error;
});

/** Whoever waits in a system call can say nothing: another thread says which seed it was. */
const beat = new Float64Array(new SharedArrayBuffer(16));
const watchdog = new Worker(
  `const { workerData: [buffer, hangMs] } = require('node:worker_threads');
   const beat = new Float64Array(buffer);
   setInterval(() => {
     if (beat[1] === 0 || Date.now() - beat[1] < hangMs) return;
     require('node:fs').writeSync(2, 'seed ' + beat[0] + ' hangs\\n');
     process.kill(process.pid, 'SIGKILL');
   }, 1000);`,
  { eval: true, workerData: [beat.buffer, hangMs] },
);
watchdog.unref();

const cpuMs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
};

const parent = mkdtempSync(join(tmpdir(), 'coroner-fuzz-folders-'));
process.on('exit', () => rmSync(parent, { recursive: true, force: true }));
interface Prepared {
  readonly base: BaseFolder;
  readonly folder: string;
  readonly paths: readonly string[];
  /** How sure the verdict on the whole folder is. */
  readonly rank: number;
}
const prepared = baseFolders().map((base): Prepared => {
  const folder = join(parent, base.name);
  write(folder, base.files);
  const read = readBack(folder);
  if (read === null) throw new Error(`${base.name} is no incident folder`);
  return { base, folder, paths: Object.keys(base.files), rank: certainty(read.report) };
});

const failures = new Map<string, number>();
function fail(key: string, about: string, cause?: unknown): void {
  const known = failures.get(key);
  failures.set(key, (known ?? 0) + 1);
  if (known === undefined)
    process.stderr.write(
      `${about}: ${cause instanceof Error ? (cause.stack ?? cause.message) : key}\n`,
    );
  if (!goOn) process.exit(1);
}

function spoil(bytes: Buffer, path: string, next: () => number): Spoilt {
  const how = next();
  if (how < 0.2) return spoilFile(bytes, next, withFifos);
  return path.endsWith('json') && how < 0.75 ? spoilField(bytes, next) : spoilLine(bytes, next);
}

/** What takes most of the time, and has seldom to do with what was spoilt. */
const renderedOneIn = 8;

function judged(
  { base, folder, rank }: Prepared,
  garbage: boolean,
  rendered: boolean,
  about: string,
): void {
  try {
    const read = readBack(folder);
    if (rendered) renderStored(folder);
    if (read === null) return;
    if (rendered) renderAll(read);
    const now = certainty(read.report);
    if (garbage && now > rank) fail(`raised in ${base.name}: ${rank} to ${now}`, about);
    if (base.innocent && now === 4) fail(`certain in ${base.name}`, about);
  } catch (error) {
    const [first = '', ...stack] = String(error instanceof Error ? error.stack : error).split('\n');
    fail(`${first} ${stack[0]?.trim() ?? ''}`, about, error);
  }
}

const deadline = Date.now() + seconds * 1000;
let folders = 0;
let slowest = { ms: 0, seed: 0 };
for (; folders < wanted && Date.now() < deadline; folders += 1) {
  const seed = firstSeed + folders;
  const next = random(seed);
  const one = pick(prepared, next);
  const { base, folder, paths } = one;
  const spoilt = new Map<string, Spoilt>();
  for (let count = 1 + Math.floor(next() * 3); count > 0; count -= 1) {
    const path = pick(paths, next);
    spoilt.set(path, spoil(base.files[path] as Buffer, path, next));
  }
  const about = `seed ${seed} (${base.name}: ${[...spoilt].map(([path, { how }]) => `${path}: ${how}`).join('; ')})`;
  for (const [path, { entry }] of spoilt) put(folder, path, entry);
  beat[0] = seed;
  beat[1] = Date.now();
  const garbage = [...spoilt.values()].every((spoil) => spoil.garbage);
  const started = process.cpuUsage();
  judged(one, garbage, seed % renderedOneIn === 0, about);
  const ms = cpuMs(started);
  if (ms > slowest.ms) slowest = { ms, seed };
  // What was slow once may only have met the collector or the compiler: it must be slow again.
  if (ms > slowMs) {
    const again = process.cpuUsage();
    judged(one, garbage, seed % renderedOneIn === 0, about);
    if (cpuMs(again) > slowMs) fail('slow', about);
  }
  for (const path of spoilt.keys())
    put(folder, path, { kind: 'bytes', bytes: base.files[path] as Buffer });
}
beat[1] = 0;
for (const [key, count] of failures) process.stderr.write(`${count} times: ${key}\n`);
console.log(
  `fuzz: ${folders} of ${wanted} folders${withFifos ? ' with FIFOs' : ''}, the slowest ${Math.round(slowest.ms)} ms of CPU (seed ${slowest.seed})`,
);
process.exit(failures.size > 0 ? 1 : 0);
