/** The same death again, as `list` and `show` tell it, and looks that `compare` takes: on a store made for the test. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const built = existsSync(join(root, 'dist/cli/main.js'));
let state = '';

const coroner = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'bin/coroner.js'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], XDG_STATE_HOME: state, LANG: 'C.UTF-8', NO_COLOR: '1' },
  });

/** A run that died by the OOM killer, with its own report; or that ended otherwise, with none. */
function record(id: string, startedAt: string, exitCode: number, report?: string): void {
  const folder = join(state, 'coroner', id);
  mkdirSync(folder, { recursive: true });
  const write = (name: string, content: object): void =>
    writeFileSync(join(folder, name), `${JSON.stringify(content)}\n`);
  write('incident.json', {
    format: 'coroner-incident/1',
    id,
    command: ['python3', 'app.py', id.slice(0, 8)],
    cwd: '/srv',
    startedAt,
    bootId: null,
    uid: 1000,
    initialPidNamespace: true,
    options: {},
  });
  write('end.json', { endedAt: startedAt, durationMs: 1000, exitCode, signal: null });
  if (report !== undefined)
    cpSync(join(root, 'fixtures/reports', report, 'report.json'), join(folder, 'report.json'));
}

beforeAll(() => {
  state = mkdtempSync(join(tmpdir(), 'coroner-again-'));
  for (const [at, day] of ['05', '06', '07'].entries())
    record(
      `202601${day}-120000-aaaaa${at}`,
      `2026-01-${day}T12:00:00.000Z`,
      137,
      'assassination-cgroup',
    );
  record('20260108-120000-bbbbbb', '2026-01-08T12:00:00.000Z', 137, 'disguised-segfault');
  record('20260109-120000-cccccc', '2026-01-09T12:00:00.000Z', 3);
  record('20260110-120000-dddddd', '2026-01-10T12:00:00.000Z', 0, 'ended-well');
});
afterAll(() => rmSync(state, { recursive: true, force: true }));

describe.skipIf(!built)(`deaths that come again${built ? '' : ' (needs npm run build)'}`, () => {
  test('list counts the same death, and no other', () => {
    const rows = JSON.parse(coroner('list', '--json').stdout) as {
      id: string;
      recurrence: { times: number; since: string } | null;
      peakBytes: number | null;
    }[];
    const of = (start: string) => rows.find(({ id }) => id.startsWith(start));
    expect(of('20260107')?.recurrence).toEqual({ times: 3, since: '2026-01-05T12:00:00.000Z' });
    expect(of('20260105')?.recurrence).toBeNull();
    expect(of('20260108')?.recurrence).toBeNull();
    expect(of('20260110')?.peakBytes).toBeGreaterThan(2 ** 20);
    expect(coroner('list').stdout).toContain('the 3rd time since 2026-01-05');
  });

  test('list has a green tick for what ended well alone, and says what its signs mean', () => {
    const { stdout } = coroner('list');
    const signOf = (id: string): string =>
      stdout
        .split('\n')
        .find((line) => line.includes(id))
        ?.charAt(0) ?? '';
    expect(signOf('20260110')).toBe('✔');
    expect(signOf('20260109')).toBe('!');
    expect(signOf('20260107')).toBe('✖');
    expect(stdout).toContain('✖ memory');
    expect(stdout).toContain('! died of something else');
  });

  test('--brief is below 1 KiB, for a death and for a run', () => {
    for (const name of ['assassination-cgroup', 'ended-well']) {
      const { stdout, status } = coroner(
        'show',
        join(root, 'fixtures/reports', name, 'report.json'),
        '--brief',
      );
      expect(status).toBe(0);
      expect(Buffer.byteLength(stdout)).toBeLessThan(1024);
      expect(stdout.split('\n').length).toBeGreaterThan(4);
    }
  });

  test('compare takes two looks, and reports of runs that ended well', () => {
    const look = (name: string, retainedBytes: number): string => {
      const file = join(state, name);
      const holder = {
        name: 'seen',
        kind: 'variable',
        scope: 'global',
        function: null,
        file: 'a.py',
      };
      const more = { line: null, path: 'seen -> list[9]', type: 'list', ownBytes: 1 };
      const holders = [{ ...holder, ...more, retainedBytes, alsoHeldBy: [], estimate: false }];
      const process = { pid: 1, name: 'p', command: null, python: '3.12', place: '/proc/1' };
      writeFileSync(
        file,
        JSON.stringify({ format: 'coroner/1', process, threads: [], memory: { holders } }),
      );
      return file;
    };
    const { stdout } = coroner('compare', look('one.json', 1e6), look('two.json', 9e7));
    expect(stdout).toContain('What grew most: the variable seen');
    const run = (name: string): string => join(root, 'fixtures/reports', name, 'report.json');
    const runs = coroner('compare', run('ended-growing'), run('ended-well'));
    expect(runs.status).toBe(0);
    expect(runs.stdout).toMatch(/peak +74\.\d MiB → +177 MiB/);
  });
});
