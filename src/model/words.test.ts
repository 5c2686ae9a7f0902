import { expect, test } from 'vitest';
import { groupedDigits } from './words.ts';

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  [2 ** 53, '9,007,199,254,740,992'],
  [2 ** 60, '1,152,921,504,606,846,976'],
  [2 ** 62, '4,611,686,018,427,387,904'],
])('%d is written to the last digit', (n, written) => {
  expect(groupedDigits(n)).toBe(written);
});
