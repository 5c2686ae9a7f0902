/** `show`, `list`, `compare` and `rm` as a person types them, on a store made for the test. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const built = existsSync(join(root, 'dist/cli/main.js'));
const fixtures = join(root, 'fixtures');
let state = '';

const coroner = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'bin/coroner.js'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], XDG_STATE_HOME: state, LANG: 'C.UTF-8', NO_COLOR: '1' },
  });

/** An incident folder: a run of `python3 app.py` that the wait status says was killed. */
function record(id: string, startedAt: string, peakBytes: number, report?: string): string {
  const folder = join(state, 'coroner', id);
  mkdirSync(folder, { recursive: true });
  const write = (name: string, ...lines: readonly object[]): void =>
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  write('incident.json', {
    format: 'coroner-incident/1',
    id,
    version: '0.1.0',
    command: ['python3', 'app.py', id],
    cwd: '/srv/app',
    startedAt,
    startedUptimeSeconds: 1000,
    bootId: null,
    machine: {},
    // No process has it: pids end at 2^22.
    recorderPid: 2 ** 22 + 1,
    uid: 1000,
    initialPidNamespace: true,
    options: {},
  });
  write('events.ndjson', {
    what: 'process',
    atMs: 0,
    pid: 2400,
    parentPid: 1,
    name: 'python3',
    command: 'python3 app.py',
    role: 'command',
  });
  write(
    'samples.ndjson',
    { atMs: 0, processes: [{ pid: 2400, rssBytes: peakBytes / 2 }] },
    { atMs: 900, processes: [{ pid: 2400, rssBytes: peakBytes, peakRssBytes: peakBytes }] },
  );
  write('end.json', { endedAt: startedAt, durationMs: 1000, exitCode: 0, signal: null });
  if (report !== undefined) cpSync(report, join(folder, 'report.json'));
  return folder;
}

const old = '20250101-000000-aaaaaa';
const middle = '20260130-120000-bbbbbb';
const newest = '20260131-120000-cccccc';

beforeAll(() => {
  state = mkdtempSync(join(tmpdir(), 'coroner-store-'));
  record(old, '2025-01-01T00:00:00.000Z', 100 * 2 ** 20);
  record(
    middle,
    '2026-01-30T12:00:00.000Z',
    100 * 2 ** 20,
    join(fixtures, 'reports/assassination-cgroup/report.json'),
  );
  record(newest, '2026-01-31T12:00:00.000Z', 250 * 2 ** 20);
});
afterAll(() => rmSync(state, { recursive: true, force: true }));

describe.skipIf(!built)(`the store's commands${built ? '' : ' (needs npm run build)'}`, () => {
  test('list: the newest first, each with its command and how it ended', () => {
    const { stdout, status } = coroner('list');
    expect(status).toBe(0);
    expect(stdout.indexOf(newest)).toBeLessThan(stdout.indexOf(middle));
    expect(stdout.indexOf(middle)).toBeLessThan(stdout.indexOf(old));
    expect(stdout).toContain(`python3 app.py ${newest}`);
    expect(stdout).toContain('✖');
    expect(stdout).toContain('ended with status 0');
  });

  test('list --json is for programs', () => {
    const rows = JSON.parse(coroner('list', '--json').stdout) as {
      id: string;
      verdict: object | null;
    }[];
    expect(rows.map(({ id }) => id)).toEqual([newest, middle, old]);
    expect(rows[1]?.verdict).toMatchObject({ cause: 'kernel-cgroup-oom', confidence: 'certain' });
  });

  test('show: last, the start of an id, a file, and what is none of these', () => {
    expect(coroner('show', 'last', '--json').status).toBe(0);
    expect(coroner('show', '20250101').status).toBe(0);
    const missing = coroner('show', '1999');
    expect(missing.status).toBe(66);
    expect(missing.stderr).toContain('coroner list shows them');
    const ambiguous = coroner('show', '2026');
    expect(ambiguous.status).toBe(64);
    expect(ambiguous.stderr).toContain(middle);
  });

  test.each(readdirSync(join(fixtures, 'formats/v1')).filter((file) => file.endsWith('.json')))(
    'show opens formats/v1/%s',
    (file) => {
      const { stdout, status, stderr } = coroner('show', join(fixtures, 'formats/v1', file));
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(stdout).toContain('The kernel killed python3');
      expect(stdout).not.toMatch(/undefined|NaN/);
    },
  );

  test.each(readdirSync(join(fixtures, 'formats/v1')).filter((file) => file.endsWith('.json')))(
    'show writes formats/v1/%s in every other form, too',
    (file) => {
      const out = mkdtempSync(join(state, 'old-'));
      const names = ['html', 'json', 'speedscope', 'pprof', 'collapsed', 'junit', 'sarif'];
      const { stderr, status } = coroner(
        'show',
        join(fixtures, 'formats/v1', file),
        ...names.flatMap((name) => [`--${name}`, join(out, name)]),
      );
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(readdirSync(out).sort()).toEqual(names.toSorted());
      for (const name of ['html', 'json', 'junit', 'sarif'])
        expect(readFileSync(join(out, name), 'utf8')).toContain('The kernel killed python3');
    },
  );

  test('show refuses what is no report, in a sentence', () => {
    const { status, stderr } = coroner('show', join(root, 'package.json'));
    expect(status).toBe(66);
    expect(stderr).toContain('is no report of coroner');
    expect(stderr).not.toContain('    at ');
  });

  test('show writes every file that is asked for', () => {
    const out = join(state, 'out');
    mkdirSync(out);
    const report = join(fixtures, 'reports/assassination-cgroup/report.json');
    const names = ['speedscope', 'pprof', 'collapsed', 'junit', 'sarif', 'termination-log'];
    const { status, stderr } = coroner(
      'show',
      report,
      ...names.flatMap((name) => [`--${name}`, join(out, name)]),
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(readdirSync(out).sort()).toEqual([...names].sort());
    for (const name of names) expect(readFileSync(join(out, name)).length).toBeGreaterThan(100);
  });

  test('a reader that stops early is no fault: show | head', () => {
    const { stdout, stderr, status } = spawnSync(
      'sh',
      [
        '-c',
        `"$0" "$1" show "$2" --verbose | head -1; "$0" "$1" list --json | true`,
        process.execPath,
        join(root, 'bin/coroner.js'),
        join(fixtures, 'reports/many-kills/report.json'),
      ],
      {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], XDG_STATE_HOME: state, LANG: 'C.UTF-8' },
      },
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toContain('OUT OF MEMORY');
  });

  test('compare says what changed', () => {
    const { stdout, status } = coroner('compare', middle, newest);
    expect(status).toBe(0);
    expect(stdout).toMatch(/peak +100 MiB → +250 MiB +\+150 %/);
  });

  test('rm: nothing without a name; a dry run removes nothing; an id removes that one', () => {
    expect(coroner('rm').status).toBe(64);
    expect(coroner('rm', '--all', '--dry-run').stdout).toContain('would remove 3 incidents');
    expect(coroner('rm', '--older-than', 'soon').status).toBe(64);
    const { stdout } = coroner('rm', old);
    expect(stdout).toContain('removed 1 incident,');
    expect(existsSync(join(state, 'coroner', old))).toBe(false);
    expect(existsSync(join(state, 'coroner', newest))).toBe(true);
  });
});
