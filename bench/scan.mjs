// Speed of `coroner diagnose` on big logs, beside `grep -c 'Killed process'` and a plain line-by-line read in Node.
//   node bench/scan.mjs            2 GiB with 50 incidents, a quarter of it, 1 MiB, one line of 1 GiB
//   SCAN_MIB=256 node bench/scan.mjs    smaller
// Files are generated in a temporary folder and deleted. Ratios within one run mean more than figures of two runs.
import { spawn } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const report = readFileSync(join(root, 'fixtures/kernel-log/memcg-v1-python/input.log'), 'utf8');
const words =
  'session opened for user root by uid audit type pid comm exe terminal success res unit started finished reached target network cron daemon usb device new high speed ethernet link state dhcp lease renew address smtpd connect from client disconnect GET index html HTTP 200 Accepted publickey port'.split(
    ' ',
  );
const programs = ['systemd', 'sshd', 'CRON', 'nginx', 'dockerd', 'postfix/smtpd', 'kernel'];

let state = 12345;
const random = (n) => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return state % n;
};
const stamp = (n) =>
  `Jan ${String(1 + (n % 28)).padStart(2)} ${String(n % 24).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}:${String((n * 7) % 60).padStart(2, '0')} web01`;
function line() {
  let text = `${stamp(random(100000))} ${programs[random(programs.length)]}[${random(90000)}]:`;
  for (let count = 6 + random(10); count > 0; count -= 1) text += ` ${words[random(words.length)]}`;
  return `${text}\n`;
}

/** Ordinary lines come from a block of 16 MiB that repeats: making every line anew would take longer than all tests. */
function generate(path, bytes, incidents) {
  let block = '';
  while (block.length < Math.min(bytes, 16 << 20)) block += line();
  const buffer = Buffer.from(block);
  const fd = openSync(path, 'w');
  let written = 0;
  for (let incident = 0; incident < incidents; incident += 1) {
    const until = Math.floor((bytes / incidents) * (incident + 0.5));
    while (written < until)
      written += writeSync(fd, buffer, 0, Math.min(buffer.length, until - written));
    const own = report
      .replaceAll('19534', String(20000 + incident))
      .replace(/^/gm, `${stamp(incident)} kernel: `);
    written += writeSync(fd, `\n${own.trimEnd()}\n`);
  }
  while (written < bytes)
    written += writeSync(fd, buffer, 0, Math.min(buffer.length, bytes - written));
  closeSync(fd);
}

/** Seconds of processor time that ended children took, user and system (proc(5): cutime, cstime in ticks of 10 ms). */
function childrenSeconds() {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Processor time (a busy machine stretches the wall time alone), wall time, and the peak of RSS while the command runs. */
function measure(command, args) {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const before = childrenSeconds();
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    let peak = 0;
    const look = () => {
      try {
        peak = Math.max(
          peak,
          Number(
            /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0,
          ),
        );
      } catch {}
    };
    const timer = setInterval(look, 5);
    child.on('error', reject);
    child.on('close', () => {
      clearInterval(timer);
      resolve({
        seconds: Number(process.hrtime.bigint() - started) / 1e9,
        cpuSeconds: childrenSeconds() - before,
        peakMib: peak / 1024,
        output,
      });
    });
  });
}
const median = async (times, run) => {
  const all = [];
  for (let time = 0; time < times; time += 1) all.push(await run());
  return all.sort((a, b) => a.cpuSeconds - b.cpuSeconds)[Math.floor(times / 2)];
};

const lineLoop = `import { createReadStream } from 'node:fs'; import { createInterface } from 'node:readline';
let n = 0; for await (const line of createInterface({ input: createReadStream(process.argv[1]) })) if (line.includes('Killed process')) n += 1; console.log(n);`;
const diagnose = (file) =>
  measure(process.execPath, [join(root, 'bin/coroner.js'), 'diagnose', file, '--json']);
const incidentsIn = ({ output }) => JSON.parse(output).incidents.length;

const folder = mkdtempSync(join(tmpdir(), 'coroner-bench-'));
const rows = [];
const row = (what, bytes, { seconds, cpuSeconds, peakMib }, note = '') =>
  rows.push({
    what,
    MiB: Math.round(bytes / 2 ** 20),
    seconds: seconds.toFixed(2),
    'cpu s': cpuSeconds.toFixed(2),
    'MB/s a core': Math.round(bytes / 1e6 / cpuSeconds),
    'peak MiB': Math.round(peakMib),
    note,
  });
try {
  const mib = Number(process.env.SCAN_MIB ?? 2048);
  const big = join(folder, 'syslog');
  generate(big, mib * 2 ** 20, 50);
  const { size } = statSync(big);
  // Once for nothing: the file comes from the page cache for all alike.
  await measure('grep', ['-c', 'Killed process', big]);
  const pairs = [];
  for (let time = 0; time < 3; time += 1)
    pairs.push([await measure('grep', ['-c', 'Killed process', big]), await diagnose(big)]);
  const middle = (which) =>
    pairs.map((pair) => pair[which]).sort((a, b) => a.cpuSeconds - b.cpuSeconds)[1];
  const grep = middle(0);
  row("grep -c 'Killed process'", size, grep);
  const ours = middle(1);
  row(
    'coroner diagnose',
    size,
    ours,
    `${incidentsIn(ours)} incidents, ${(ours.cpuSeconds / grep.cpuSeconds).toFixed(1)} times grep`,
  );
  const loop = await measure(process.execPath, ['--input-type=module', '-e', lineLoop, big]);
  row(
    'line-by-line read in Node',
    size,
    loop,
    `${(loop.cpuSeconds / ours.cpuSeconds).toFixed(1)} times coroner`,
  );
  rmSync(big);

  const quarter = join(folder, 'quarter');
  generate(quarter, (mib * 2 ** 20) / 4, 50);
  row(
    'coroner diagnose, a quarter',
    statSync(quarter).size,
    await median(3, () => diagnose(quarter)),
  );
  rmSync(quarter);

  const small = join(folder, 'small');
  generate(small, 2 ** 20, 1);
  const start = await median(5, () => measure(process.execPath, ['-e', '0']));
  const one = await median(5, () => diagnose(small));
  row(
    'coroner diagnose, 1 MiB',
    2 ** 20,
    one,
    `${Math.round(one.seconds * 1000)} ms, ${Math.round(one.cpuSeconds * 1000)} ms of a core; Node's start ${Math.round(start.seconds * 1000)} and ${Math.round(start.cpuSeconds * 1000)} ms`,
  );

  const wide = join(folder, 'wide');
  const fd = openSync(wide, 'w');
  const filler = Buffer.alloc(16 << 20, 'x');
  for (let part = 0; part < mib / 32; part += 1) writeSync(fd, filler);
  writeSync(
    fd,
    ' Out of memory: Killed process 7 (python3) total-vm:1kB, anon-rss:1kB, file-rss:0kB ',
  );
  writeSync(fd, filler);
  closeSync(fd);
  row('coroner diagnose, one single line', statSync(wide).size, await diagnose(wide));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.table(rows);
console.log(`load average while it ran: ${loadavg()[0].toFixed(1)} on ${cpus().length} processors`);
