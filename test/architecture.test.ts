import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const architecture = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');

/** Rows of the import table: `| `src/model/` | … | nothing |`. */
const table = [...architecture.matchAll(/^\| `src\/(\w+)\/` \|[^|]*\| ([^|]*) \|$/gm)].map(
  ([, folder = '', cell = '']) => ({ folder, cell: cell.trim() }),
);
const folders = table.map(({ folder }) => folder);
const allowed = new Map(
  table.map(({ folder, cell }) => [
    folder,
    cell === 'all' ? folders : cell === 'nothing' ? [] : cell.split(',').map((name) => name.trim()),
  ]),
);
const pure = /`node:\*` is not imported in ([\w, ]+):/.exec(architecture)?.[1]?.split(', ') ?? [];

interface Case {
  readonly file: string;
  readonly source: string;
  readonly forbidden: boolean;
}
const cases: Case[] = [];
for (const from of folders) {
  for (const to of folders.filter((name) => name !== from)) {
    const forbidden = !allowed.get(from)?.includes(to);
    // As a sibling's file, as a type and from a folder deeper down: no way round.
    cases.push(
      {
        file: `src/${from}/to-${to}.ts`,
        source: `import { x } from '../${to}/y.ts';\nexport { x };\n`,
        forbidden,
      },
      {
        file: `src/${from}/type-${to}.ts`,
        source: `import type { x } from '../${to}/y.ts';\nexport type { x };\n`,
        forbidden,
      },
      {
        file: `src/${from}/deep/to-${to}.ts`,
        source: `export { x } from '../../${to}/z/y.ts';\n`,
        forbidden,
      },
    );
  }
  for (const module of ['node:fs', 'node:fs/promises'])
    cases.push({
      file: `src/${from}/${module.replace(/\W/g, '-')}.ts`,
      source: `import { x } from '${module}';\nexport { x };\n`,
      forbidden: pure.includes(from),
    });
}
/** toISOString() throws on what no clock says: one function guards it. */
const timeCases: readonly Case[] = [
  ['src/parsers/time.ts', true],
  ['src/record/deep/time.ts', true],
  ['src/model/other.ts', true],
  ['src/model/units.ts', false],
  ['src/parsers/time.test.ts', false],
].map(([file, forbidden]) => ({
  file: String(file),
  source: 'export const x = new Date(1).toISOString();\n',
  forbidden: forbidden === true,
}));
/** The page stands beside src/, and runs in a browser. */
const pageRow = /^\| `report\/` \|[^|]*\| ([^|]*) \|$/m.exec(architecture)?.[1]?.trim() ?? '';
const pageMayImport = pageRow.split(',').map((name) => name.trim());
for (const to of folders) {
  const forbidden = !pageMayImport.includes(to);
  cases.push(
    {
      file: `report/src/to-${to}.tsx`,
      source: `import { x } from '../../src/${to}/y.ts';\nexport { x };\n`,
      forbidden,
    },
    {
      file: `report/src/type-${to}.ts`,
      source: `import type { x } from '../../src/${to}/y.ts';\nexport type { x };\n`,
      forbidden,
    },
    {
      file: `report/src/deep/to-${to}.ts`,
      source: `export { x } from '../../../src/${to}/z/y.ts';\n`,
      forbidden,
    },
  );
}
for (const module of ['node:fs', 'node:fs/promises'])
  cases.push({
    file: `report/src/${module.replace(/\W/g, '-')}.ts`,
    source: `import { x } from '${module}';\nexport { x };\n`,
    forbidden: true,
  });

describe('the import table of ARCHITECTURE.md', () => {
  let tree = '';
  const complaints = new Map<string, string>();
  const timeComplaints = new Set<string>();
  beforeAll(() => {
    tree = mkdtempSync(join(tmpdir(), 'coroner-architecture-'));
    cpSync(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'));
    for (const { file, source } of [...cases, ...timeCases]) {
      mkdirSync(dirname(join(tree, file)), { recursive: true });
      writeFileSync(join(tree, file), source);
    }
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'node_modules/oxlint/bin/oxlint'), '--format=json', '.'],
      { cwd: tree, encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    if (!stdout.startsWith('{')) throw new Error(`oxlint said: ${stdout}${stderr}`);
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: { code: string; filename: string; help?: string; message: string }[];
    };
    for (const { code, filename, message, help } of diagnostics)
      if (code.includes('no-restricted-properties'))
        timeComplaints.add(filename.replace(/^\.\//, ''));
      else if (code.includes('no-restricted-imports'))
        complaints.set(filename.replace(/^\.\//, ''), `${message} ${help ?? ''}`);
  });
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it('names every folder of src/', () => {
    const there = readdirSync(join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(folders).toEqual(expect.arrayContaining(there));
    expect(pure.length).toBeGreaterThan(0);
  });

  for (const { folder, cell } of table)
    it(`${folder}/ may import ${cell}: the linter refuses all else and allows that`, () => {
      const own = cases.filter(({ file }) => file.startsWith(`src/${folder}/`));
      expect(own.filter(({ file }) => complaints.has(file)).map(({ file }) => file)).toEqual(
        own.filter(({ forbidden }) => forbidden).map(({ file }) => file),
      );
    });
  it(`report/ may import ${pageRow}: the linter refuses all else and allows that`, () => {
    const own = cases.filter(({ file }) => file.startsWith('report/'));
    expect(own.filter(({ forbidden }) => !forbidden).length).toBeGreaterThan(0);
    expect(own.filter(({ file }) => complaints.has(file)).map(({ file }) => file)).toEqual(
      own.filter(({ forbidden }) => forbidden).map(({ file }) => file),
    );
  });
  it('only units.ts turns a Date into text', () => {
    expect([...timeComplaints].toSorted()).toEqual(
      timeCases.flatMap(({ file, forbidden }) => (forbidden ? [file] : [])).toSorted(),
    );
  });
  it('says which row was broken', () => {
    expect(complaints.get('src/model/to-parsers.ts')).toContain('ARCHITECTURE.md');
  });
});
