/** Each claim of docs/threat-model.md names its test, and the test is there. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const page = read('docs/threat-model.md');
/** What is said to be so rather than to be guarded against. */
const needsNoTest = /^`sudo coroner run` gives/;

interface Claim {
  readonly claim: string;
  readonly proof: string;
}
const claims: readonly Claim[] = page
  .split(/\n(?=## )/)
  .filter((section) => section.includes('| proven by |'))
  .flatMap((section) =>
    section
      .split('\n')
      .filter((line) => /^\| (?!claim|---)/.test(line))
      .map((line) => {
        const [, claim = '', , proof = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
        return { claim, proof };
      }),
  );
/** The words in backquotes, each with the file it is said to stand in; `the same` is the last one named in an earlier row. */
const cited: { readonly claim: string; readonly file: string; readonly words: string | null }[] =
  [];
let file = '';
for (const { claim, proof } of claims)
  for (const [, words = ''] of proof.matchAll(/`([^`]+)`/g))
    if (/^(?:test|src)\/\S+\.ts$/.test(words)) {
      file = words;
      cited.push({ claim, file, words: null });
    } else cited.push({ claim, file, words });

test('there are claims', () => {
  expect(claims.length).toBeGreaterThan(20);
});
test.each(claims.filter(({ claim }) => !needsNoTest.test(claim)))(
  'names its proof: $claim',
  ({ proof }) => {
    expect(proof).toMatch(/`(?:test|src)\/\S+\.ts`|^the same\b/);
  },
);
test.each([
  'The command',
  "The command's user",
  'Another user',
  'The target of `inspect`',
  'The author of a file',
])('what each can do and cannot do is told: %s', (who) => {
  const told = claims.map(({ claim }) => claim);
  expect(told.some((claim) => claim.startsWith(`${who} can `))).toBe(true);
  expect(told.some((claim) => claim.startsWith(`${who} cannot `))).toBe(true);
});
describe('what is named is there', () => {
  test.each([...new Set(cited.map((one) => one.file))])('%s', (path) => {
    expect(existsSync(new URL(path, root))).toBe(true);
  });
  test.each(cited.filter(({ words }) => words !== null))('$words in $file', (one) => {
    const text = read(one.file);
    for (const part of (one.words ?? '').split('…')) expect(text).toContain(part.trim());
  });
});
