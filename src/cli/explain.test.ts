import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { causes } from '../model/causes.ts';
import { renderMarkdown } from '../render/markdown-terminal.ts';
import { displayWidth } from '../render/terminal/layout.ts';

const pageOf = (cause: string): URL => new URL(`../../docs/causes/${cause}.md`, import.meta.url);
const plain = { color: false, unicode: true, hyperlinks: false };

test.each(Object.entries(causes))('%s has a page that says all four things', (cause, { title }) => {
  expect(existsSync(pageOf(cause)), `docs/causes/${cause}.md is missing`).toBe(true);
  const page = readFileSync(pageOf(cause), 'utf8');
  expect(page.startsWith(`# ${title}\n`)).toBe(true);
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  // Some show in code what to do.
  const advice = headings.indexOf('Before and after');
  if (advice >= 0) expect(headings[advice + 1]).toBe('When this is wrong');
  expect(headings.filter((heading) => heading !== 'Before and after')).toEqual([
    'What happened',
    expect.stringMatching(/^How we know/),
    'What to do',
    'When this is wrong',
  ]);
  for (const [, target = ''] of page.matchAll(/\]\(([^)]+)\)/g))
    if (!target.startsWith('http')) expect(existsSync(new URL(target, pageOf(cause)))).toBe(true);
});

test.each([60, 80, 120])('a page fits in %i columns', (columns) => {
  for (const cause of Object.keys(causes)) {
    const page = readFileSync(pageOf(cause), 'utf8');
    const code = new Set(
      [...page.matchAll(/^```\n([\s\S]*?)^```$/gm)].flatMap(([, text = '']) =>
        text.split('\n').map((line) => line.trim()),
      ),
    );
    for (const line of renderMarkdown(page, { columns, ...plain }).split('\n'))
      if (!code.has(line.trim())) expect(displayWidth(line), line).toBeLessThan(columns);
  }
});

test('Markdown becomes plain text', () => {
  expect(
    renderMarkdown(
      '# Title\n\nA **strong** word, `code` and\na [link](other.md).\n\n- one\n  more\n- two\n\n```\n  as is\n```\n',
      { columns: 80, ...plain },
    ),
  ).toBe('  Title\n  A strong word, code and a link.\n\n  • one more\n  • two\n\n      as is\n');
});
