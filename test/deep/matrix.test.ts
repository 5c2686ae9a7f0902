/**
 * The matrix of real deaths. Each row is provoked under `coroner run` (judged at once, and from the incident folder alone) and once
 * more bare (judged from its stderr and the kernel log). CORONER_ROWS=PATTERN runs the rows whose id matches.
 */
import { appendFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { judge, type Judgement, type Ours } from './matrix/judge.ts';
import { after, live } from './matrix/provoke.ts';
import type { Expected, Row } from './matrix/row.ts';
import { notProvoked, rows } from './matrix/rows.ts';

const pattern = new RegExp(process.env['CORONER_ROWS'] ?? '');
const results = process.env['CORONER_MATRIX_RESULTS'];

const unlikely: Expected = { cause: ['undetermined'] };
const expectedAfter = ({ after: own, live: { cause, atMost, inFunction } }: Row): Expected =>
  own ?? {
    cause: [...new Set([...cause, ...unlikely.cause])],
    ...(atMost ? { atMost } : {}),
    ...(inFunction ? {} : {}),
  };

/** Writes down first, complains then: the table shows the wrong rows too. */
const settle = (
  row: Row,
  phase: string,
  expected: Expected,
  judgement: Judgement,
  ms: number,
): void => {
  if (results)
    appendFileSync(
      results,
      `${JSON.stringify({ id: row.id, what: row.what, phase, expected: expected.cause, ...judgement, ms })}\n`,
    );
  const { said, right, faults, certainAndWrong } = judgement;
  expect(certainAndWrong, `${row.id} ${phase}: certain and wrong`).toEqual([]);
  expect(
    { said: right ? 'as expected' : said, faults },
    `${row.id} ${phase}: ${said.headline}`,
  ).toEqual({
    said: 'as expected',
    faults: [],
  });
};

describe('real deaths', () => {
  for (const { id, what, why } of notProvoked.filter((row) => pattern.test(row.id))) {
    test.skip(`${id}: ${what} (${why})`, () => {});
    if (results) appendFileSync(results, `${JSON.stringify({ id, what, skipped: why })}\n`);
  }
  for (const row of rows.filter(({ id }) => pattern.test(id))) {
    const reason = row.needs?.map((need) => need()).find((why) => why !== null) ?? null;
    const name = `${row.id}: ${row.what}`;
    const ours = ({
      pids,
      cgroup,
    }: {
      pids: ReadonlySet<number>;
      cgroup: string | null;
    }): Ours => ({ pids, cgroup });
    if (reason !== null) {
      test.skip(`${name} (${reason})`, () => {});
      if (results)
        appendFileSync(
          results,
          `${JSON.stringify({ id: row.id, what: row.what, skipped: reason })}\n`,
        );
      continue;
    }
    test(`${name}, under coroner run`, { timeout: 150_000 }, async () => {
      const { report, folder, ran, cgroup } = await live(row);
      // Everything in the report of a run is its own: no other process may appear there.
      const all = { pids: ran.pids, cgroup };
      const said = judge(report, row.live, row.besides ?? [], null);
      const own = row.live.limitPath ? judge(report, row.live, row.besides ?? [], all) : said;
      settle(row, 'live', row.live, { ...said, faults: own.faults }, ran.ms);
      if (folder instanceof Error) throw folder;
      settle(row, 'folder', row.live, judge(folder, row.live, row.besides ?? [], null), ran.ms);
    });
    test(`${name}, from what was left behind`, { timeout: 150_000 }, async () => {
      const provoked = await after(row);
      const expected = expectedAfter(row);
      settle(
        row,
        'after',
        expected,
        judge(provoked.report, expected, row.besides ?? [], ours(provoked)),
        provoked.ran.ms,
      );
    });
  }
});
