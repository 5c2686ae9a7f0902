/** What the code says, it says in words: no code of a list that the reader does not have (`K2`, `E13`) stands in it, none is printed. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const code = /(?<![\w%#-])[EKLPSU]\d{1,2}b?(?![\w%])|\bof the catalogue\b/;

it.each(['src', 'report/src', 'fixtures/reports'])('%s cites no codes', (folder) => {
  const root = fileURLToPath(new URL(`../${folder}/`, import.meta.url));
  const cited = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:tsx?|txt|md)$/.test(file))
    .flatMap((file) =>
      readFileSync(`${root}${file}`, 'utf8')
        .split('\n')
        .flatMap((line, at) => (code.test(line) ? [`${file}:${at + 1}: ${line.trim()}`] : [])),
    );
  expect(cited).toEqual([]);
});
it.each(['(K14)', 'K2, K2b', '(E1 to E5)', 'S3: throttled', 'section 3.6 of the catalogue'])(
  'and would be seen: %s',
  (text) => expect(code.test(text)).toBe(true),
);
