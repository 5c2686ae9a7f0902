// npm run docs: writes the generated parts of the documents. --check: writes nothing, ends with 1 where one is out of date.
//
// A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; NAME is a generator below.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('../', import.meta.url));
const check = process.argv.includes('--check');
const built = (path) => import(pathToFileURL(join(root, 'dist', path)).href);
/** What the documents say is read from dist/: an old one would give, and check, yesterday's words. */
const newest = (folder) =>
  Math.max(
    ...readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(
        (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'),
      )
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
const builtAt =
  statSync(join(root, 'dist/bundle/main.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (builtAt < newest('src')) {
  console.error(`docs: dist/ is ${builtAt === 0 ? 'missing' : 'older than src/'}: npm run build`);
  process.exit(1);
}

/** A table in Markdown; cells are Markdown already. */
const table = (columns, rows) =>
  [columns, columns.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

/** Each gives Markdown. */
const generators = {
  /** `coroner --help` as a person sees it at 80 columns. */
  help: () => {
    const { stdout, status } = spawnSync(
      process.execPath,
      [join(root, 'bin/coroner.js'), '--help'],
      { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', COLUMNS: '80' } },
    );
    if (status !== 0) throw new Error('coroner --help failed');
    return `\`\`\`\n${stdout.trimEnd()}\n\`\`\``;
  },
  /** What was said of the programs of real libraries, as `node test/libraries/run.mjs --write` has left it. */
  libraries: () => {
    const cell = (text) => `${text ?? ''}`.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();
    const rows = JSON.parse(readFileSync(join(root, 'test/libraries/results.json'), 'utf8'));
    const mark = (right, text) => `${right ? '' : '**not:** '}${cell(text)}`;
    const count = (what) => rows.filter((row) => row[what]).length;
    const listed = rows.map((row) => [
      `\`${row.program}\``,
      cell(row.versions),
      `\`${row.truth[0]}\`, line ${row.lines[0] ?? `${row.cell ?? 1} of the cell`}`,
      mark(row.variable, row.said === null ? 'nothing' : `\`${row.said}\``),
      mark(row.line, row.saidLine === null ? 'no line' : `\`${row.saidLine}\``),
      row.bytes === null ? '' : `${Math.round(row.bytes / 2 ** 20)} of ${row.limitMiB} MiB`,
      cell(row.remedies.find((one) => one.startsWith('Hold less'))),
    ]);
    return [
      `Of ${rows.length} programs the variable was right in ${count('variable')}, the line in ${count('line')}.`,
      '',
      table(
        ['program', 'versions', 'truth', 'variable said', 'line said', 'bytes', 'what now'],
        listed,
      ),
    ].join('\n');
  },
  /** Every parser with its fixtures: what they say of themselves, and the verdict they must give. */
  coverage: async () => {
    const { parsers } = await built('parsers/index.js');
    const read = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
    const cell = (text) => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();
    const cases = (id) => {
      const folder = join(root, 'fixtures', id);
      if (!existsSync(folder)) return [];
      return readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => {
          const about = read(join(folder, name, 'about.md'));
          const field = (key) => cell(new RegExp(`^- ${key}: (.*)$`, 'm').exec(about)?.[1] ?? '');
          const { incidents = [] } = JSON.parse(read(join(folder, name, 'expected.json')) || '{}');
          const causes = [...new Set(incidents.map(({ cause }) => cause))].join(', ') || 'no death';
          const title = cell(about.split('\n')[0].replace(/^# /, ''));
          return {
            name,
            title,
            causes,
            format: field('format'),
            kernel: field('kernel'),
            damage: field('damage'),
          };
        })
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    };
    const summary = parsers.map(({ id, title }) => [
      `[\`${id}\`](#${id})`,
      cell(title),
      cases(id).length,
    ]);
    const sections = parsers.map(({ id, title }) => {
      const rows = cases(id);
      if (rows.length === 0) return '';
      const detailed = rows.some(({ format }) => format !== '');
      const listed = detailed
        ? table(
            ['case', 'what it is', 'format', 'version', 'damage', 'verdict'],
            rows.map(({ name, title: what, format, kernel, damage, causes }) => [
              name,
              what,
              format,
              kernel,
              damage,
              causes,
            ]),
          )
        : table(
            ['case', 'what it is', 'verdict'],
            rows.map(({ name, title: what, causes }) => [name, what, causes]),
          );
      return [`### ${id}`, '', `${cell(title)}.`, '', listed, ''].join('\n');
    });
    return [table(['parser', 'format', 'fixtures'], summary), '', ...sections.filter(Boolean)]
      .join('\n')
      .trimEnd();
  },
  /** One line a cause, with its page where there is one. */
  causes: async (file) => {
    const { causes } = await built('model/causes.js');
    const base = file.startsWith('docs/causes/')
      ? ''
      : file.startsWith('docs/')
        ? 'causes/'
        : 'docs/causes/';
    const rows = Object.entries(causes).map(([id, { death, title }]) => {
      const page = existsSync(join(root, `docs/causes/${id}.md`))
        ? `[\`${id}\`](${base}${id}.md)`
        : `\`${id}\``;
      return [page, death, title];
    });
    return table(['cause', 'death', 'what happened'], rows);
  },
};

/** The verdict on docs/example/run, a recorded run of docs/example/orders.py in a cgroup of 256 MiB, as it stands on a terminal of 80 columns. */
generators.verdict = () => {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-docs-'));
  try {
    const run = join(folder, 'run');
    cpSync(join(root, 'docs/example/run'), run, { recursive: true });
    // The agent's file is mostly zeros: packed in the repository.
    for (const name of readdirSync(join(run, 'agent')).filter((file) => file.endsWith('.gz'))) {
      const packed = join(run, 'agent', name);
      writeFileSync(packed.slice(0, -'.gz'.length), gunzipSync(readFileSync(packed)));
      rmSync(packed);
    }
    const { stdout, status, stderr } = spawnSync(
      process.execPath,
      [join(root, 'bin/coroner.js'), 'diagnose', run],
      {
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1', COLUMNS: '80', LC_ALL: 'C.UTF-8' },
      },
    );
    if (status !== 0) throw new Error(`coroner diagnose failed: ${stderr}`);
    return `\`\`\`\n$ coroner run python3 orders.py\n${stdout.trimEnd()}\n\`\`\``;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** How often each word was right; from what `scripts/calibration.mjs` wrote down. */
generators.calibration = () => {
  const { rows, phases, wrong, skipped, texts } = JSON.parse(
    readFileSync(join(root, 'docs/calibration.json'), 'utf8'),
  );
  const share = ({ right, wrong: not }) => (right + not === 0 ? '–' : `${right} of ${right + not}`);
  const words = ['certain', 'strong', 'likely', 'weak', 'nothing'];
  const columns = [
    ['under `coroner run`', phases.live],
    ['from its folder', phases.folder],
    ['from what was left behind', phases.after],
    ...(texts ? [[`${texts.files} texts of others`, texts.tally]] : []),
  ];
  return [
    `${rows} deaths and look-alikes were provoked.`,
    '',
    table(
      ['said', ...columns.map(([title]) => title)],
      words.map((word) => [word, ...columns.map(([, tally]) => share(tally[word]))]),
    ),
    '',
    wrong.length === 0
      ? 'None was told wrongly.'
      : `Told wrongly: ${wrong.map(({ id, phase, said, confidence, expected }) => `\`${id}\` (${phase}): ${said}${confidence ? `, ${confidence}` : ''}, not ${expected.join(' or ')}`).join('; ')}.`,
    ...(Object.keys(skipped).length === 0
      ? []
      : [
          '',
          `Not provoked: ${[...new Set(Object.values(skipped))]
            .map((why) => {
              const ids = Object.keys(skipped).filter((id) => skipped[id] === why);
              return `${ids.map((id) => `\`${id}\``).join(', ')} (${why})`;
            })
            .join('; ')}.`,
        ]),
  ].join('\n');
};

/** First answers on texts that nobody had tuned to, a row a round (test/blind/README.md). */
generators.blind = () => {
  const folder = join(root, 'test/blind/rounds');
  const rows = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => {
      const round = JSON.parse(readFileSync(join(folder, name), 'utf8'));
      const count = (what) => round.filter((row) => row[what]).length;
      const alike = round.filter(({ expected }) => expected.memory !== true).length;
      return `| ${name.replace('.json', '')} | ${round.length} | ${count('rightOnMemory')} | ${count('rightOnCause')} | ${count('falseAlarm')} of ${alike} | ${count('firmAndWrong')} |`;
    });
  return [
    '| round | texts | right on memory | right on the cause | false alarms | certain or strong and wrong |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
};

const documents = ['README.md', 'CONTRIBUTING.md'];
const collect = (folder) => {
  if (!existsSync(join(root, folder))) return;
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true }))
    if (entry.isDirectory()) collect(`${folder}/${entry.name}`);
    else if (entry.name.endsWith('.md')) documents.push(`${folder}/${entry.name}`);
};
collect('docs');

let stale = 0;
for (const file of documents) {
  if (!existsSync(join(root, file))) continue;
  const before = readFileSync(join(root, file), 'utf8');
  let after = before;
  for (const [whole, name] of before.matchAll(/<!-- generated: ([\w-]+) -->\n[^]*?<!-- end -->/g)) {
    const generate = generators[name];
    if (!generate) throw new Error(`${file}: no generator is called ${name}`);
    const text = await generate(file);
    after = after.replace(whole, () => `<!-- generated: ${name} -->\n${text}\n<!-- end -->`);
  }
  if (after === before) continue;
  stale += 1;
  console.error(`docs: ${file} ${check ? 'is out of date: npm run docs' : 'written'}`);
  if (!check) writeFileSync(join(root, file), after);
}
// The published schemas (JSON Schema 2020-12).
const { toJsonSchema } = await import('@valibot/to-json-schema');
const schemas = await built('model/report-schema.js');
for (const [name, title, schema] of [
  ['report', 'A report of coroner: --json of run, diagnose and show', schemas.reportSchema],
  ['inspection', 'What coroner inspect --json writes', schemas.inspectionSchema],
]) {
  const file = `docs/schema/${name}.schema.json`;
  const { $schema, ...rest } = toJsonSchema(schema, { target: 'draft-2020-12' });
  const text = `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
  if (existsSync(join(root, file)) && readFileSync(join(root, file), 'utf8') === text) continue;
  stale += 1;
  console.error(`docs: ${file} ${check ? 'is out of date: npm run docs' : 'written'}`);
  if (!check) {
    mkdirSync(join(root, 'docs/schema'), { recursive: true });
    writeFileSync(join(root, file), text);
  }
}
process.exit(check && stale > 0 ? 1 : 0);
