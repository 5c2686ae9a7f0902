// npm test: the quick tests. npm run test:deep (--deep): real deaths by the dozen, virtual machines, long fuzzing.
// Whatever else stands on the line goes to vitest: npm test -- src/parsers.
//
// Ends with `N passed, N failed, N skipped`, and before it every skipped test by name. With CORONER_TEST_COUNTS=FILE the
// counts go there as well, one JSON object a line, so that a caller can add up several runs.
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readRows, table } from './matrix-table.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const deep = process.argv.includes('--deep');
const rest = process.argv.slice(2).filter((argument) => argument !== '--deep');
const total = { passed: 0, failed: [], retried: [], skipped: [], seconds: [] };

/** The tests of the command run what stands in dist/: never let them judge an older build. */
const newest = (folder) =>
  existsSync(join(root, folder))
    ? Math.max(
        0,
        ...readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
          .map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs),
      )
    : 0;
const built = join(root, 'dist/cli/main.js');
const sources = Math.max(newest('src'), newest('report/src'), newest('agent'), newest('helper'));
if (!existsSync(built) || statSync(built).mtimeMs < sources) {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.log('0 passed, 1 failed, 0 skipped');
    process.exit(1);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
const matrix = process.env.CORONER_MATRIX_RESULTS ?? join(folder, 'matrix.ndjson');
/** Vitest over one lane of the tests (vitest.config.ts): its output as it comes, what became of each test added to `total`. */
const run = async (lane) => {
  const counts = join(folder, `counts-${lane}.json`);
  const vitest = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=./scripts/vitest-counts.mjs',
      ...rest,
    ],
    {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        CORONER_VITEST_COUNTS: counts,
        CORONER_MATRIX_RESULTS: matrix,
        CORONER_DEEP: lane,
      },
    },
  );
  const ended = await new Promise((resolve) => {
    vitest.on('exit', (code, signal) => resolve(code ?? signal));
  });
  if (existsSync(counts)) {
    const seen = JSON.parse(readFileSync(counts, 'utf8'));
    total.passed += seen.passed;
    for (const key of ['failed', 'retried', 'skipped', 'seconds']) total[key].push(...seen[key]);
    if (ended !== 0 && seen.failed.length === 0)
      total.failed.push({ name: `vitest ended with ${ended}`, words: [] });
  } else total.failed.push({ name: 'vitest gave no counts', words: [] });
};
// Two lanes side by side where all is run; where something was chosen, just that.
const lanes = !deep ? [''] : rest.length > 0 ? ['all'] : ['deaths', 'computing'];
try {
  await Promise.all(lanes.map(run));
  if (existsSync(matrix)) console.log(`\n${table(readRows(matrix))}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const list = (title, tests) => {
  if (tests.length === 0) return;
  console.log(`\n${title}`);
  for (const { name, words } of tests)
    console.log([`  ${name}`, ...words.map((line) => `      ${line}`)].join('\n'));
};
if (total.skipped.length > 0) {
  console.log('\nSkipped here:');
  for (const { name, reason } of total.skipped)
    console.log(`  ${name}${reason ? ` (${reason})` : ''}`);
}
const slowest = total.seconds.toSorted((a, b) => b.seconds - a.seconds).slice(0, 12);
console.log(`\nSlowest: ${slowest.map(({ name, seconds }) => `${name} ${seconds} s`).join(', ')}`);
list('Passed at a second or third try:', total.retried);
// Last, so that whoever keeps only the end of the output keeps this.
list('Failed:', total.failed);
console.log('');
const [passed, failed, skipped] = [total.passed, total.failed.length, total.skipped.length];
if (process.env.CORONER_TEST_COUNTS)
  appendFileSync(
    process.env.CORONER_TEST_COUNTS,
    `${JSON.stringify({ passed, failed, skipped })}\n`,
  );
else console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 ? 1 : 0);
