// node scripts/calibration.mjs MATRIX.ndjson... [--corpus FOLDER] [--output FILE]: writes docs/calibration.json (or FILE), from which
// `npm run docs` makes the table. Ends with 1 where anything was certain and wrong.
//
// MATRIX.ndjson is what `CORONER_MATRIX_RESULTS=MATRIX.ndjson npm run test:deep` leaves. FOLDER is a labelled corpus of incident texts that
// is not part of this repository: labels.jsonl with { file, is_oom, cause } a line.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const args = process.argv.slice(2);
const option = (name) => {
  const at = args.indexOf(name);
  return at < 0 ? null : args.splice(at, 2)[1];
};
const corpus = option('--corpus');
const output = option('--output') ?? join(root, 'docs/calibration.json');
const files = args;
const lines = (file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** `{ certain: { right, wrong }, … }` */
const tally = () =>
  Object.fromEntries(
    ['certain', 'strong', 'likely', 'weak', 'nothing'].map((word) => [
      word,
      { right: 0, wrong: 0 },
    ]),
  );
const count = (table, confidence, right) => {
  table[confidence ?? 'nothing'][right ? 'right' : 'wrong'] += 1;
};

const phases = { live: tally(), folder: tally(), after: tally() };
const wrong = [];
const certainAndWrong = [];
const rows = new Set();
const skipped = new Map();
// Of a row that was provoked again the last verdict counts.
const last = new Map(files.flatMap(lines).map((row) => [`${row.id} ${row.phase ?? ''}`, row]));
for (const row of last.values()) {
  if (row.skipped) {
    skipped.set(row.id, row.skipped);
    continue;
  }
  rows.add(row.id);
  count(phases[row.phase], row.said.confidence, row.right);
  certainAndWrong.push(...row.certainAndWrong.map((what) => `${row.id} (${row.phase}): ${what}`));
  if (!row.right)
    wrong.push({
      id: row.id,
      phase: row.phase,
      said: row.said.cause,
      confidence: row.said.confidence,
      expected: row.expected,
    });
}

let texts = null;
if (corpus) {
  texts = { files: 0, tally: tally() };
  for (const label of lines(join(corpus, 'labels.jsonl'))) {
    const { stdout } = spawnSync(
      process.execPath,
      [join(root, 'bin/coroner.js'), 'diagnose', '--json', '-', join(corpus, label.file)],
      {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
        timeout: 60_000,
      },
    );
    const { incidents } = JSON.parse(stdout);
    texts.files += 1;
    // A kill without a proof may be a cautious yes or "cannot be told"; all else has one right answer to "was it memory?".
    const open = label.cause === 'undetermined';
    for (const incident of incidents) {
      const right = open
        ? incident.outOfMemory !== false && incident.confidence !== 'certain'
        : incident.outOfMemory === null ||
          incident.outOfMemory === label.is_oom ||
          (label.is_oom &&
            incident.outOfMemory === false &&
            incidents.some(({ outOfMemory }) => outOfMemory === true));
      count(texts.tally, incident.confidence, right);
      if (!right && incident.confidence === 'certain')
        certainAndWrong.push(`${label.file}: ${incident.cause}: ${incident.headline}`);
    }
    if (incidents.length === 0) count(texts.tally, null, !label.is_oom);
  }
}
writeFileSync(
  output,
  `${JSON.stringify({ rows: rows.size, phases, wrong, skipped: Object.fromEntries(skipped), texts }, null, 2)}\n`,
);
for (const what of certainAndWrong) console.log(`certain and wrong: ${what}`);
process.exit(certainAndWrong.length > 0 ? 1 : 0);
