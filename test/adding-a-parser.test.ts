// docs/adding-a-parser.md works: its blocks are taken from the page and run.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { linesOf, parseInput } from '../src/parsers/parse.ts';
import type { Parser } from '../src/parsers/parser.ts';
import { root } from './fixtures.ts';

const page = readFileSync(join(root, 'docs/adding-a-parser.md'), 'utf8');
const block = (head: string): string => {
  const start = page.indexOf(`\`\`\`${head}\n`);
  expect(start, head).toBeGreaterThan(0);
  const from = start + head.length + 4;
  return page.slice(from, page.indexOf('```', from));
};

test('the parser of the page reads its sample, and the rules judge what it gives', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-docs-'));
  try {
    const file = join(folder, 'example-guard.ts');
    writeFileSync(file, block('ts src/parsers/formats/example-guard.ts'));
    const { exampleGuard } = (await import(file)) as { exampleGuard: Parser };
    const sample = block('text sample');
    const evidence = parseInput({ name: 'sample', lines: linesOf(sample) }, [exampleGuard]);
    expect(evidence).toHaveLength(1);
    expect(sample).toContain(evidence[0]?.origin.quote);
    const { incidents } = diagnose({ evidence, sources: [] });
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject(JSON.parse(block('json verdict')) as object);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
