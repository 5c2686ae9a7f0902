/** Fewer points that look the same: of each pixel of a curve its least and its greatest value. */

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

/**
 * x and y of the points to draw, one after the other: x in pixels from the start, y a value. The readings themselves where there
 * are few, else of each pixel the least and the greatest in the order in which they came. One more on each side, so that lines
 * run out of the picture. Pixels are counted from time 0: a tile's neighbours thin out alike.
 */
export function thin(
  atMs: Float64Array,
  values: Float64Array,
  startMs: number,
  msPerPixel: number,
  pixels: number,
): number[] {
  const endMs = startMs + pixels * msPerPixel;
  const points: number[] = [];
  const add = (index: number): void => {
    points.push(((atMs[index] ?? 0) - startMs) / msPerPixel, values[index] ?? 0);
  };
  let from = firstAt(atMs, startMs - 2 * msPerPixel) - 1;
  while (from >= 0 && Number.isNaN(values[from])) from -= 1;
  if (from >= 0) add(from);
  from = Math.max(0, from + 1);
  let index = from;
  const stopMs = endMs + 2 * msPerPixel;
  const stop = firstAt(atMs, stopMs);
  if (stop - from <= (pixels + 4) * 2) {
    for (; index < stop; index += 1) if (!Number.isNaN(values[index])) add(index);
  } else {
    while (index < stop) {
      const pixel = Math.floor((atMs[index] ?? 0) / msPerPixel);
      const pixelEndMs = (pixel + 1) * msPerPixel;
      let least = -1;
      let greatest = -1;
      do {
        const value = values[index] ?? Number.NaN;
        if (!Number.isNaN(value)) {
          if (least < 0 || value < (values[least] ?? 0)) least = index;
          if (greatest < 0 || value > (values[greatest] ?? 0)) greatest = index;
        }
        index += 1;
      } while (index < stop && (atMs[index] ?? 0) < pixelEndMs);
      if (least < 0) continue;
      add(Math.min(least, greatest));
      if (least !== greatest) add(Math.max(least, greatest));
    }
  }
  while (index < atMs.length && Number.isNaN(values[index])) index += 1;
  if (index < atMs.length) add(index);
  return points;
}
