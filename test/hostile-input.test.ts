// Hostile inputs get a clear answer in bounded time and memory, and nothing of them reaches the terminal raw.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from './fixtures.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-hostile-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A time limit far beyond what it needs: only a hang fails. */
const coroner = (args: readonly string[], input?: string | Buffer) =>
  spawnSync(
    process.execPath,
    ['--max-old-space-size=400', join(root, 'bin/coroner.js'), 'diagnose', ...args],
    {
      encoding: 'utf8',
      timeout: 55_000,
      ...(input === undefined ? {} : { input }),
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
      maxBuffer: 1 << 26,
    },
  );

const kill = (name: string) =>
  `[  100.000001] Memory cgroup out of memory: Killed process 7 (${name}) total-vm:9000kB, anon-rss:8000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0\n`;

describe('hostile inputs', () => {
  test('terminal escapes in the name of a process', () => {
    const { stdout, status } = coroner(
      ['-'],
      kill('\u001b]0;owned\u0007\u001b[2J\u009b1m\u202eevil'),
    );
    expect(status).toBe(0);
    // oxlint-disable-next-line no-control-regex -- nothing of the kind may be left
    expect(stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(stdout).toContain('pid 7');
  });

  test('HTML in a traceback stays text on the page', () => {
    const html = join(folder, 'report.html');
    const { status, stderr } = coroner(
      ['-', '--html', html, '--quiet'],
      'Traceback (most recent call last):\n  File "</script><script>alert(1)</script>.py", line 1, in <module>\nMemoryError: <img src=x onerror=alert(1)>\n',
    );
    if (stderr.includes('not built')) return;
    expect(status).toBe(0);
    const page = readFileSync(html, 'utf8');
    expect(page).not.toContain('<script>alert(1)</script>');
    expect(page).not.toContain('<img src=x');
  });

  test('one line of 300 MiB, with NULs and invalid UTF-8, and a kill in its middle', () => {
    const file = join(folder, 'wide');
    const fd = openSync(file, 'w');
    const filler = Buffer.alloc(1 << 20, 'x');
    filler.fill(0, 1000, 5000);
    filler.fill(0xff, 9000, 9900);
    for (let part = 0; part < 150; part += 1) writeSync(fd, filler);
    writeSync(fd, ` ${kill('python3').trim()} `);
    for (let part = 0; part < 150; part += 1) writeSync(fd, filler);
    closeSync(fd);
    const { stdout, status } = coroner([file, '--json']);
    rmSync(file);
    expect(status).toBe(0);
    const { incidents } = JSON.parse(stdout);
    expect(incidents).toHaveLength(1);
    expect(incidents[0].victim.pid).toBe(7);
    expect(incidents[0].because[0].quote.length).toBeLessThan(1000);
  });

  test('a gzip bomb', () => {
    const file = join(folder, 'bomb.gz');
    // Members of a gzip file follow each other: 3 GiB of zeros in 3 MB.
    const member = gzipSync(Buffer.alloc(64 << 20));
    writeFileSync(file, Buffer.concat(Array.from({ length: 48 }, () => member)));
    const { stdout, status } = coroner([file, '--json']);
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.incidents).toEqual([]);
    expect(report.sources[0].status).toBe('truncated');
    expect(report.sources[0].detail).toMatch(/unpacks to more than/);
  });

  test('a gzip file that was cut short still tells what it has', () => {
    const file = join(folder, 'cut.gz');
    const packed = gzipSync(Buffer.from(kill('python3').repeat(1) + 'x y z\n'.repeat(200_000)));
    writeFileSync(file, packed.subarray(0, packed.length - 20));
    const { stdout } = coroner([file, '--json']);
    const report = JSON.parse(stdout);
    expect(report.incidents[0].victim.pid).toBe(7);
    expect(report.sources.some(({ status }: { status: string }) => status === 'truncated')).toBe(
      true,
    );
  });

  test('a FIFO that nobody writes', () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { status, stdout } = coroner([fifo, '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).incidents).toEqual([]);
  });

  test('a folder that holds itself, a broken link and a file without reading rights', () => {
    const logs = join(folder, 'logs');
    mkdirSync(join(logs, 'deep/er'), { recursive: true });
    symlinkSync(logs, join(logs, 'deep/er/again'));
    symlinkSync(join(folder, 'nothing'), join(logs, 'broken'));
    writeFileSync(join(logs, 'deep/kern.log'), kill('python3'));
    const { status, stdout } = coroner([logs, '--json']);
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.incidents).toHaveLength(1);
    expect(report.incidents[0].because[0].place).toBe('deep/kern.log:1');
  });

  test.each(['/dev/zero', '/dev/urandom'])('%s', (device) => {
    const { status, stderr } = coroner([device]);
    expect(status).toBe(66);
    expect(stderr).toContain('it is a device');
  });

  test('an endless line of zeros through a pipe that ends, random bytes, and nothing at all', () => {
    for (const input of [
      Buffer.alloc(8 << 20),
      Buffer.from(Array.from({ length: 1 << 16 }, (_, n) => (n * 7919) % 251)),
      Buffer.alloc(0),
    ]) {
      const { status, stdout } = coroner(['-', '--json'], input);
      expect(status).toBe(0);
      expect(JSON.parse(stdout).incidents).toEqual([]);
    }
  });

  test('a file that is not there', () => {
    const { status, stderr } = coroner([join(folder, 'missing.log')]);
    expect(status).toBe(66);
    expect(stderr).toContain('there is no such file');
    expect(stderr).not.toContain('    at ');
  });

  test('20,000 kills in one log', () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, n) =>
        `[${(1000 + n / 100).toFixed(6)}] Memory cgroup out of memory: Killed process ${1000 + n} (python3) total-vm:9000kB, anon-rss:${8000 + (n % 7)}kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0`,
    );
    const { status, stdout } = coroner(['-', '--json'], lines.join('\n'));
    expect(status).toBe(0);
    expect(JSON.parse(stdout).incidents).toHaveLength(20_000);
  });
});
