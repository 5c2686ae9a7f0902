import { expect, test } from 'vitest';
import { isoTime, isoTimeIn, parseTime } from './units.ts';

test('a moment that no clock says is none', () => {
  expect(isoTime(Date.UTC(2026, 0, 31, 12))).toBe('2026-01-31T12:00:00.000Z');
  for (const ms of [NaN, Infinity, -Infinity, 1e300, -1, 8.64e15, 8.64e15 + 1, Date.UTC(2200, 0)])
    expect(isoTime(ms), String(ms)).toBeUndefined();
});

test('dates in the forms that programs print', () => {
  const noon = '2026-01-31T12:00:00.000Z';
  for (const text of [
    '2026-01-31T12:00:00Z',
    '2026-01-31T13:00:00+01:00',
    '2026-01-31 12:00:00.00 +0000',
    '2026-01-31T12:00:00,000Z',
    'Sat Jan 31 12:00:00 2026 UTC',
    'Jan 31 12:00:00 2026 UTC',
  ])
    expect(isoTimeIn(text), text).toBe(noon);
  expect(parseTime('2024-02-29T00:00:00Z')).toBe(Date.UTC(2024, 1, 29));
});

test('an impossible date is rejected, not moved to another day', () => {
  for (const text of [
    '2026-91-31T12:00:00Z',
    '2026-02-31T12:00:00Z',
    '2025-02-29',
    '2026-00-10',
    '2026-01-00',
    '2026-01-31T25:00:00Z',
    '9999-12-31T00:00:00Z',
    '0001-01-01T00:00:00Z',
    'Mon Feb 31 12:00:00 2026 UTC',
    'Foo 31 12:00:00 2026 UTC',
    // Date.parse() takes this for March 2001.
    'python 3',
    '',
    '1e300',
  ])
    expect(isoTimeIn(text), text).toBeUndefined();
});
