import { expect, test } from 'vitest';
import type { Evidence } from '../model/evidence.ts';
import { withYear } from './years.ts';

const fact = (printed: string, more: object = {}): Evidence => ({
  kind: 'kernel-notice',
  origin: { source: 'kernel-log', place: 'syslog:1' },
  when: { printed, uptimeSeconds: 12345.1, ...more },
  what: 'other',
  text: '',
});
const wallOf = (printed: string, written: string) =>
  withYear(fact(printed), Date.parse(written)).when?.wall;

test.each([
  ['Nov 30 12:00:00', '2026-11-30T13:00:00Z', '2026-11-30T12:00:00.000Z'],
  ['Nov  3 12:00:00', '2026-11-30T13:00:00Z', '2026-11-03T12:00:00.000Z'],
  ['Dec 31 23:59:59', '2027-01-02T00:00:00Z', '2026-12-31T23:59:59.000Z'],
  ['Dec  1 00:00:00', '2026-11-30T23:00:00Z', '2026-12-01T00:00:00.000Z'],
  ['Feb 29 12:00:00', '2026-11-30T13:00:00Z', '2024-02-29T12:00:00.000Z'],
])('%s in a file of %s is %s', (printed, written, wall) => {
  expect(wallOf(printed, written)).toBe(wall);
});

test('a date that is none, and one that has its year, stay as they are', () => {
  expect(wallOf('Feb 31 12:00:00', '2026-11-30T13:00:00Z')).toBeUndefined();
  const dated = fact('Nov 30 12:00:00', { wall: '2020-11-30T12:00:00.000Z' });
  expect(withYear(dated, Date.now())).toBe(dated);
});
