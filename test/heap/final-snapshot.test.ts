import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SnapshotFile } from '../../src/model/incident-folder.ts';
import type { Report } from '../../src/model/report.ts';
import { stopBudget } from '../../src/record/final-snapshot/stop-budget.ts';
import { threadStates } from '../../src/python/process/pause.ts';
import { makeCgroup, type TestCgroup } from '../cgroup.ts';
import * as have from '../have.ts';
import { programs, start, versions, type Stopped } from './target.ts';

const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));
const mib = 2 ** 20;
// Real deaths on a machine that may be busy: their time is not what is tested.
vi.setConfig({ testTimeout: 120_000 });

let group: TestCgroup | null = null;
let target: Stopped | null = null;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-look-'));
});
afterEach(async () => {
  target?.end();
  target = null;
  await group?.remove();
  group = null;
  rmSync(folder, { recursive: true, force: true });
});

function lastReport(python: string, args: readonly string[], limitBytes: number): Report {
  group = makeCgroup('python-look', { limitBytes, swapBytes: 0 });
  const json = join(folder, 'report.json');
  spawnSync(
    process.execPath,
    [
      coroner,
      'run',
      '-q',
      '-o',
      folder,
      '--json',
      json,
      ...group.enter,
      python,
      join(programs, 'grow.py'),
      ...args,
    ],
    { stdio: 'ignore', timeout: 110_000, killSignal: 'SIGKILL' },
  );
  return JSON.parse(readFileSync(json, 'utf8')) as Report;
}

/** What the looks of the run tell of their stops, each of which has its end whatever the machine is busy with. */
function expectWithinBudget(): void {
  const looks = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /looks\/.*\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as SnapshotFile);
  expect(looks.length).toBeGreaterThan(0);
  for (const { atMs, stops } of looks) {
    expect(stops!.longestMs).toBeLessThanOrEqual(stopBudget.mostMs);
    const mostMs = Math.max(stopBudget.mostMs, stopBudget.share * (atMs + stopBudget.mostMs));
    // Each is rounded.
    expect(stops!.sumMs).toBeLessThanOrEqual(mostMs + stops!.count);
  }
}

describe('a kill at a cgroup limit names the line and the variable', () => {
  const why = have.cgroup();
  const numpy = why ?? have.pythonModule('numpy');
  const python = versions().at(-1)?.[1] ?? have.systemPython;
  const cases: readonly (readonly [string, string, string, string, string | null])[] = [
    ['slow growth', 'buffers', '40', 'blocks', why],
    ['many small objects', 'small', '120', 'rows', why],
    ['numpy', 'arrays', '150', 'chunks', numpy],
    ['a thread', 'thread', '100', 'blocks', why],
    ['a worker process', 'worker', '80', 'rows', why],
  ];
  for (const [name, how, rate, variable, reason] of cases)
    test.skipIf(reason !== null)(`${name}${reason === null ? '' : ` (${reason})`}`, () => {
      const { incidents } = lastReport(
        how === 'arrays' ? have.systemPython : python,
        [how, rate, '150'],
        220 * mib,
      );
      const incident = incidents.find(({ cause }) => cause === 'kernel-cgroup-oom');
      expect(incident?.memory.holders?.[0]).toMatchObject({ name: variable });
      expect(incident!.memory.holders![0]!.retainedBytes).toBeGreaterThan(60 * mib);
      expect(incident!.stack.some(({ file }) => file?.endsWith('grow.py'))).toBe(true);
      expect(incident!.memory.ageAtDeathMs).toBeGreaterThanOrEqual(0);
      expectWithinBudget();
    });

  test.skipIf(why !== null)(
    `--no-last-look leaves the process alone${why === null ? '' : ` (${why})`}`,
    () => {
      group = makeCgroup('python-look', { limitBytes: 200 * mib, swapBytes: 0 });
      const json = join(folder, 'report.json');
      spawnSync(
        process.execPath,
        [
          coroner,
          'run',
          '-q',
          '--no-last-look',
          '-o',
          folder,
          '--json',
          json,
          ...group.enter,
          python,
          join(programs, 'grow.py'),
          'buffers',
          '200',
        ],
        { stdio: 'ignore', timeout: 110_000, killSignal: 'SIGKILL' },
      );
      const { incidents } = JSON.parse(readFileSync(json, 'utf8')) as Report;
      expect(incidents[0]?.cause).toBe('kernel-cgroup-oom');
      expect(incidents[0]?.memory.holders ?? []).toEqual([]);
    },
  );
});

