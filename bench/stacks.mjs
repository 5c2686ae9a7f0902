// How long a process stands still for its stacks: node bench/stacks.mjs. py-spy beside it, where it is there.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const rounds = 9;
const look = fileURLToPath(new URL('heap-look.mjs', import.meta.url));
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
const own = [];
for (let i = 0; i < rounds; i++) {
  const { stdout } = spawnSync(process.execPath, [look, String(child.pid), 'stacks'], {
    encoding: 'utf8',
  });
  own.push(JSON.parse(stdout).stacksMs);
}
console.log(
  `coroner: 21 threads, 720 calls: ${median(own).toFixed(0)} ms (a fresh process each time), at least ${Math.min(...own).toFixed(0)} ms`,
);
const other = [];
for (let i = 0; i < rounds; i++) {
  const begun = performance.now();
  const { error, status } = spawnSync('py-spy', ['dump', '--pid', String(child.pid)], {
    stdio: 'ignore',
  });
  if (error !== undefined || status !== 0) break;
  other.push(performance.now() - begun);
}
console.log(
  other.length === 0
    ? 'py-spy: not here'
    : `py-spy dump, whole run: ${median(other).toFixed(0)} ms`,
);
child.kill('SIGKILL');
