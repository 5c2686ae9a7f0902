// Soak: a service-like Python program that dies of its memory about every minute is run again and again under `coroner run`.
// Writes one line a death: what was said, coroner's own peak memory and descriptors, size of the store; and ends with a summary.
//
//   node test/deep/soak.mjs [MINUTES = 60]
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const minutes = Number(process.argv[2] ?? 60);
const work = mkdtempSync(join(tmpdir(), 'coroner-soak-'));
const store = join(work, 'state');
const until = Date.now() + minutes * 60_000;

/** Requests come, most of what they take is given back, a little is kept: dead of its address space after about a minute. */
const service = `
import random, time
cache = {}
def handle(number):
    body = bytes(random.Random(number).randbytes(1000)) * 200
    if number % 4 == 0:
        cache[number] = body
    return len(body)
number = 0
while True:
    handle(number)
    number += 1
    time.sleep(0.02)
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
const deaths = [];
for (let round = 1; Date.now() < until; round += 1) {
  const json = join(work, 'report.json');
  rmSync(json, { force: true });
  const seen = { rssBytes: [], descriptors: [] };
  const child = spawn(
    process.execPath,
    [
      join(root, 'bin/coroner.js'),
      'run',
      '--quiet',
      '--json',
      json,
      'sh',
      '-c',
      'ulimit -v 260000; exec "$@"',
      'sh',
      'python3',
      '-c',
      service,
    ],
    { stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, XDG_STATE_HOME: store } },
  );
  const look = setInterval(() => {
    try {
      const rss = /^VmRSS:\s+(\d+) kB/m.exec(
        readFileSync(`/proc/${child.pid}/status`, 'utf8'),
      )?.[1];
      if (rss !== undefined) seen.rssBytes.push(Number(rss) * 1024);
      seen.descriptors.push(readdirSync(`/proc/${child.pid}/fd`).length);
    } catch {
      // ended
    }
  }, 1000);
  const started = Date.now();
  const status = await new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal));
  });
  clearInterval(look);
  const report = existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')) : { incidents: [] };
  const [first] = report.incidents;
  const late = (values) => values.slice(Math.floor(values.length / 2));
  const death = {
    round,
    seconds: Math.round((Date.now() - started) / 1000),
    status,
    said: first ? `${first.cause}, ${first.confidence}` : 'none',
    line: first?.stack?.find(({ function: name }) => name === 'handle')?.function ?? null,
    rssMiB: Math.round(Math.max(0, ...late(seen.rssBytes)) / 2 ** 20),
    descriptors: Math.max(0, ...late(seen.descriptors)),
    storeMiB: Number((sizeOf(store) / 2 ** 20).toFixed(1)),
  };
  deaths.push(death);
  console.log(JSON.stringify(death));
}
const told = deaths.filter(
  ({ said }) => said.startsWith('rlimit') || said.startsWith('alloc-failure'),
);
const range = (key) =>
  `${Math.min(...deaths.map((death) => death[key]))} to ${Math.max(...deaths.map((death) => death[key]))}`;
console.log(
  `${deaths.length} deaths, ${told.length} told rightly; coroner's own memory ${range('rssMiB')} MiB, descriptors ${range('descriptors')}, store ${deaths.at(-1)?.storeMiB} MiB`,
);
rmSync(work, { recursive: true, force: true });
process.exit(told.length === deaths.length ? 0 : 1);
