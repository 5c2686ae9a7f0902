/** "Certain" and wrong fails the build: where a row of the matrix is judged, where the table is made, and in the table that is published. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { gatherText } from '../src/gather/text.ts';
import { judge } from './deep/matrix/judge.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-calibration-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the matrix writes down of a death that the kernel's log names for certain. */
const report = diagnose(
  gatherText(
    'kern.log',
    '[  100.000001] Memory cgroup out of memory: Killed process 7 (python3) total-vm:9000kB, anon-rss:8000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0\n',
  ),
);
const right = judge(report, { cause: ['kernel-cgroup-oom'] }, [], null);
const wrong = judge(report, { cause: ['not-memory'] }, [], null);

test('a row that is certain and wrong is found', () => {
  expect(right).toMatchObject({
    right: true,
    certainAndWrong: [],
    said: { confidence: 'certain' },
  });
  expect(wrong.right).toBe(false);
  expect(wrong.certainAndWrong).toEqual([expect.stringContaining('kernel-cgroup-oom: ')]);
});
test('a certain verdict beside the right one is found too', () => {
  const two = diagnose(
    gatherText(
      'kern.log',
      [7, 8]
        .map(
          (pid) =>
            `[  10${pid}.000001] ${pid === 7 ? 'Memory cgroup out of memory' : 'Out of memory'}: Killed process ${pid} (python${pid}) total-vm:9000kB, anon-rss:8000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0\n`,
        )
        .join(''),
    ),
  );
  const judged = judge(two, { cause: ['kernel-cgroup-oom'] }, [], null);
  expect(judged.right).toBe(true);
  expect(judged.certainAndWrong).toEqual([expect.stringContaining('kernel-global-oom: ')]);
});

describe('the table', () => {
  const calibrate = (name: string, judgement: typeof right) => {
    const matrix = join(folder, `${name}.ndjson`);
    const row = { id: name, what: name, phase: 'live', expected: [], ...judgement, ms: 1 };
    writeFileSync(matrix, `${JSON.stringify(row)}\n`);
    const output = join(folder, `${name}.json`);
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(root, 'scripts/calibration.mjs'), matrix, '--output', output],
      { encoding: 'utf8' },
    );
    return { status, stdout, table: JSON.parse(readFileSync(output, 'utf8')) as Table };
  };
  test('is made where all is right', () => {
    const { status, table } = calibrate('right', right);
    expect(status).toBe(0);
    expect(table.phases['live']?.['certain']).toEqual({ right: 1, wrong: 0 });
  });
  test('fails where a row is certain and wrong, and names it', () => {
    const { status, stdout, table } = calibrate('wrong', wrong);
    expect(status).toBe(1);
    expect(stdout).toContain('certain and wrong: wrong (live): kernel-cgroup-oom: ');
    expect(table.phases['live']?.['certain']).toEqual({ right: 0, wrong: 1 });
  });
  test('that is published has none', () => {
    const { phases, texts } = JSON.parse(
      readFileSync(join(root, 'docs/calibration.json'), 'utf8'),
    ) as Table;
    for (const tally of [...Object.values(phases), ...(texts === null ? [] : [texts.tally])])
      expect(tally['certain']).toMatchObject({ right: expect.any(Number), wrong: 0 });
  });
});

type Tally = Readonly<Record<string, { readonly right: number; readonly wrong: number }>>;
interface Table {
  readonly phases: Readonly<Record<string, Tally>>;
  readonly texts: { readonly tally: Tally } | null;
}
