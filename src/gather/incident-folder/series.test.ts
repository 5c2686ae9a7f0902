import { expect, test } from 'vitest';
import { withHighWater } from './series.ts';

const mib = 2 ** 20;
const row = (atMs: number, rss: number, peak?: number) => ({
  atMs,
  values: {
    pid: 1,
    rssBytes: rss * mib,
    ...(peak === undefined ? {} : { peakRssBytes: peak * mib }),
  },
});
const seen = (...rows: readonly ReturnType<typeof row>[]) =>
  withHighWater(rows).map(({ atMs, values: { rssBytes = 0 } }) => [atMs, rssBytes / mib]);

test('a peak between two samples stands between them', () => {
  expect(seen(row(0, 10, 10), row(100, 217, 217), row(200, 15, 315))).toEqual([
    [0, 10],
    [100, 217],
    [150, 315],
    [200, 15],
  ]);
});

test('a mark that is old, or that a sample has seen, adds nothing', () => {
  const rows = [row(0, 10, 10), row(100, 300, 250), row(200, 15, 300), row(300, 14, 300)];
  expect(seen(...rows)).toHaveLength(rows.length);
});

test('no mark, no row; and none before the first sample', () => {
  expect(seen(row(0, 10, 99), row(100, 20))).toHaveLength(2);
});
