// `npm run new` lays down what compiles, runs and is listed.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
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
  for (const part of ['src', 'docs', 'tsconfig.json', 'package.json'])
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
});
