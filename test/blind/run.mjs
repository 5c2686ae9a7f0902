// node test/blind/run.mjs FOLDER [--write NAME]: the first answers on a blind round (README.md beside this file).
// FOLDER holds texts and expect.json: [{ file, kind, memory, cause }]. --write keeps the table as rounds/NAME.json, without any text.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [folder, flag, name] = process.argv.slice(2);
if (folder === undefined || (flag !== undefined && (flag !== '--write' || name === undefined))) {
  console.error('usage: node test/blind/run.mjs FOLDER [--write NAME]');
  process.exit(64);
}
const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));

/** The incident that accuses memory most, and most surely. */
function worst(incidents) {
  const words = ['certain', 'strong', 'likely', 'weak'];
  const accusation = ({ outOfMemory }) => [true, null, false].indexOf(outOfMemory);
  return incidents.toSorted(
    (a, b) =>
      accusation(a) - accusation(b) || words.indexOf(a.confidence) - words.indexOf(b.confidence),
  )[0];
}

function ask(file) {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [coroner, 'diagnose', '--json', '-', join(folder, file)],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, maxBuffer: 1 << 28 },
  );
  if (status !== 0) throw new Error(`${file}: status ${status}: ${stderr}`);
  return worst(JSON.parse(stdout).incidents);
}

const isFirm = (answer) => answer?.confidence === 'certain' || answer?.confidence === 'strong';

/** `memory` and `cause` of the row: whether the answer is right on them. */
function judge({ kind, memory, cause }, answer) {
  const said = answer === undefined ? 'nothing' : answer.outOfMemory;
  const rightOnMemory =
    memory === true
      ? said === true
      : said !== true && !(memory === null && said === false && isFirm(answer));
  const wanted = cause?.split('/') ?? null;
  const rightOnCause =
    wanted === null
      ? said !== true
      : wanted.includes(answer?.cause) ||
        (answer === undefined &&
          (wanted.includes('not-memory') || wanted.includes('undetermined')));
  return {
    kind,
    expected: { memory, cause },
    said: { memory: said, cause: answer?.cause ?? null, confidence: answer?.confidence ?? null },
    rightOnMemory,
    rightOnCause,
    falseAlarm: memory !== true && said === true,
    firmAndWrong: !rightOnMemory && isFirm(answer),
  };
}

const rows = JSON.parse(readFileSync(join(folder, 'expect.json'), 'utf8')).map((expected) => ({
  file: expected.file,
  ...judge(expected, ask(expected.file)),
}));
const count = (what) => rows.filter((row) => row[what]).length;
for (const { file, kind, expected, said, rightOnMemory, rightOnCause } of rows)
  if (!rightOnMemory || !rightOnCause)
    console.log(
      `${file} (${kind}): expected ${expected.memory}, ${expected.cause}; said ${said.memory}, ${said.cause}, ${said.confidence}`,
    );
console.log(
  `${rows.length} texts: right on memory ${count('rightOnMemory')}, on the cause ${count('rightOnCause')}; ` +
    `false alarms ${count('falseAlarm')}; certain or strong and wrong ${count('firmAndWrong')}`,
);
if (name !== undefined) {
  const table = rows.map((row) => {
    const { file: _, ...shown } = row;
    return shown;
  });
  writeFileSync(
    new URL(`./rounds/${name}.json`, import.meta.url),
    `[\n${table.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n]\n`,
  );
}
