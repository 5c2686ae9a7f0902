import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { asciiText, safeText, shortened } from './safe-text.ts';

test.each([
  ['\u001b[2Jgone', '\\x1b[2Jgone'],
  ['\u009b31mred', '\\x9b31mred'],
  ['a\u202egnp.exe', 'a\\u202egnp.exe'],
  ['one\ntwo\r\n\tthree', 'one\\ntwo\\r\\n three'],
  ['zero\u200bwidth', 'zero\\u200bwidth'],
  ['tag\u{e0041}', 'tag\\u{e0041}'],
  ['half \ud800 surrogate', 'half \\ud800 surrogate'],
  ['naïve 日本 👩‍🔬', 'naïve 日本 👩‍🔬'],
])('%j is shown as %j', (text, shown) => {
  expect(safeText(text)).toBe(shown);
});

test('whatever comes in, nothing dangerous comes out, and doing it twice changes nothing', () => {
  assert(
    property(string({ unit: 'binary' }), (text) => {
      const safe = safeText(text);
      // oxlint-disable-next-line no-control-regex -- exactly what may not be left
      expect(safe).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(safeText(safe)).toBe(safe);
      expect(asciiText(safe)).toMatch(/^[ -~]*$/);
    }),
  );
});

test('shortening never cuts a character in two', () => {
  expect(shortened('abc', 3)).toBe('abc');
  expect(shortened('👍👍👍👍', 3)).toBe('👍👍…');
});
