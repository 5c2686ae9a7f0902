/** What is packed into the page comes out of it again; what is drawn of it looks like all of it. */
import {
  array,
  assert,
  asyncProperty,
  constant,
  integer,
  oneof,
  property,
  record,
  uniqueArray,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstAt, thin } from '../report/src/timeline/decimate.ts';
import { unpack } from '../report/src/unpack.ts';
import type { Recording, Series } from '../src/model/recording.ts';
import { packRecording } from '../src/render/page/pack.ts';

const empty: Series = { atMs: [], columns: {} };
const recordingOf = (processes: readonly Series[], host: Series = empty): Recording => ({
  format: 'coroner-recording/1',
  id: 'x',
  command: ['x'],
  cwd: '/',
  startedAt: '2026-01-31T00:00:00.000Z',
  endedAt: null,
  durationMs: null,
  limits: [],
  processes: processes.map((samples, index) => ({
    pid: index + 1,
    parentPid: null,
    name: 'x',
    command: null,
    startedMs: 0,
    endedMs: null,
    exitCode: null,
    signal: null,
    samples,
  })),
  cgroups: [],
  host,
  events: [],
  looks: [],
});

/** NaN for null, as the page has it. */
const asNumbers = (values: readonly (number | null)[]): number[] =>
  values.map((value) => value ?? Number.NaN);

describe('packing', () => {
  const bytes = oneof(
    constant(null),
    integer({ min: 0, max: 2 ** 40 }),
    integer({ min: 0, max: 5000 }).map((pages) => pages * 4096),
  );
  const series = array(
    record({ step: integer({ min: 0, max: 10_000 }), rssBytes: bytes, majorFaults: bytes }),
    { maxLength: 60 },
  ).map((rows): Series => {
    let at = 0;
    return {
      atMs: rows.map(({ step }) => (at += step)),
      columns: {
        rssBytes: rows.map((row) => row.rssBytes),
        majorFaults: rows.map((row) => row.majorFaults),
      },
    };
  });

  test('any series comes back: times, values, gaps', async () => {
    await assert(
      asyncProperty(array(series, { maxLength: 4 }), series, async (processes, host) => {
        const unpacked = await unpack(
          packRecording(
            recordingOf(processes, {
              ...host,
              columns: { availableBytes: host.columns['rssBytes'] ?? [] },
            }),
          ),
        );
        processes.forEach(({ atMs, columns }, index) => {
          const back = unpacked.processes[index];
          expect(Array.from(back?.atMs ?? [])).toEqual(atMs);
          for (const [name, values] of Object.entries(columns))
            expect(Array.from(back?.columns[name] ?? [])).toEqual(asNumbers(values));
        });
        expect(Array.from(unpacked.host.columns['availableBytes'] ?? [])).toEqual(
          asNumbers(host.columns['rssBytes'] ?? []),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('a column that was cut short ends in nothing, not in 0', async () => {
    const { processes } = await unpack(
      packRecording(recordingOf([{ atMs: [0, 1, 2], columns: { rssBytes: [4096, 8192] } }])),
    );
    expect(Array.from(processes[0]?.columns['rssBytes'] ?? [])).toEqual([4096, 8192, Number.NaN]);
  });

  test('a million numbers take little, and times that are the same are there once', async () => {
    const atMs = Array.from({ length: 36_000 }, (_, row) => row * 1000);
    const recording = recordingOf(
      Array.from({ length: 28 }, (_, number) => ({
        atMs,
        columns: {
          rssBytes: atMs.map((at) => (number + 1) * 2 ** 20 + (at % 7000 === 0 ? 4096 : 0)),
        },
      })),
    );
    const packed = packRecording(recording);
    expect(packed.packed.length).toBeLessThan(70_000);
    const { processes } = await unpack(packed);
    expect(processes).toHaveLength(28);
    for (const own of processes) expect(own.atMs).toBe(processes[0]?.atMs);
    expect(Array.from(processes[27]?.atMs ?? [])).toEqual(atMs);
    expect(processes[27]?.columns['rssBytes']?.[7]).toBe(28 * 2 ** 20 + 4096);
  });
});

describe('thinning', () => {
  const atMs = Float64Array.from({ length: 10_000 }, (_, row) => row * 100);
  const wave = Float64Array.from(
    { length: 10_000 },
    (_, row) => Math.sin(row / 50) * 1000 + (row === 4321 ? 99_999 : 0),
  );
  /** Points as pairs. */
  const pairs = (points: readonly number[]): [number, number][] =>
    points.flatMap((x, at) => (at % 2 === 0 ? [[x, points[at + 1] ?? 0] as [number, number]] : []));

  test('no peak is lost, x goes up, at most two points a pixel', () => {
    const points = pairs(thin(atMs, wave, 0, 1_000_000 / 300, 300));
    expect(points.length).toBeLessThanOrEqual(2 * 304);
    const values = points.map(([, value]) => value);
    expect(Math.max(...values)).toBe(Math.max(...wave));
    expect(Math.min(...values)).toBe(Math.min(...wave));
    const x = points.map(([at]) => at);
    expect(x).toEqual(x.toSorted((a, b) => a - b));
  });

  test('few readings are given as they are, with more on each side', () => {
    // 4 pixels of 100 ms from 1 s on: two pixels to spare on each side, and one reading beyond.
    expect(pairs(thin(atMs, wave, 1000, 100, 4))).toEqual(
      Array.from({ length: 10 }, (_, row) => [row - 3, wave[row + 7]]),
    );
  });

  test('neighbours draw the same of what both reach', () => {
    const msPerPixel = 777;
    const [left, right] = [0, 1].map((tile) =>
      pairs(thin(atMs, wave, tile * 128 * msPerPixel, msPerPixel, 128)).map(
        ([x, value]) => `${(x + tile * 128).toFixed(6)} ${value}`,
      ),
    );
    const shared = (left ?? []).filter((point) => right?.includes(point));
    expect(shared.length).toBeGreaterThan(4);
    expect(left?.slice(-4)).toEqual(expect.arrayContaining(shared.slice(-3)));
  });

  test('what was not read is left out, and a curve goes on behind a gap', () => {
    const some = Float64Array.from({ length: 100 }, (_, row) =>
      row > 10 && row < 90 ? Number.NaN : row,
    );
    const times = Float64Array.from({ length: 100 }, (_, row) => row * 10);
    // In the middle of the gap: the line from one side of it to the other.
    expect(pairs(thin(times, some, 400, 10, 5))).toEqual([
      [-30, 10],
      [50, 90],
    ]);
    expect(thin(times, some.fill(Number.NaN), 400, 10, 5)).toEqual([]);
    expect(thin(new Float64Array(0), new Float64Array(0), 0, 10, 5)).toEqual([]);
  });

  test('every drawn point is a reading, whatever the times', () => {
    const times = uniqueArray(integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 400 }).map(
      (all) => Float64Array.from(all.toSorted((a, b) => a - b)),
    );
    assert(
      property(
        times,
        integer({ min: 0, max: 40 }),
        integer({ min: 1, max: 60 }),
        (own, tile, ms) => {
          for (const [x, value] of pairs(thin(own, own, tile * 16 * ms, ms, 16)))
            expect(x * ms + tile * 16 * ms).toBeCloseTo(value, 6);
        },
      ),
    );
  });

  test('the first time that is not before', () => {
    const times = Float64Array.of(1, 3, 3, 7);
    expect([0, 1, 2, 3, 4, 8].map((time) => firstAt(times, time))).toEqual([0, 0, 1, 1, 3, 4]);
  });
});
