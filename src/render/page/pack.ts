/**
 * Series as bytes: 10 hours at one sample a second of 50 processes are 1.8 million numbers a column, which as JSON would be
 * 20 MB. Times are differences in ms; a column's values are 0 for null, else 1 + zigzag of the difference to the value before,
 * divided by the column's unit (the greatest common divisor: mostly the page size). Numbers are unsigned LEB128, the whole is
 * deflated.
 */
import { deflateSync } from 'node:zlib';
import type { PackedRecording, PackedSeries } from '../../model/page.ts';
import type { Recording, Series } from '../../model/recording.ts';

/** Columns that the page draws. The others would only make the file larger. */
const drawn: ReadonlySet<string> = new Set([
  'rssBytes',
  'vmBytes',
  'swapBytes',
  'majorFaults',
  'currentBytes',
  'limitHits',
  'oomKills',
  'psiFullMs',
  'psiSomeMs',
  'availableBytes',
  'swapFreeBytes',
  'pswpin',
  'pswpout',
]);

export function packRecording(recording: Recording): PackedRecording {
  const writer = new NumberWriter();
  const times: (readonly number[])[] = [];
  const processes = recording.processes.map(({ samples, ...process }) => ({
    ...process,
    series: packSeries(samples, writer, times),
  }));
  const cgroups = recording.cgroups.map(({ samples, ...cgroup }) => ({
    ...cgroup,
    series: packSeries(samples, writer, times),
  }));
  const host = packSeries(recording.host, writer, times);
  return {
    ...recording,
    processes,
    cgroups,
    host,
    packed: deflateSync(writer.bytes(), { level: 6 }).toString('base64'),
  };
}

function packSeries(
  { atMs, columns }: Series,
  writer: NumberWriter,
  before: (readonly number[])[],
): PackedSeries {
  // All processes are mostly sampled in one go: a pool of 50 has one time axis, not 50.
  const sameTimesAs = before.findIndex((times) => isSame(times, atMs));
  before.push(atMs);
  if (sameTimesAs < 0) {
    let last = 0;
    for (const at of atMs) {
      const whole = Math.max(last, Math.round(at));
      writer.add(whole - last);
      last = whole;
    }
  }
  const packed = Object.entries(columns)
    .filter(([name]) => drawn.has(name))
    .map(([name, values]): PackedSeries['columns'][number] => {
      // A column that is shorter than its times (a recording cut short) ends in null.
      const full = atMs.map((_, index) => {
        const value = values[index];
        return value === undefined || value === null || !Number.isFinite(value)
          ? null
          : Math.round(value);
      });
      const [first = null] = full;
      if (full.every((value) => value === first)) return { name, unit: 1, all: first };
      const unit = commonUnit(full);
      let previous = 0;
      for (const value of full) {
        if (value === null) {
          writer.add(0);
          continue;
        }
        const step = value / unit - previous;
        previous = value / unit;
        writer.add(1 + (step < 0 ? -2 * step - 1 : 2 * step));
      }
      return { name, unit };
    });
  return { rows: atMs.length, ...(sameTimesAs < 0 ? {} : { sameTimesAs }), columns: packed };
}

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((time, row) => time === b[row]));

/** 1024 bytes to 2 MiB are units in which the kernel counts; a greater one changes nothing. */
function commonUnit(values: readonly (number | null)[]): number {
  let unit = 0;
  for (const value of values) {
    if (value === null) continue;
    let [a, b] = [unit, Math.abs(value)];
    while (b > 0) [a, b] = [b, a % b];
    unit = a;
    if (unit === 1) return 1;
  }
  return unit || 1;
}

/** Unsigned LEB128, up to 2^53. */
class NumberWriter {
  #buffer = new Uint8Array(1 << 16);
  #length = 0;

  add(value: number): void {
    if (this.#length + 8 > this.#buffer.length) {
      const larger = new Uint8Array(this.#buffer.length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}
