// Census of a large heap from outside, beside gc + sys.getsizeof inside the process: node bench/heap.mjs [MILLIONS]
// Two minutes on two idle cores for 10 million objects (2 GiB of memory). PYTHON chooses the interpreter; with numpy, 4 GiB of arrays too.
// Wall times depend on what else the machine does; CPU seconds hardly.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const millions = Number(process.argv[2] ?? 10);
const look = fileURLToPath(new URL('heap-snapshot.mjs', import.meta.url));

const heapProgram = `
import gc, random, resource, sys, time
gc.disable()
rows = [{'id': n * 1000003, 'value': n * 0.5, 'text': 'x%d' % n} for n in range(${Math.round(millions * 250_000)})]
if sys.argv[1] == 'shuffled': random.shuffle(rows)
gc.enable()
print('ready', flush=True)
sys.stdin.readline()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begun = time.perf_counter()
seen, waiting, count, total = set(), [rows], 0, 0
while waiting:
    item = waiting.pop()
    if id(item) in seen: continue
    seen.add(id(item)); count += 1; total += sys.getsizeof(item)
    waiting.extend(gc.get_referents(item))
print(count, time.perf_counter() - begun, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, flush=True)
`;
const arraysProgram = `
import sys
import numpy
arrays = [numpy.zeros(8388608) for _ in range(64)]
print('ready', flush=True)
sys.stdin.readline()
`;

const python = process.env.PYTHON ?? 'python3';

async function target(program, ...args) {
  const child = spawn(python, ['-c', program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}
/** What a stream says up to the end of a line. */
async function text(stream) {
  let said = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    said += chunk;
    if (said.includes('\n')) break;
  }
  return said;
}
const measure = (pid, what) => {
  const { stdout, stderr } = spawnSync(process.execPath, [look, String(pid), what], {
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
};
const row = (...cells) =>
  console.log(cells.map((cell, i) => String(cell).padEnd([34, 12, 10, 10, 14, 12][i])).join(''));

const verdict = (isMet) => (isMet ? 'met' : 'missed');
const targets = [];

row('', 'objects', 'wall s', 'CPU s', 'M/s of CPU', 'MiB');
for (const order of ['ordered', 'shuffled']) {
  const child = await target(heapProgram, order);
  const { objects, censusMs, cpuMs, maxRssMiB } = measure(child.pid, 'census');
  row(
    `coroner, ${order}`,
    objects,
    (censusMs / 1000).toFixed(1),
    (cpuMs / 1000).toFixed(1),
    (objects / cpuMs / 1000).toFixed(2),
    maxRssMiB.toFixed(0),
  );
  targets.push(
    `${order}: ${(objects / censusMs / 1000).toFixed(2)} million objects a second (target: 1.7): ${verdict(objects / censusMs >= 1700)}`,
    `${order}: ${maxRssMiB.toFixed(0)} MiB at most for ${(objects / 1e6).toFixed(0)} million objects (target: 300 MB for 10 million): ${verdict(maxRssMiB * 1.048576 <= 300)}`,
  );
  const holders = measure(child.pid, 'holders');
  row(
    `  with dominators (${holders.first})`,
    holders.objects,
    ((holders.censusMs + holders.holdersMs) / 1000).toFixed(1),
    (holders.cpuMs / 1000).toFixed(1),
    '',
    holders.maxRssMiB.toFixed(0),
  );
  if (order === 'ordered') {
    child.stdin.write('\n');
    const line = await text(child.stdout);
    const [count, seconds, mib] = String(line).split(' ').map(Number);
    row('gc + sys.getsizeof inside', count, seconds.toFixed(1), '', '', `+${mib.toFixed(0)}`);
  }
  child.kill('SIGKILL');
}
row('throw-away prototype, 10 million', '10000000', '5.7', '', '', '294');
if (spawnSync(python, ['-c', 'import numpy']).status === 0) {
  const arrays = await target(arraysProgram);
  const { objects, censusMs, cpuMs, maxRssMiB } = measure(arrays.pid, 'census');
  row(
    '4 GiB of numpy arrays (untouched)',
    objects,
    (censusMs / 1000).toFixed(2),
    (cpuMs / 1000).toFixed(2),
    '',
    maxRssMiB.toFixed(0),
  );
  targets.push(
    `4 GiB of numpy arrays: ${(censusMs / 1000).toFixed(2)} s (target: under 1 s): ${verdict(censusMs < 1000)}`,
  );
  arrays.kill('SIGKILL');
} else console.log('4 GiB of numpy arrays: this Python has no numpy (PYTHON=...)');
console.log(`\n${targets.join('\n')}`);
