/** The counterpart of src/render/page/pack.ts: series out of the bytes that were embedded. */
import type { PackedRecording, PackedSeries } from '../../src/model/page.ts';

/** NaN where nothing was read. Bytes, ms, counts as doubles. */
export interface Columns {
  readonly atMs: Float64Array;
  readonly columns: Readonly<Record<string, Float64Array>>;
}
export interface Unpacked {
  readonly processes: readonly Columns[];
  readonly cgroups: readonly Columns[];
  readonly host: Columns;
}

export async function unpack(recording: PackedRecording): Promise<Unpacked> {
  const reader = new NumberReader(await inflate(recording.packed));
  const times: Float64Array[] = [];
  const take = ({ series }: { readonly series: PackedSeries }): Columns =>
    readSeries(series, reader, times);
  return {
    processes: recording.processes.map(take),
    cgroups: recording.cgroups.map(take),
    host: readSeries(recording.host, reader, times),
  };
}

/** zlib in base64, as bytes. */
export async function inflate(base64: string): Promise<Uint8Array> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function readSeries(
  { rows, sameTimesAs, columns }: PackedSeries,
  reader: NumberReader,
  times: Float64Array[],
): Columns {
  let atMs = sameTimesAs === undefined ? undefined : times[sameTimesAs];
  if (atMs === undefined) {
    atMs = new Float64Array(rows);
    let at = 0;
    for (let row = 0; row < rows; row += 1) atMs[row] = at += reader.next();
  }
  times.push(atMs);
  const read: Record<string, Float64Array> = {};
  for (const { name, unit, all } of columns) {
    const values = new Float64Array(rows);
    if (all !== undefined) values.fill(all ?? Number.NaN);
    else {
      let value = 0;
      for (let row = 0; row < rows; row += 1) {
        const number = reader.next();
        if (number === 0) {
          values[row] = Number.NaN;
          continue;
        }
        const zigzag = number - 1;
        value += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
        values[row] = value * unit;
      }
    }
    read[name] = values;
  }
  return { atMs, columns: read };
}

/** Unsigned LEB128 up to 2^53. Past the end it gives 0, which reads as "nothing". */
class NumberReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  next(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
  }
}
