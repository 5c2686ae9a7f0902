/** Runs that end well, or still go on, and what `show` says of them. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { root } from '../fixtures.ts';
import * as have from '../have.ts';

const why =
  have.command('python3') ?? (existsSync(join(root, 'bin/coroner')) ? null : 'needs npm run build');
const named = (title: string): string => (why === null ? title : `${title} (${why})`);
const coroner = join(root, 'bin/coroner');

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-well-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = `
import time
def load():
    return [bytes(1000) for _ in range(60000)]
rows = load()
time.sleep(0.5)
del rows
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print(line.split()[1])
`;
/** Itself, where it is known: a shim of a version manager is a few shells more, whose memory counts beside it for a while. */
const python = [...have.pythons().values()].at(-1) ?? 'python3';
const run = (args: readonly string[], store: string, text = program) => {
  const file = join(folder, 'etl.py');
  writeFileSync(file, text);
  return spawnSync(coroner, ['run', '--output', store, ...args, python, file], {
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
    cwd: folder,
  });
};
const show = (store: string, ...args: readonly string[]) =>
  spawnSync(coroner, ['show', 'last', '--store', store, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
    env: { ...process.env, LC_ALL: 'C', NO_COLOR: '1', COLUMNS: '80' },
  });

test.skipIf(why !== null)(
  named('the peak is VmHWM, its line is known, and the limit holds'),
  () => {
    const store = join(folder, 'peak');
    const { stdout, stderr, status } = run([], store);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const report = JSON.parse(show(store, '--json').stdout) as Report;
    const { peak, enough, memory } = report.run!;
    // The kernel keeps the mark in counters of each processor: the two readings differ by what these hold.
    expect(Math.abs(peak!.bytes - Number(stdout) * 1024)).toBeLessThan(2 * 2 ** 20);
    expect(memory?.allocations?.[0]).toMatchObject({ line: 4, when: 'peak' });
    const text = show(store);
    expect(text.stdout).toContain('ENDED WELL');
    expect(text.stdout).toContain('What is enough?');
    for (const line of text.stdout.split('\n').filter((one) => !one.includes('$ ')))
      expect(line.length).toBeLessThanOrEqual(80);
    const limited = run(['--memory-limit', `${enough!.bytes / 2 ** 20}M`], store);
    expect(limited.status).toBe(0);
    expect(limited.stdout).not.toBe('');
  },
);

test.skipIf(why !== null)(named('a run that still goes on is told as far as it came'), async () => {
  const store = join(folder, 'running');
  const file = join(folder, 'server.py');
  writeFileSync(
    file,
    'import time\nrows = [bytes(1000) for _ in range(30000)]\nprint(1, flush=True)\ntime.sleep(60)\n',
  );
  const child = spawn(coroner, ['run', '--output', store, 'python3', file], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    let text = '';
    // The first sample after the list was made comes a little later.
    for (let tries = 0; tries < 50 && !/has taken/.test(text); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      text = show(store).stdout;
    }
    expect(text).toContain('STILL RUNNING');
    expect(text).toMatch(/has taken [\d.]+ MiB at its peak/);
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  }
});

test.skipIf(why !== null)(named('what ends by Ctrl-C is told as a run, and not as a death'), () => {
  const store = join(folder, 'interrupted');
  const text =
    'import os, signal, time\nrows = [bytes(1000) for _ in range(30000)]\ntime.sleep(0.3)\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n';
  run([], store, text);
  expect(readdirSync(store)).toHaveLength(1);
  const shown = show(store).stdout;
  expect(shown).toContain('STOPPED BY CTRL-C');
  expect(shown).toContain('What made it?');
});

test.skipIf(why !== null)(named('the variables of the peak, where they were asked for'), () => {
  const store = join(folder, 'looked');
  const text =
    'import time\ndef main():\n    rows = [bytes(1000) for _ in range(90000)]\n    time.sleep(3)\nmain()\n';
  const { stderr, status } = run(['--look-at-peak'], store, text);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  const { run: told } = JSON.parse(show(store, '--json').stdout) as Report;
  expect(told?.memory?.holders?.[0]).toMatchObject({ name: 'rows', function: 'main' });
  expect(told?.cost.stops).toBeGreaterThan(0);
});
