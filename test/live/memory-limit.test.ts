/** `coroner run --memory-limit`: who is refused is looked at where it stands, and the verdict names the variable. */
import { describe, expect, test } from 'vitest';
import type { SnapshotFile } from '../../src/model/incident-folder.ts';
import { makeCgroup } from '../cgroup.ts';
import * as have from '../have.ts';
import { underCoroner, type Outcome } from './under-coroner.ts';

const program = (name: string) => new URL(`../programs/${name}`, import.meta.url).pathname;
const found = [...have.everyPython()].filter(([version]) => /^3\.(?:9|1\d)\./.test(version));
const [, python = ''] =
  found.find(([version]) => version.startsWith('3.11.')) ?? found.at(-1) ?? [];
const reason = found.length === 0 ? 'needs CPython 3.9 to 3.15' : null;
const mib = 2 ** 20;

const looksOf = ({ files }: Outcome): readonly SnapshotFile[] =>
  [...files]
    .filter(([path]) => path.startsWith('looks/'))
    .map(([, text]) => JSON.parse(text) as SnapshotFile);
const atLimit = (...more: readonly string[]) => ({ options: ['--memory-limit', '96M', ...more] });

describe.skipIf(reason)(`who is refused is looked at${reason ? ` (${reason})` : ''}`, () => {
  test.for(found)('CPython %s: the variable is named', ([, file]) => {
    const outcome = underCoroner([file, program('refused_rows.py'), '100000000'], atLimit());
    expect(outcome.status).toBe(1);
    const [look, ...others] = looksOf(outcome);
    expect(others).toEqual([]);
    expect(look?.limitBytes).toBe(96 * mib);
    expect(look?.refusal?.usedBytes).toBeGreaterThan(90 * mib);
    expect(look?.stoppedMs).toBeLessThanOrEqual(500);
    const { incident, stderr } = outcome;
    expect(incident?.limit).toMatchObject({ owner: 'budget', path: '--memory-limit' });
    expect(incident?.memory.holders?.[0]).toMatchObject({ name: 'records', function: 'load' });
    expect(stderr).toContain('--memory-limit: 96 MiB');
  });

  test('--at-limit kill: before it is ended', () => {
    const outcome = underCoroner(
      [python, program('refused_rows.py'), '100000000'],
      atLimit('--at-limit', 'kill'),
    );
    expect(outcome.signal).toBe('SIGKILL');
    expect(outcome.incident?.memory.holders?.[0]?.name).toBe('records');
  });

  test('--at-limit report: it goes on, and is looked at again as it grows', () => {
    const outcome = underCoroner(
      [python, program('refused_rows.py'), '500000'],
      atLimit('--at-limit', 'report'),
    );
    expect(outcome).toMatchObject({ status: 0, stdout: '500000\n' });
    const looks = looksOf(outcome);
    expect(looks.length).toBeGreaterThan(0);
    // A look has so much time for each stop: on a busy machine it may end with the stacks.
    for (const { stage, picture } of looks)
      if (stage === 'stacks')
        expect(picture.threads?.[0]?.stack.map((frame) => frame.function)).toContain('load');
      else expect(picture.holders?.[0]?.name).toBe('records');
  });

  test('threads: the first that is refused, and the program ends as it would', () => {
    const outcome = underCoroner([python, program('refused_threads.py')], atLimit());
    // The main thread may be refused as well while the others end.
    expect([1, 3]).toContain(outcome.status);
    const [look] = looksOf(outcome);
    expect(look?.refusal).toBeDefined();
    expect(look?.picture.holders?.[0]?.name).toMatch(/^(?:cache|rows)$/);
  });

  test('a pool: one incident, of the worker that was refused, with what all of them held', () => {
    const outcome = underCoroner([python, program('refused_pool.py')], {
      options: ['--memory-limit', '160M'],
    });
    expect(outcome.status).toBe(1);
    expect(outcome.report?.incidents).toHaveLength(1);
    const [look, ...more] = looksOf(outcome);
    expect(more).toEqual([]);
    expect(outcome.incident?.victim?.pid).toBe(look?.pid);
    expect(outcome.incident?.memory.holders?.[0]).toMatchObject({ name: 'rows', function: 'fill' });
    // Three workers and their parent.
    expect(look?.refusal?.others).toHaveLength(4);
    const othersBytes = look?.refusal?.others.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    expect(othersBytes).toBeGreaterThan(20 * mib);
    expect(look?.refusal?.usedBytes).toBeGreaterThan(140 * mib);
    expect(look?.picture.notes?.[0]).toMatch(/^the processes of the run held .* together: /);
  });

  test('with no snapshots wanted it is refused as ever', () => {
    const outcome = underCoroner(
      [python, program('refused_rows.py'), '100000000'],
      atLimit('--no-last-look'),
    );
    expect(outcome.status).toBe(1);
    expect(looksOf(outcome)).toEqual([]);
    expect(outcome.stderr).toContain('MemoryError');
  });
});

const cgroup = reason ?? have.cgroup();
describe.skipIf(cgroup)(`in a small container${cgroup ? ` (${cgroup})` : ''}`, () => {
  const inside = async (limitBytes: number): Promise<Outcome> => {
    const group = makeCgroup('limit-room', { limitBytes, swapBytes: 0 });
    try {
      return underCoroner([python, program('refused_rows.py'), '100000000'], {
        before: group.enter,
        ...atLimit(),
      });
    } finally {
      await group.remove();
    }
  };

  test('that has room for a look beside the limit, the variable is named', async () => {
    const { incident } = await inside(400 * mib);
    expect(incident?.memory.holders?.[0]).toMatchObject({ name: 'records', function: 'load' });
  });
  test('that has none, the verdict says why it is not', async () => {
    const { incident } = await inside(220 * mib);
    expect(incident?.memory.holders ?? []).toEqual([]);
    expect(incident?.unknown.map(({ what }) => what)).toContainEqual(
      expect.stringContaining('which variables held the memory'),
    );
  });
});
