import { expect, test } from 'vitest';
import { lineOf } from './line-table.ts';

test('up to 3.9: pairs of bytes of code and signed lines', () => {
  // Lines 10 from byte 0, 12 from 4, 11 from 10.
  const table = Uint8Array.from([4, 2, 6, 0xff]);
  expect([0, 3, 4, 9, 10, 99].map((at) => lineOf('lnotab', table, 10, at))).toEqual([
    10, 10, 12, 12, 11, 11,
  ]);
});

test('3.10: a delta of -128 means no line, and the last line before is given', () => {
  const table = Uint8Array.from([4, 1, 2, 0x80, 6, 2]);
  expect([0, 3, 4, 5, 6, 11].map((at) => lineOf('pep626', table, 5, at))).toEqual([
    6, 6, 6, 6, 8, 8,
  ]);
});

test('3.11: short, one-line, long and line-less entries', () => {
  const table = Uint8Array.from([
    0x80 | (0 << 3) | 1, // two units, short form: same line
    0x12,
    0x80 | (11 << 3) | 0, // one unit, a line further, two columns
    1,
    2,
    0x80 | (13 << 3) | 2, // three units, no columns, signed varint +5
    10,
    0x80 | (15 << 3) | 0, // one unit without a line
    0x80 | (14 << 3) | 0, // one unit, long form: line -2, end line, columns
    5,
    0,
    1,
    1,
  ]);
  expect([0, 1, 2, 3, 5, 6, 7].map((at) => lineOf('locations', table, 100, at))).toEqual([
    100, 100, 101, 106, 106, 106, 104,
  ]);
});

test('a table that is cut off or garbage gives some line and ends', () => {
  for (let seed = 0; seed < 500; seed++) {
    const table = Uint8Array.from({ length: seed % 40 }, (_, i) => (seed * 31 + i * 97) & 255);
    for (const kind of ['lnotab', 'pep626', 'locations'] as const)
      expect(Number.isInteger(lineOf(kind, table, 1, seed))).toBe(true);
  }
});
