/** Fewer points that look the same: of each stretch of a curve its least and its greatest value. */

/** Values on one common time axis. NaN: nothing. */
export interface Aligned {
  readonly atMs: Float64Array;
  readonly values: readonly Float64Array[];
}

/** Puts series of different times on one axis. Where one has no reading at a time it gets NaN. */
export function align(
  series: readonly { readonly atMs: Float64Array; readonly values: Float64Array }[],
): Aligned {
  let axis = series.reduce<Float64Array>(
    (longest, { atMs }) => (atMs.length > longest.length ? atMs : longest),
    new Float64Array(0),
  );
  // All processes are mostly sampled in one go: then the longest axis has every time, and nothing must be merged.
  if (!series.every(({ atMs }) => isWithin(atMs, axis))) {
    const all = new Float64Array(series.reduce((sum, { atMs }) => sum + atMs.length, 0));
    let at = 0;
    for (const { atMs } of series) {
      all.set(atMs, at);
      at += atMs.length;
    }
    all.sort();
    axis = all.filter((time, index) => index === 0 || time !== all[index - 1]);
  }
  return {
    atMs: axis,
    values: series.map(({ atMs, values }) => {
      if (atMs.length === axis.length) return values;
      const aligned = new Float64Array(axis.length).fill(Number.NaN);
      let row = 0;
      for (let index = 0; index < axis.length && row < atMs.length; index += 1)
        if (axis[index] === atMs[row]) {
          aligned[index] = values[row] ?? Number.NaN;
          row += 1;
          while (row < atMs.length && atMs[row] === axis[index]) row += 1;
        }
      return aligned;
    }),
  };
}

function isWithin(times: Float64Array, axis: Float64Array): boolean {
  let at = 0;
  for (const time of times) {
    while (at < axis.length && (axis[at] ?? 0) < time) at += 1;
    if (axis[at] !== time) return false;
  }
  return true;
}

/** Index of the first time that is not before `time`. */
export function firstAt(times: Float64Array, time: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** For uPlot: times in seconds, and for each series a value or null, at most two points for each of `buckets` stretches. */
export function decimate(
  { atMs, values }: Aligned,
  fromMs: number,
  toMs: number,
  buckets: number,
): [number[], ...(number | null)[][]] {
  // One more on each side, so that lines run out of the picture.
  const from = Math.max(0, firstAt(atMs, fromMs) - 1);
  const to = Math.min(atMs.length, firstAt(atMs, toMs) + 1);
  const count = to - from;
  if (count <= buckets * 2) {
    return [
      Array.from(atMs.subarray(from, to), (ms) => ms / 1000),
      ...values.map((column) =>
        Array.from(column.subarray(from, to), (value) => (Number.isNaN(value) ? null : value)),
      ),
    ];
  }
  const times: number[] = Array.from({ length: buckets * 2 }, () => 0);
  const edges = Array.from(
    { length: buckets + 1 },
    (_, bucket) => from + Math.floor((bucket * count) / buckets),
  );
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const [start = 0, end = 0] = [edges[bucket], edges[bucket + 1]];
    times[bucket * 2] = (atMs[start] ?? 0) / 1000;
    times[bucket * 2 + 1] = (atMs[Math.max(start, (start + end) >> 1)] ?? 0) / 1000;
  }
  const columns = values.map((column) => {
    const thinned: (number | null)[] = Array.from({ length: buckets * 2 }, () => null);
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      const end = edges[bucket + 1] ?? 0;
      let [least, greatest, leastAt, greatestAt] = [Infinity, -Infinity, 0, 0];
      for (let index = edges[bucket] ?? 0; index < end; index += 1) {
        const value = column[index] ?? Number.NaN;
        if (value < least) [least, leastAt] = [value, index];
        if (value > greatest) [greatest, greatestAt] = [value, index];
      }
      if (greatest === -Infinity) continue;
      const rising = leastAt <= greatestAt;
      thinned[bucket * 2] = rising ? least : greatest;
      thinned[bucket * 2 + 1] = rising ? greatest : least;
    }
    return thinned;
  });
  return [times, ...columns];
}
