import { expect, test } from 'vitest';
import { ordinal, recurrenceOf, recurrenceText } from './recurrence.ts';

const at = (day: number) => ({
  fingerprint: 'a',
  at: `2026-01-${String(day).padStart(2, '0')}T10:00:00Z`,
});

test('counts the earlier deaths of the same fingerprint alone', () => {
  const all = [at(6), at(7), { ...at(7), fingerprint: 'b' }, at(8), at(9)];
  expect(recurrenceOf(at(8), all)).toEqual({ times: 3, since: '2026-01-06T10:00:00Z' });
  expect(recurrenceOf(at(6), all)).toBeNull();
});

test.each([
  ['2026-01-08T12:00:00Z', 'the 7th time since Tuesday'],
  ['2026-01-06T12:00:00Z', 'the 7th time since 10:00 UTC'],
  ['2026-03-06T12:00:00Z', 'the 7th time since 2026-01-06'],
])('on %s: %s', (now, text) => {
  expect(recurrenceText({ times: 7, since: '2026-01-06T10:00:00Z' }, now)).toBe(text);
});

test.each([
  [2, '2nd'],
  [3, '3rd'],
  [11, '11th'],
  [12, '12th'],
  [21, '21st'],
  [113, '113th'],
])('%i is %s', (n, text) => {
  expect(ordinal(n)).toBe(text);
});
