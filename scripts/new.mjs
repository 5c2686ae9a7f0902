// npm run new parser NAME            a parser: its file, its line in the index, a fixture and a look-alike
// npm run new rule NAME WITNESS [CAUSE]   a rule: its file, its line in the index, a test with a look-alike
//   CAUSE   what it explains (default: userspace-oom-daemon); one that is new gets an entry and a page. `--cause CAUSE` is the same
//
// The code is that of docs/adding-a-parser.md and docs/adding-a-rule.md, with your names in it. Nothing that exists is overwritten,
// and where something is wrong nothing is written.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const words = process.argv.slice(2);
const option = (name) => {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words.splice(at, 2)[1];
};
/** Another tree is for the test of this script. */
const root = option('--root') ?? fileURLToPath(new URL('../', import.meta.url));
// npm keeps `--cause` for itself unless `--` stands before it: `--cause ID` then comes as a plain word, `--cause=ID` only in the environment.
const named = option('--cause') ?? words[3] ?? process.env['npm_config_cause'];
const cause = named === undefined || named === '' ? 'userspace-oom-daemon' : named;
const [kind, name, witness] = words;

const read = (path) => readFileSync(join(root, path), 'utf8');
const fail = (message) => {
  console.error(`new: ${message}`);
  process.exit(64);
};
/** Path to text. Written at the end: a problem leaves the tree as it was. */
const made = new Map();
function write(path, text) {
  if (existsSync(join(root, path))) fail(`${path} exists`);
  made.set(path, text);
}
function edit(path, change) {
  const before = read(path);
  const after = change(before);
  if (after === before) fail(`${path} does not look as expected: add the line by hand`);
  made.set(path, after);
}
function writeAll() {
  for (const [path, text] of made) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const camel = (id) => id.replaceAll(/-([a-z\d])/g, (_, letter) => letter.toUpperCase());
/** The block of a page that follows "```HEAD". */
function block(page, head) {
  const text = read(page);
  const start = text.indexOf(`\`\`\`${head}\n`);
  if (start < 0) fail(`${page} has no block "${head}"`);
  const from = start + head.length + 4;
  return text.slice(from, text.indexOf('```', from));
}

const isId = (text) => /^[a-z][a-z\d]*(?:-[a-z\d]+)*$/.test(text);

/** A line for the list in an index: the import among the others, the entry at the end. */
const listed = (from, listName) => (text) => {
  if (new RegExp(`^import \\{ ${camel(name)} \\}`, 'm').test(text)) fail(`${name} exists already`);
  return text
    .replace(/^import /m, `import { ${camel(name)} } from '${from}';\nimport `)
    .replace(
      new RegExp(`(export const ${listName}: readonly \\w+\\[\\] = \\[\\n[^]*?)(\\n\\];)`),
      `$1\n  ${camel(name)},$2`,
    );
};

function newParser() {
  if (existsSync(join(root, 'fixtures', name))) fail(`fixtures/${name}/ exists`);
  const renamed = (text) =>
    text
      .replaceAll('exampleGuard', camel(name))
      .replaceAll('example-guard', name)
      .replaceAll('exampleguard', name);
  const page = 'docs/adding-a-parser.md';
  write(
    `src/parsers/formats/${name}.ts`,
    renamed(block(page, 'ts src/parsers/formats/example-guard.ts')),
  );
  edit('src/parsers/index.ts', listed(`./formats/${name}.ts`, 'parsers'));
  write(`fixtures/${name}/ending/input.log`, renamed(block(page, 'text sample')));
  write(`fixtures/${name}/ending/about.md`, renamed(block(page, 'markdown about')));
  write(`fixtures/${name}/look-alike/input.log`, renamed(block(page, 'text look-alike')));
  write(`fixtures/${name}/look-alike/about.md`, renamed(block(page, 'markdown look-alike')));
  return [
    [`src/parsers/formats/${name}.ts`, 'reads the example of the page: make it read yours'],
    [`fixtures/${name}/`, 'holds the sample of the page: put yours there, in both folders'],
    [
      'src/parsers/index.ts',
      'it is the last of the list: docs/adding-a-parser.md says when to move it',
    ],
    [
      `npx vitest run test/parsers.test.ts -u -t ${name}`,
      'writes expected.json, again after every change: read it, it is what people will get',
    ],
    ['npm run build && npm run docs', 'lists the format in docs/coverage.md'],
  ];
}

function newRule() {
  const witnesses = readdirSync(join(root, 'src/rules'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'shared')
    .map((entry) => entry.name);
  if (!isId(cause)) fail(`"${cause}" is no name of a cause: it is like some-limit`);
  if (!witnesses.includes(witness))
    fail(`a rule is sorted by its witness: npm run new rule ${name} ${witnesses.join('|')}`);
  const page = 'docs/adding-a-rule.md';
  const renamed = (text) =>
    text
      .replaceAll('exampleRule', camel(name))
      .replaceAll('example-rule', name)
      .replaceAll("'userspace-oom-daemon'", `'${cause}'`);
  write(
    `src/rules/${witness}/${name}.ts`,
    renamed(block(page, 'ts src/rules/other-killers/example-rule.ts')),
  );
  write(
    `src/rules/${witness}/${name}.test.ts`,
    renamed(block(page, 'ts src/rules/other-killers/example-rule.test.ts')),
  );
  edit('src/rules/index.ts', listed(`./${witness}/${name}.ts`, 'rules'));
  const isNew = !new RegExp(`^  '?${cause}'?: \\{`, 'm').test(read('src/model/causes.ts'));
  if (isNew) {
    edit('src/model/causes.ts', (text) =>
      text.replace(
        /\n\} as const satisfies/,
        `\n  '${cause}': {\n    death: 'assassination',\n    outOfMemory: true,\n    title: 'Say in one line what happened',\n  },\n} as const satisfies`,
      ),
    );
    write(`docs/causes/${cause}.md`, renamed(block(page, 'markdown page')));
  }
  return [
    [`src/rules/${witness}/${name}.ts`, 'judges the example of the page: make it judge yours'],
    [
      'src/rules/index.ts',
      'it is the last of the list, and loses to an earlier rule that is as sure: move it if it is the more specific one',
    ],
    ...(isNew
      ? [
          ['src/model/causes.ts', 'death, outOfMemory and title of the new cause'],
          [`docs/causes/${cause}.md`, 'its page'],
        ]
      : []),
    [
      `npx vitest run src/rules/${witness}/${name}.test.ts`,
      'the death that it is for, and the look-alike',
    ],
    ...(isNew ? [['npm run build && npm run docs', 'lists the new cause']] : []),
  ];
}

if (!isId(name ?? ''))
  fail(
    'npm run new parser NAME, or npm run new rule NAME WITNESS [CAUSE]; a name is like some-guard',
  );
if (kind !== 'parser' && kind !== 'rule') fail(`"${kind}" is neither parser nor rule`);
if (words.length > (kind === 'parser' ? 2 : 4)) fail(`what is "${words.at(-1)}"?`);
const steps = kind === 'parser' ? newParser() : newRule();
writeAll();
console.log('Made:');
for (const path of made.keys()) console.log(`  ${path}`);
console.log('\nNow, in this order:');
for (const [what, why] of [
  ...steps,
  ['npm run check && npm test', 'nothing of the example may be left'],
])
  console.log(`  ${what}\n      ${why}`);
