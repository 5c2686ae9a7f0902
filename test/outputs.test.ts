// What a command writes: never over what is the user's. Every option, as a person would call it.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from './fixtures.ts';

const coroner = join(root, 'bin/coroner.js');
const kernelLog = readFileSync(join(root, 'fixtures/kernel-log/allocating-task/input.log'), 'utf8');
const kinds = [
  'json',
  'html',
  'junit',
  'sarif',
  'pprof',
  'collapsed',
  'speedscope',
  'termination-log',
];

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner outputs '));
  writeFileSync(join(folder, 'kern.log'), kernelLog);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const call = (args: readonly string[], input?: string | number) =>
  spawnSync(process.execPath, [coroner, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', XDG_STATE_HOME: join(folder, 'state') },
    ...(typeof input === 'number' ? { stdio: [input, 'pipe', 'pipe'] } : { input: input ?? '' }),
  });
const text = (name: string) => readFileSync(join(folder, name), 'utf8');

test.each(kinds)('--%s leaves a log alone, and writes its own output anew', (kind) => {
  const refused = call(['diagnose', `--${kind}`, 'kern.log']);
  expect(refused.status).toBe(64);
  expect(refused.stderr).toContain(`coroner diagnose --${kind} - kern.log`);
  expect(text('kern.log')).toBe(kernelLog);
  for (const output of ['new file', 'new file'])
    expect(call(['diagnose', '-q', `--${kind}`, output, 'kern.log'])).toMatchObject({
      status: 0,
      stderr: '',
    });
  expect(readFileSync(join(folder, 'new file')).length).toBeGreaterThan(0);
  const other = kind === 'json' ? 'html' : 'json';
  const before = text('new file');
  expect(call(['diagnose', `--${other}`, 'new file', 'kern.log']).status).toBe(64);
  expect(text('new file')).toBe(before);
});

describe('an output', () => {
  test('is never what is read, not even by --force or through a link', () => {
    symlinkSync('kern.log', join(folder, 'link.log'));
    for (const output of ['kern.log', 'link.log', './kern.log'])
      expect(call(['diagnose', '--force', '--json', output, 'kern.log']).status).toBe(64);
    expect(text('kern.log')).toBe(kernelLog);
  });

  test('goes into an empty file; into one of the user only by --force', () => {
    writeFileSync(join(folder, 'empty'), '');
    expect(call(['diagnose', '-q', '--json', 'empty', 'kern.log']).status).toBe(0);
    writeFileSync(join(folder, 'mine'), 'my notes\n');
    expect(call(['diagnose', '--json', 'mine', 'kern.log']).status).toBe(64);
    expect(text('mine')).toBe('my notes\n');
    expect(call(['diagnose', '-q', '--force', '--json', 'mine', 'kern.log']).status).toBe(0);
    expect(text('mine')).toBe(text('empty'));
  });

  test('that cannot be written is said before the command runs', () => {
    mkdirSync(join(folder, 'dir'));
    const marker = join(folder, 'ran');
    for (const output of ['dir', 'nowhere/x', '--quiet', '']) {
      const run = call(['run', `--html=${output}`, 'touch', marker]);
      expect([output, run.status]).toEqual([output, 64]);
      expect(existsSync(marker)).toBe(false);
    }
  });
});

test('an option that took the incident or the command says so', () => {
  expect(call(['show', '--json', 'last']).stderr).toContain('coroner show --json - last');
  expect(existsSync(join(folder, 'last'))).toBe(false);
  writeFileSync(join(folder, 'x.py'), 'open("ran", "w")\n');
  const run = call(['run', '--json', 'cat', 'x.py']);
  expect(run.status).toBe(64);
  expect(run.stderr).toContain('coroner run --json - cat x.py');
  expect(existsSync(join(folder, 'cat'))).toBe(false);
});

test('bare --termination-log needs the file that Kubernetes mounts', () => {
  if (existsSync('/dev/termination-log')) return;
  const { status, stderr } = call(['diagnose', 'kern.log', '--termination-log']);
  expect(status).toBe(64);
  expect(stderr).toContain('/dev/termination-log');
  expect(existsSync('/dev/termination-log')).toBe(false);
});

describe('standard input', () => {
  test('is read where no file is named, whichever options stand there', () => {
    for (const args of [['--json', '-'], ['-q'], ['--json'], ['--name', 'python3', '-q']]) {
      const { stdout, status } = call(['diagnose', ...args], kernelLog);
      expect(status).toBe(0);
      expect(stdout).toContain('python3 (pid 4242)');
    }
  });

  test('an empty one is said, and this machine is asked', () => {
    const { stderr, status } = call(['diagnose', '-q', '--name', 'no such process'], '');
    expect(status).toBe(0);
    expect(stderr).toContain('standard input is empty');
  });

  test('a pipe that nobody writes holds nothing up', async () => {
    const child = spawn(process.execPath, [coroner, 'diagnose', '-q', '--name', 'nobody'], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, XDG_STATE_HOME: join(folder, 'state') },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      stderr += part;
    });
    child.stdout.resume();
    // Its end of the pipe stays open all the time.
    const status = await new Promise((resolve) => child.once('exit', resolve));
    child.stdin.destroy();
    expect(status).toBe(0);
    expect(stderr).toContain('said nothing for 2 s');
  });

  test('a named pid means this machine', () => {
    const { stdout, stderr } = call(['diagnose', '-q', '--pid', '999999999'], kernelLog);
    expect(stderr).toBe('');
    expect(stdout).not.toContain('python3 (pid 4242)');
  });
});
