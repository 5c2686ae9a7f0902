// The table of the matrix of real deaths: what was provoked, expected and said, at once and afterwards.
import { readFileSync } from 'node:fs';

/** Lines as test/deep/matrix.test.ts writes them. */
export const readRows = (file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

const pad = (text, width) =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
const said = (row) =>
  row === undefined
    ? '-'
    : `${row.right ? (row.faults.length > 0 ? '~ ' : '') : 'WRONG '}${row.said.cause}${row.said.confidence ? `, ${row.said.confidence}` : ''}`;

export const table = (rows) => {
  const ids = [...new Set(rows.map(({ id }) => id))];
  const lines = [
    `${pad('row', 30)} ${pad('under coroner run', 36)} ${pad('from what was left behind', 36)}`,
  ];
  const skipped = [];
  for (const id of ids) {
    const of = (phase) => rows.find((row) => row.id === id && row.phase === phase);
    const first = rows.find((row) => row.id === id);
    if (first.skipped) {
      skipped.push(`  ${id}: ${first.skipped}`);
      continue;
    }
    lines.push(`${pad(id, 30)} ${pad(said(of('live')), 36)} ${pad(said(of('after')), 36)}`);
    for (const row of rows.filter((other) => other.id === id && !other.skipped)) {
      const complaints = [
        ...(row.right ? [] : [`expected ${row.expected.join(' or ')}`]),
        ...row.faults,
        ...row.certainAndWrong.map((what) => `CERTAIN AND WRONG: ${what}`),
      ];
      for (const complaint of complaints) lines.push(`    ${row.phase}: ${complaint}`);
    }
  }
  const judged = rows.filter((row) => !row.skipped);
  lines.push(
    '',
    `${judged.filter((row) => row.right).length} of ${judged.length} verdicts name the cause that was provoked; ${judged.filter((row) => row.certainAndWrong.length > 0).length} certain and wrong.`,
  );
  if (skipped.length > 0) lines.push('Not provoked here:', ...skipped);
  return lines.join('\n');
};
