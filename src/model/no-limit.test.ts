import { expect, it } from 'vitest';
import { realLimit } from './no-limit.ts';

it.each([
  [null, null],
  [0, 0],
  [100 * 2 ** 20, 100 * 2 ** 20],
  [16 * 2 ** 40, 16 * 2 ** 40],
  // Pages of 4 KiB and of 64 KiB; in kB.
  [9_223_372_036_854_771_712, null],
  [9_223_372_036_854_710_272, null],
  [9_007_199_254_740_988 * 1024, null],
])('a limit of %s is %s', (shown, real) => {
  expect(realLimit(shown)).toBe(real);
});
