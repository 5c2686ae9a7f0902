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
import { align, decimate, firstAt } from '../report/src/decimate.ts';
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

  test('a million numbers take little', () => {
    const atMs = Array.from({ length: 36_000 }, (_, row) => row * 1000);
    const recording = recordingOf(
      Array.from({ length: 28 }, (_, number) => ({
        atMs,
        columns: {
          rssBytes: atMs.map((at) => (number + 1) * 2 ** 20 + (at % 7000 === 0 ? 4096 : 0)),
        },
      })),
    );
    expect(packRecording(recording).packed.length).toBeLessThan(200_000);
  });
});

describe('aligning', () => {
  test('series of different times get one axis; where one has no reading it has nothing', () => {
    const { atMs, values } = align([
      { atMs: Float64Array.of(0, 10, 20), values: Float64Array.of(1, 2, 3) },
      { atMs: Float64Array.of(5, 10), values: Float64Array.of(8, 9) },
    ]);
    expect(Array.from(atMs)).toEqual([0, 5, 10, 20]);
    expect(values.map((column) => Array.from(column))).toEqual([
      [1, Number.NaN, 2, 3],
      [Number.NaN, 8, 9, Number.NaN],
    ]);
  });

  test('every reading is kept, whatever the times', () => {
    const times = uniqueArray(integer({ min: 0, max: 300 }), { maxLength: 40 }).map((all) =>
      Float64Array.from(all.toSorted((a, b) => a - b)),
    );
    assert(
      property(array(times, { minLength: 1, maxLength: 5 }), (all) => {
        const { atMs, values } = align(all.map((own) => ({ atMs: own, values: own })));
        values.forEach((column, index) => {
          expect(Array.from(column).filter((value) => !Number.isNaN(value))).toEqual(
            Array.from(all[index] ?? []),
          );
          for (const [row, value] of column.entries())
            if (!Number.isNaN(value)) expect(atMs[row]).toBe(value);
        });
      }),
    );
  });
});

describe('decimating', () => {
  const wave = Float64Array.from(
    { length: 10_000 },
    (_, row) => Math.sin(row / 50) * 1000 + (row === 4321 ? 99_999 : 0),
  );
  const aligned = {
    atMs: Float64Array.from({ length: 10_000 }, (_, row) => row * 100),
    values: [wave],
  };

  test('no peak is lost, and times go up', () => {
    const [times, values = []] = decimate(aligned, 0, 1_000_000, 300);
    expect(times).toHaveLength(600);
    expect(Math.max(...values.map((value) => value ?? -Infinity))).toBe(Math.max(...wave));
    expect(Math.min(...values.map((value) => value ?? Infinity))).toBe(Math.min(...wave));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('few points are given as they are, with one on each side', () => {
    const [times, values = []] = decimate(aligned, 1000, 1400, 300);
    expect(times).toEqual([0.9, 1, 1.1, 1.2, 1.3, 1.4]);
    expect(values).toEqual(Array.from(wave.subarray(9, 15)));
  });

  test('the first time that is not before', () => {
    const times = Float64Array.of(1, 3, 3, 7);
    expect([0, 1, 2, 3, 4, 8].map((time) => firstAt(times, time))).toEqual([0, 0, 1, 1, 3, 4]);
  });
});
