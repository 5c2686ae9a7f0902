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
    // Its imports are those of a file that stands in src/parsers/formats/.
    writeFileSync(
      file,
      block('ts src/parsers/formats/example-guard.ts').replaceAll("'../", `'${root}src/parsers/`),
    );
    const { exampleGuard } = (await import(file)) as { exampleGuard: Parser };
    const sample = block('text sample');
    const evidence = parseInput({ name: 'sample', lines: linesOf(sample) }, [exampleGuard]);
    expect(evidence).toHaveLength(1);
    expect(sample).toContain(evidence[0]?.origin.quote);
    const { incidents } = diagnose({ evidence, sources: [] });
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject(JSON.parse(block('json verdict')) as object);
    const at = (time: string) =>
      parseInput({ name: 'sample', lines: linesOf(sample.replace(/^\S+/, time)) }, [exampleGuard]);
    expect(at('2026-01-31T12:00:00Z')).toMatchObject([
      { when: { wall: '2026-01-31T12:00:00.000Z' } },
    ]);
    for (const impossible of [
      '2026-91-31T12:00:00Z',
      '2026-02-31T12:00:00Z',
      '9999-01-01',
      '1e300',
    ]) {
      const [fact, ...others] = at(impossible);
      expect(others).toEqual([]);
      expect(fact?.when).toBeUndefined();
      expect(fact).toMatchObject({ victim: { pid: 4711 } });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
