import { expect, it } from 'vitest';
import { isMachineNearlyShort, isMachineShort } from './shortage.ts';

it.each([
  [5, true, true],
  [10, false, true],
  [15, false, true],
  [20, false, false],
  [undefined, undefined, undefined],
])('with %s of 100 left: short %s, nearly %s', (leftBytes, short, nearly) => {
  expect(isMachineShort({ leftBytes, totalBytes: 100 })).toBe(short);
  expect(isMachineNearlyShort({ leftBytes, totalBytes: 100 })).toBe(nearly);
});
it('nothing is known without the total', () => {
  expect(isMachineShort({ leftBytes: 1, totalBytes: undefined })).toBeUndefined();
});
