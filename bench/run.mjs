// npm run bench: what recording costs, everything switched on as it is by default: recorder, agent, last look, Python hook.
//
//   npm run bench -- [--pairs N] [--python PATH] [w1 w6 ...]
//
// CPU seconds (user and system) of the whole run, coroner's own included, as the median of interleaved pairs, bare beside recorded; the
// geometric mean over the workloads at the end. Then bench/overhead.mjs: start-up, resting cost, time to the verdict. Other figures have
// programs of their own: bench/agent.mjs, heap.mjs, stacks.mjs, core.mjs, scan.mjs, growth.mjs, page.mjs, processes.mjs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Node reads these at each start (some 30 ms): a cost of the machine's setting, not of recording.
delete process.env.NODE_EXTRA_CA_CERTS;
const here = fileURLToPath(new URL('./', import.meta.url));
const args = process.argv.slice(2);
const take = (name) => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args.splice(at, 2)[1];
};
const pairs = Number(take('--pairs') ?? 5);
const python = take('--python') ?? 'python3';
// About ten seconds each, as in bench/overhead.mjs: coroner's own start costs a tenth of a second, however long the run.
const sizes = {
  w1: '75',
  w2: '100',
  w3: '45',
  w4: '22',
  w5: '75',
  w6: '2300000',
  w7: '22',
  w8: '48',
};

const work = mkdtempSync(join(tmpdir(), 'coroner-bench-'));
const meter = `
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, usage.ru_utime + usage.ru_stime)`;
const cpuSeconds = (command) => {
  const { stdout } = spawnSync(python, ['-c', meter, ...command], { encoding: 'utf8' });
  const [status, seconds] = (stdout ?? '').trim().split(' ').map(Number);
  return status === 0 ? seconds : null;
};
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const recorded = (command) => [
  process.execPath,
  join(here, '../bin/coroner.js'),
  'run',
  '--output',
  join(work, 'store'),
  ...command,
];

const ratios = [];
console.log('| workload | bare, CPU s | recorded, CPU s | ratio | bare against bare |');
console.log('| --- | --- | --- | --- | --- |');
for (const file of readdirSync(join(here, 'workloads')).sort()) {
  const id = file.slice(0, 2);
  if (!sizes[id] || !file.endsWith('.py') || (args.length > 0 && !args.includes(id))) continue;
  const command = [python, join(here, 'workloads', file), sizes[id]];
  if (cpuSeconds(command) === null) {
    console.log(`| ${file} | | | not run: it needs what ${python} lacks | |`);
    continue;
  }
  const bare = [];
  const again = [];
  const watched = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    bare.push(cpuSeconds(command));
    watched.push(cpuSeconds(recorded(command)));
    again.push(cpuSeconds(command));
  }
  if (watched.includes(null)) {
    console.log(`| ${file} | | | it failed under coroner run | |`);
    process.exitCode = 1;
    continue;
  }
  const ratio = median(
    watched.map((seconds, index) => seconds / ((bare[index] + again[index]) / 2)),
  );
  const noise = median(again.map((seconds, index) => seconds / bare[index]));
  ratios.push(ratio);
  console.log(
    `| ${file} | ${median(bare).toFixed(2)} | ${median(watched).toFixed(2)} | ${ratio.toFixed(3)} | ${noise.toFixed(3)} |`,
  );
}
rmSync(work, { recursive: true, force: true });
if (ratios.length > 0) {
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  console.log(`\nGeometric mean over ${ratios.length} workloads: ${mean.toFixed(3)}`);
}
if (args.length === 0)
  spawnSync(process.execPath, [join(here, 'overhead.mjs')], { stdio: 'inherit' });