describe('coroner within the small limit of the command', () => {
  const why = have.cgroup();
  const python = versions().at(-1)?.[1] ?? have.systemPython;
  const inside = (options: readonly string[]): Report => {
    group = makeCgroup('python-tight', { limitBytes: 200 * mib, swapBytes: 0 });
    const json = join(folder, 'report.json');
    const [enter, ...args] = [
      ...group.enter,
      process.execPath,
      coroner,
      'run',
      '-q',
      ...options,
      '-o',
      folder,
      '--json',
      json,
      python,
      join(programs, 'grow.py'),
      'small',
      '40',
      ...(options.includes('--last-look') ? ['120'] : []),
    ] as const;
    spawnSync(enter!, args, { stdio: 'ignore', timeout: 110_000, killSignal: 'SIGKILL' });
    return JSON.parse(readFileSync(json, 'utf8')) as Report;
  };

  test.skipIf(why !== null)(
    `no look: the verdict says what is not known, and what would tell${why === null ? '' : ` (${why})`}`,
    () => {
      const incident = inside([]).incidents.find(({ cause }) => cause === 'kernel-cgroup-oom');
      expect(incident?.memory.holders ?? []).toEqual([]);
      expect(incident?.unknown).toContainEqual(
        expect.objectContaining({
          what: expect.stringContaining('which variables held the memory') as string,
          command: 'coroner run --last-look COMMAND',
        }),
      );
    },
  );

  test.skipIf(why !== null)(
    `--last-look names the variable${why === null ? '' : ` (${why})`}`,
    () => {
      const incident = inside(['--last-look']).incidents.find(
        ({ cause }) => cause === 'kernel-cgroup-oom',
      );
      expect(incident?.memory.holders?.[0]).toMatchObject({ name: 'rows' });
      expect(JSON.stringify(incident?.unknown)).not.toContain('variables');
    },
  );
});

describe('a target is never left stopped', () => {
  const python = versions().at(-1)?.[1] ?? have.systemPython;
  test('when coroner inspect is killed by SIGKILL at any moment', async () => {
    target = start(python, 'busy.py');
    await sleep(1500);
    for (let i = 0; i < (have.deep ? 12 : 5); i++) {
      const inspect = spawn(process.execPath, [coroner, 'inspect', String(target.pid)], {
        stdio: 'ignore',
      });
      await sleep(100 + (have.deep ? 60 : 150) * i);
      inspect.kill('SIGKILL');
      await sleep(250);
      expect(threadStates(target.pid).some((state) => state === 'T')).toBe(false);
    }
  });

  test('by a look that ends well, or fails', async () => {
    target = start(python, 'busy.py');
    await sleep(1000);
    for (const args of [[], ['--stacks'], ['--budget', '0.01']]) {
      spawnSync(process.execPath, [coroner, 'inspect', ...args, String(target.pid)], {
        stdio: 'ignore',
        timeout: 30_000,
      });
      expect(threadStates(target.pid).some((state) => state === 'T')).toBe(false);
    }
  });
});

describe('permission', () => {
  const why = have.root();
  const python = versions().at(-1)?.[1] ?? have.systemPython;
  test.skipIf(why !== null)(
    `another user's process gives a message that says what is missing${why === null ? '' : ` (${why})`}`,
    async () => {
      target = start(python, 'busy.py');
      await sleep(500);
      const { status, stderr } = spawnSync(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `process.setgid(65534); process.setuid(65534); process.argv = ['node', 'coroner', 'inspect', '${target.pid}']; const { main } = await import('${new URL('../../dist/cli/main.js', import.meta.url).href}'); await main(['inspect', '${target.pid}']);`,
        ],
        { encoding: 'utf8', timeout: 30_000 },
      );
      expect(stderr).toMatch(/may not be read \(it belongs to uid 0, you are uid 65534\)/);
      expect(stderr).toMatch(/CAP_SYS_PTRACE/);
      expect(status).toBe(66);
      expect(threadStates(target.pid).some((state) => state === 'T')).toBe(false);
    },
  );
});
