// How long coroner takes for one real core of 4 GiB, and what memory: node bench/core.mjs [GIB]
// The core is sparse on disk (the kernel leaves holes for pages that were never touched); a sequential read of it stands beside.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const gibibytes = Number(process.argv[2] ?? 4);
const rounds = 5;

const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
if (pattern.startsWith('|') || pattern.includes('/')) {
  console.log(`skipped: cores of this machine go to ${pattern}`);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), 'coroner-bench-core-'));
try {
  const program = join(folder, 'large_core');
  execFileSync('gcc', ['-O1', '-o', program, join(root, 'test/programs/large_core.c')]);
  spawnSync(
    'sh',
    ['-c', 'ulimit -c unlimited; exec "$@"', 'sh', program, String(gibibytes * 1024)],
    {
      cwd: folder,
      stdio: 'ignore',
      timeout: 120_000,
      killSignal: 'SIGKILL',
    },
  );
  const core = join(folder, readdirSync(folder).find((name) => name.startsWith('core')) ?? 'core');
  const about = statSync(core);
  console.log(`core: ${gib(about.size)} long, ${gib(about.blocks * 512)} on disk`);

  const looks = Array.from({ length: rounds }, () => look(core));
  const ms = median(looks.map((each) => each.ms));
  const peakBytes = Math.max(...looks.map((each) => each.peakBytes));
  console.log(
    `coroner diagnose: ${ms} ms (median of ${rounds}), peak RSS ${Math.round(peakBytes / 2 ** 20)} MiB`,
  );
  console.log(`verdict: ${looks[0].verdict}`);
  const readMs = median(Array.from({ length: 3 }, () => readThrough(core)));
  console.log(
    `reading it from end to end in Node: ${readMs} ms, ${(readMs / ms).toFixed(1)} times as long`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** A fresh process each: start-up counts, as it does for a user. */
function look(core) {
  const script = `process.argv.splice(1, 0, 'coroner');
    process.on('exit', () => process.stderr.write(String(process.resourceUsage().maxRSS)));
    const { main } = await import(${JSON.stringify(join(root, 'dist/cli/main.js'))});
    await main(['diagnose', '--json', '-', ${JSON.stringify(core)}]);`;
  const started = performance.now();
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  const ms = Math.round(performance.now() - started);
  const [incident] = JSON.parse(stdout).incidents;
  return {
    ms,
    peakBytes: Number(stderr) * 1024,
    verdict: `${incident.cause}, ${incident.confidence}, request ${incident.request.bytes} bytes`,
  };
}

function readThrough(path) {
  const buffer = Buffer.allocUnsafe(1 << 20);
  const fd = openSync(path, 'r');
  const started = performance.now();
  while (readSync(fd, buffer) > 0);
  closeSync(fd);
  return Math.round(performance.now() - started);
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function gib(bytes) {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
