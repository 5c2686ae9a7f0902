// `npm run new` lays down what compiles, runs and is listed.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import type { Evidence } from '../src/model/evidence.ts';
import type { Parser } from '../src/parsers/parser.ts';
import { linesOf } from '../src/parsers/parse.ts';
import type { Rule } from '../src/rules/shared/define-rule.ts';
import { root } from './fixtures.ts';

let tree = '';
beforeAll(() => {
  // Inside the project, so that its packages are found.
  tree = mkdtempSync(join(tmpdir(), 'coroner-scaffold-'));
  for (const part of ['src', 'docs', 'scripts', 'tsconfig.json', 'package.json'])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

const make = (...words: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'scripts/new.mjs'), '--root', tree, ...words], {
    encoding: 'utf8',
  });
const read = (path: string) => readFileSync(join(tree, path), 'utf8');

test('a parser, a rule and a rule with a cause of its own: all compile, and do what their examples say', async () => {
  for (const words of [
    ['parser', 'sample-guard'],
    ['rule', 'sample-rule', 'other-killers'],
    ['rule', 'sample-kill', 'other-killers', '--cause', 'sample-limit'],
    ['rule', 'sample-other', 'recorded-run', 'other-limit'],
  ])
    expect(make(...words)).toMatchObject({ status: 0, stderr: '' });

  const compiler = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', tree],
    { encoding: 'utf8' },
  );
  expect(compiler.stdout).toBe('');

  const { sampleGuard } = (await import(join(tree, 'src/parsers/formats/sample-guard.ts'))) as {
    sampleGuard: Parser;
  };
  expect(read('src/parsers/index.ts')).toMatch(/\n {2}sampleGuard,\n\];/);
  const evidenceOf = (name: string): Evidence[] => [
    ...sampleGuard.parse({ name, lines: linesOf(read(`fixtures/sample-guard/${name}/input.log`)) }),
  ];
  expect(diagnose({ evidence: evidenceOf('ending'), sources: [] }).incidents).toHaveLength(1);
  expect(evidenceOf('look-alike')).toEqual([]);

  const { sampleKill } = (await import(join(tree, 'src/rules/other-killers/sample-kill.ts'))) as {
    sampleKill: Rule;
  };
  expect(sampleKill).toMatchObject({ id: 'sample-kill' });
  expect(read('src/model/causes.ts')).toContain("'sample-limit'");
  expect(read('docs/causes/sample-limit.md')).toContain('## When this is wrong');
});

test('nothing is overwritten, and what is wrong is said', () => {
  expect(make('parser', 'containers').stderr).toContain('exists');
  expect(make('rule', 'another-rule').stderr).toContain('other-killers');
  expect(make('parser', 'Bad Name').status).toBe(64);
  expect(make('thing', 'good-name').stderr).toContain('neither parser nor rule');
  expect(make('parser', 'good-name', 'more').stderr).toContain('"more"');
  expect(make('rule', 'good-name', 'other-killers', 'Bad Cause').stderr).toContain('Bad Cause');
  // The same name in another folder would be in the index twice.
  expect(make('rule', 'swap-thrash', 'other-killers').stderr).toContain('exists');
  for (const left of ['src/parsers/formats', 'src/rules/other-killers'])
    for (const name of ['good-name', 'swap-thrash'])
      expect(existsSync(join(tree, left, `${name}.ts`)), `${left}/${name}`).toBe(false);
});

test('the cause arrives however npm hands it on', () => {
  const asWritten = (line: string) =>
    spawnSync('sh', ['-c', line], { encoding: 'utf8', cwd: tree });
  for (const [name, words] of [
    ['first-kill', 'other-killers first-limit'],
    ['second-kill', 'other-killers --cause second-limit'],
    ['third-kill', 'other-killers --cause=third-limit'],
    ['fourth-kill', 'other-killers -- --cause fourth-limit'],
  ] as const) {
    expect(asWritten(`npm run new rule ${name} ${words}`).status, words).toBe(0);
    expect(read(`src/rules/other-killers/${name}.ts`)).toContain(
      `'${name.replace('kill', 'limit')}'`,
    );
  }
});

test('nothing of the example is left in the tree', () => {
  const page = (path: string) => readFileSync(join(root, path), 'utf8');
  const remains = [
    'exampleguard',
    'ending python3 (4711), rss 812 MiB',
    'nothing to do; last time python3 (4711) was the biggest',
    'written for this page',
    'Say in one line what happened',
    'Who ended the process, at which limit, and what its user saw.',
  ];
  const left = ['src', 'fixtures', 'docs/causes'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:ts|md|log)$/.test(file))
      .map((file) => join(folder, file))
      .filter((file) => remains.some((words) => page(file).includes(words))),
  );
  expect(
    left,
    'these still hold the example of docs/adding-a-parser.md or docs/adding-a-rule.md',
  ).toEqual([]);
});
