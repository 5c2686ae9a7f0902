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
/** Where files of others are read: nothing there opens one by itself. */
const careful =
  /No file is opened by `node:fs` in ([\w, ]+):/.exec(architecture)?.[1]?.split(', ') ?? [];
const openers = [
  "import { openSync } from 'node:fs';\nexport { openSync };\n",
  "import { lstatSync, readFileSync as read } from 'node:fs';\nexport { lstatSync, read };\n",
  "import { createReadStream } from 'fs';\nexport { createReadStream };\n",
  "import { writeFileSync } from 'node:fs';\nexport { writeFileSync };\n",
  "import { open } from 'node:fs/promises';\nexport { open };\n",
  "import { readFile } from 'node:fs/promises';\nexport { readFile };\n",
  "import { promises } from 'node:fs';\nexport { promises };\n",
  "import * as fs from 'node:fs';\nexport { fs };\n",
  "import fs from 'node:fs';\nexport { fs };\n",
  "export { openSync } from 'node:fs';\n",
  "export * from 'node:fs';\n",
];
const harmless = [
  "import { closeSync, fstatSync, readSync } from 'node:fs';\nexport { closeSync, fstatSync, readSync };\n",
  "import { readdir, stat } from 'node:fs/promises';\nexport { readdir, stat };\n",
];
/** Who may all the same: the kernel's own files. */
const trusted = [
  'src/python/process/live-process.ts',
  'src/python/heap/resident.ts',
  'src/record/helper.ts',
  'src/record/oom-score.ts',
  'src/record/tree.ts',
  'src/record/stderr-tail.ts',
  'src/record/final-snapshot/limits.ts',
  'src/record/final-snapshot/thread-cpu.ts',
  'src/gather/this-machine/kernel-ring.ts',
];
const openingCases: readonly Case[] = [
  ...careful.flatMap((folder) =>
    [folder, `${folder}/deep/down`].flatMap((place) => [
      ...openers.map((source, index) => ({
        file: `src/${place}/opens-${index}.ts`,
        source,
        forbidden: true,
      })),
      ...harmless.map((source, index) => ({
        file: `src/${place}/looks-${index}.ts`,
        source,
        forbidden: false,
      })),
    ]),
  ),
  ...trusted.map((file, index) => {
    // What they may import of src/ is their folder's row, as for all others: the first of each folder breaks it.
    const folder = file.split('/')[1];
    const isFirst = trusted.findIndex((one) => one.split('/')[1] === folder) === index;
    const others = isFirst ? "export { x } from '../../cli/y.ts';\n" : '';
    return { file, source: `${openers[0]}${others}`, forbidden: isFirst };
  }),
  ...['src/files/opens.ts', 'src/store/opens.test.ts'].map((file) => ({
    file,
    source: openers[0] ?? '',
    forbidden: false,
  })),
];
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
    for (const { file, source } of [...cases, ...timeCases, ...openingCases]) {
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
  it('nothing opens a file of others but by files/', () => {
    expect(careful.toSorted()).toEqual(['gather', 'python', 'record', 'store']);
    expect(openingCases.filter(({ file }) => complaints.has(file)).map(({ file }) => file)).toEqual(
      openingCases.filter(({ forbidden }) => forbidden).map(({ file }) => file),
    );
    expect(complaints.get('src/store/opens-0.ts')).toContain('src/files/');
  });
  it('who may is named, is there, and opens something', () => {
    const config = readFileSync(join(root, '.oxlintrc.json'), 'utf8');
    for (const file of trusted) {
      expect(config).toContain(`"${file}"`);
      expect(readFileSync(join(root, file), 'utf8'), file).toMatch(
        /\b(?:openSync|readFileSync|writeFileSync)\(/,
      );
    }
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
