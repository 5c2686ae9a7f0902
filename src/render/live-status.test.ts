import { expect, test } from 'vitest';
import { liveRow, liveStatus } from './live-status.ts';

const figures = {
  name: 'python3',
  rssBytes: 300 * 2 ** 20,
  processes: 1,
  growthBytesPerSecond: 10 * 2 ** 20,
  limitBytes: 400 * 2 ** 20,
  headroomBytes: 100 * 2 ** 20,
};

test('memory against the tightest limit, and how long it lasts at this rate', () => {
  expect(liveStatus(figures, { columns: 120, unicode: true })).toBe(
    'coroner  python3  300 MiB  ████████░░ 75 % of 400 MiB  full in 10 s  +10 MiB/s',
  );
  expect(liveStatus(figures, { columns: 120, unicode: false })).toContain('[########..] 75 %');
});

test('no limit, no guess; no growth, no rate', () => {
  expect(
    liveStatus(
      { ...figures, processes: 3, limitBytes: null, headroomBytes: null, growthBytesPerSecond: 0 },
      { columns: 120, unicode: true },
    ),
  ).toBe('coroner  python3 and 2 more  300 MiB');
});

test('never wider than the terminal, and names bring no escapes', () => {
  const text = liveStatus(
    { ...figures, name: '\u001b[2Jevil'.repeat(9) },
    { columns: 40, unicode: true },
  );
  expect(text).toHaveLength(40);
  expect(text).not.toContain('\u001b');
});

test('what is opened is closed: the scroll region is given back', () => {
  expect(liveRow.open(24)).toContain('\u001b[1;23r');
  expect(liveRow.close(24)).toContain('\u001b[r');
});
