// How long a process stands still for its stacks: node bench/stacks.mjs. py-spy beside it, where it is there. Half a minute.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const rounds = 9;
const targetMs = 60;
const look = fileURLToPath(new URL('heap-snapshot.mjs', import.meta.url));
const coroner = fileURLToPath(new URL('../bin/coroner.js', import.meta.url));
const program = `
import threading, time
def wait(n): return time.sleep(1000) if n == 0 else wait(n - 1)
for _ in range(20): threading.Thread(target=wait, args=(30,), daemon=True).start()
print('ready', flush=True)
wait(100)
`;
const child = spawn(process.env.PYTHON ?? 'python3', ['-c', program], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
await once(child.stdout, 'data');
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const range = (values) =>
  `median ${median(values).toFixed(0)} ms, least ${values[0].toFixed(0)} ms`;

/** Runs a command and measures from outside how long the target was stopped meanwhile. */
async function stopDuring(file, args) {
  const run = spawn(file, args, { stdio: 'ignore' });
  const end = { isThere: false };
  for (const event of ['error', 'exit']) run.once(event, () => (end.isThere = true));
  let since = null;
  let longest = 0;
  while (!end.isThere) {
    const text = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
    const now = performance.now();
    if ('Tt'.includes(text[text.lastIndexOf(')') + 2]))
      longest = Math.max(longest, now - (since ??= now));
    else since = null;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return longest;
}

const own = [];
for (let i = 0; i < rounds; i++) {
  const { stdout } = spawnSync(process.execPath, [look, String(child.pid), 'stacks'], {
    encoding: 'utf8',
  });
  own.push(JSON.parse(stdout).stacksMs);
}
const stops = [];
for (let i = 0; i < rounds; i++)
  stops.push(
    await stopDuring(process.execPath, [
      coroner,
      'inspect',
      '--stacks',
      '--json',
      '/dev/null',
      String(child.pid),
    ]),
  );
console.log('21 threads, 782 calls, each look from a fresh process');
console.log(`coroner, reading:                      ${range(own)}`);
console.log(
  `coroner inspect --stacks, stop:        ${range(stops)}  (target: under ${targetMs} ms)`,
);
const other = [];
for (let i = 0; i < rounds; i++) {
  if (spawnSync('py-spy', ['--version'], { stdio: 'ignore' }).status !== 0) break;
  other.push(await stopDuring('py-spy', ['dump', '--pid', String(child.pid)]));
}
console.log(
  other.length === 0
    ? 'py-spy: not here'
    : `py-spy dump, stop:                     ${range(other)}`,
);
child.kill('SIGKILL');
