// node scripts/examples.mjs: lets the three programs of examples/ die in a cgroup /job of 200 MiB and writes the screens into
// docs/examples.md, between `<!-- screen: NAME -->` and `<!-- end -->`. Needs root, a memory cgroup and a built coroner.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const page = join(root, 'docs/examples.md');
const limitBytes = 200 * 2 ** 20;
const hierarchy = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].find((folder) =>
  existsSync(join(folder, 'cgroup.procs')),
);
if (hierarchy === undefined) {
  console.error('examples: no memory cgroup here');
  process.exit(1);
}
const job = join(hierarchy, 'job');
const set = (file, value) => {
  const path = join(job, file);
  if (existsSync(path)) writeFileSync(path, value);
};

function screenOf(name) {
  const state = mkdtempSync(join(tmpdir(), 'coroner-examples-'));
  mkdirSync(job);
  try {
    for (const file of ['memory.limit_in_bytes', 'memory.max']) set(file, String(limitBytes));
    set('memory.memsw.limit_in_bytes', String(limitBytes));
    set('memory.swap.max', '0');
    // The shell enters the cgroup and becomes the program: coroner stays outside.
    const enter = `echo $$ > ${join(job, 'cgroup.procs')} && exec "$0" "$@"`;
    const { stderr } = spawnSync(
      process.execPath,
      [join(root, 'bin/coroner.js'), 'run', 'sh', '-c', enter, 'python3', `examples/${name}.py`],
      {
        cwd: root,
        encoding: 'utf8',
        timeout: 120_000,
        killSignal: 'SIGKILL',
        env: {
          ...process.env,
          XDG_STATE_HOME: state,
          NO_COLOR: '1',
          COLUMNS: '80',
          LC_ALL: 'C.UTF-8',
        },
      },
    );
    const from = stderr.search(/^ {2}✖/m);
    if (from < 0) throw new Error(`${name} did not die of memory:\n${stderr}`);
    return `\`\`\`\n${stderr.slice(from).trimEnd()}\n\`\`\``;
  } finally {
    rmSync(state, { recursive: true, force: true });
    for (let tries = 0; existsSync(job) && tries < 50; tries += 1) {
      try {
        rmdirSync(job);
      } catch {
        // Busy until the kernel has let the dead go.
        spawnSync('sleep', ['0.1']);
      }
    }
  }
}

const before = readFileSync(page, 'utf8');
let after = before;
for (const [whole, name] of before.matchAll(/<!-- screen: (\w+) -->\n[^]*?<!-- end -->/g)) {
  const screen = screenOf(name);
  console.log(`${name}\n${screen}`);
  after = after.replace(whole, () => `<!-- screen: ${name} -->\n${screen}\n<!-- end -->`);
}
writeFileSync(page, after);
