import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Report } from '../model/report.ts';
import { renderBrief } from './brief.ts';

const folder = new URL('../../fixtures/reports/', import.meta.url);
const cases = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const read = (name: string): Report =>
  JSON.parse(readFileSync(new URL(`${name}/report.json`, folder), 'utf8')) as Report;

test.each(cases)('%s: below 1 KiB, plain, a fact a line', (name) => {
  const text = renderBrief(read(name));
  expect(new TextEncoder().encode(text).length).toBeLessThan(1024);
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202a-\u202e]/);
  expect(text.split('\n').length).toBeGreaterThanOrEqual(2);
});

test('the verdict, the limit and the variable come first', () => {
  const text = renderBrief(read('assassination-cgroup'), 'the 7th time since Tuesday');
  expect(text).toMatch(/^Out of memory \(certain; kernel-cgroup-oom\): /);
  expect(text).toContain('the 7th time since Tuesday');
  expect(text).toContain('limit: cgroup');
  expect(text).toContain('variable: rows of load');
});

test('of many incidents it says which one it tells', () => {
  expect(renderBrief(read('many-kills'))).toContain('of 16 incidents this is number 16');
});
