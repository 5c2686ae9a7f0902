import { expect, test } from 'vitest';
import { pointInTime } from './point-in-time.ts';

const now = new Date(2026, 0, 31, 12, 0, 0);
const local = (...parts: [number, number, number, number?, number?]) =>
  new Date(...parts).toISOString();

test.each([
  ['2 hours ago', local(2026, 0, 31, 10)],
  ['-15min', local(2026, 0, 31, 11, 45)],
  ['1 day ago', local(2026, 0, 30, 12)],
  ['3d ago', local(2026, 0, 28, 12)],
  ['yesterday', local(2026, 0, 30)],
  ['today', local(2026, 0, 31)],
  ['10:30', local(2026, 0, 31, 10, 30)],
  ['2026-01-02', local(2026, 0, 2)],
  ['2026-01-02 03:04', local(2026, 0, 2, 3, 4)],
  ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
  ['@1769860800', '2026-01-31T12:00:00.000Z'],
])('%s', (text, expected) => {
  expect(pointInTime(text, now).toISOString()).toBe(expected);
});

test.each(['soon', '', '12', '99:99:99:99', '5 fortnights ago'])(
  '%j is refused with examples',
  (text) => {
    expect(() => pointInTime(text, now)).toThrow(/no point in time/);
  },
);
