// npm run new parser NAME            a parser: its file, its line in the index, a fixture and a look-alike
// npm run new rule NAME WITNESS      a rule: its file, its line in the index, a test with a look-alike
//   --cause ID   the cause it explains (default: userspace-oom-daemon); an ID that is new gets an entry and a page
//
// The code is that of docs/adding-a-parser.md and docs/adding-a-rule.md, with your names in it. Nothing that exists is overwritten.
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
const cause = option('--cause') ?? 'userspace-oom-daemon';
const [kind, name, witness] = words;

const read = (path) => readFileSync(join(root, path), 'utf8');
const fail = (message) => {
  console.error(`new: ${message}`);
  process.exit(64);
};
const made = [];
function write(path, text) {
  const file = join(root, path);
  if (existsSync(file)) fail(`${path} exists`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  made.push(path);
}
function edit(path, change) {
  const before = read(path);
  const after = change(before);
  if (after === before) fail(`${path} does not look as expected: add the line by hand`);
  writeFileSync(join(root, path), after);
  made.push(path);
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

/** A line for the list in an index: the import among the others, the entry at the end. */
const listed = (from, listName) => (text) =>
  text
    .replace(/^import /m, `import { ${camel(name)} } from '${from}';\nimport `)
    .replace(
      new RegExp(`(export const ${listName}: readonly \\w+\\[\\] = \\[\\n[^]*?)(\\n\\];)`),
      `$1\n  ${camel(name)},$2`,
    );

function newParser() {
  if (existsSync(join(root, 'fixtures', name))) fail(`fixtures/${name}/ exists`);
  const named = (text) =>
    text
      .replaceAll('exampleGuard', camel(name))
      .replaceAll('example-guard', name)
      .replaceAll('exampleguard', name);
  const page = 'docs/adding-a-parser.md';
  write(
    `src/parsers/formats/${name}.ts`,
    named(block(page, 'ts src/parsers/formats/example-guard.ts')),
  );
  edit('src/parsers/index.ts', listed(`./formats/${name}.ts`, 'parsers'));
  write(`fixtures/${name}/ending/input.log`, named(block(page, 'text sample')));
  write(`fixtures/${name}/ending/about.md`, named(block(page, 'markdown about')));
  write(`fixtures/${name}/look-alike/input.log`, named(block(page, 'text look-alike')));
  write(`fixtures/${name}/look-alike/about.md`, named(block(page, 'markdown look-alike')));
  return [
    `npx vitest run test/parsers.test.ts -u -t ${name}    writes expected.json: read it, it is what people will get`,
    'npm run build && npm run docs                          lists the format in docs/coverage.md',
  ];
}

function newRule() {
  const witnesses = readdirSync(join(root, 'src/rules'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'shared')
    .map((entry) => entry.name);
  if (!witnesses.includes(witness))
    fail(`a rule is sorted by its witness: npm run new rule ${name} ${witnesses.join('|')}`);
  const page = 'docs/adding-a-rule.md';
  const named = (text) =>
    text
      .replaceAll('exampleRule', camel(name))
      .replaceAll('example-rule', name)
      .replaceAll("'userspace-oom-daemon'", `'${cause}'`);
  write(
    `src/rules/${witness}/${name}.ts`,
    named(block(page, 'ts src/rules/other-killers/example-rule.ts')),
  );
  write(
    `src/rules/${witness}/${name}.test.ts`,
    named(block(page, 'ts src/rules/other-killers/example-rule.test.ts')),
  );
  edit('src/rules/index.ts', listed(`./${witness}/${name}.ts`, 'rules'));
  if (
    !read('src/model/causes.ts').includes(`  '${cause}': {`) &&
    !read('src/model/causes.ts').includes(`\n  ${cause}: {`)
  ) {
    edit('src/model/causes.ts', (text) =>
      text.replace(
        /\n\} as const satisfies/,
        `\n  '${cause}': {\n    death: 'assassination',\n    outOfMemory: true,\n    title: 'Say in one line what happened',\n  },\n} as const satisfies`,
      ),
    );
    write(`docs/causes/${cause}.md`, named(block(page, 'markdown page')));
  }
  return [
    `npx vitest run src/rules/${witness}/${name}.test.ts    the death that it is for, and the look-alike`,
    'npm run build && npm run docs                     lists a new cause',
  ];
}

if (!/^[a-z][a-z\d]*(?:-[a-z\d]+)*$/.test(name ?? ''))
  fail('npm run new parser NAME, or npm run new rule NAME WITNESS; a name is like some-guard');
const steps = kind === 'parser' ? newParser() : kind === 'rule' ? newRule() : null;
if (steps === null) fail(`"${kind}" is neither parser nor rule`);
console.log(
  [...made.map((path) => `  ${path}`), '', 'Now:', ...steps.map((step) => `  ${step}`)].join('\n'),
);
