import { expect, it } from 'vitest';
import { firstIndexWhere } from './binary-search.ts';

const sorted = [2, 3, 3, 7];
it.each([
  [1, 0],
  [2, 0],
  [3, 1],
  [4, 3],
  [7, 3],
  [8, 4],
])('the first of 2, 3, 3, 7 that is at least %d has index %d', (least, index) => {
  expect(firstIndexWhere(sorted.length, (at) => (sorted[at] ?? 0) >= least)).toBe(index);
});
it('of nothing it is 0', () => {
  expect(firstIndexWhere(0, () => true)).toBe(0);
});
