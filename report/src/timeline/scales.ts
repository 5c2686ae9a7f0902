/** Round numbers for the axes. */

export const niceSeconds = [
  ...[0.001, 0.01, 0.1, 1, 10].flatMap((power) => [power, 2 * power, 5 * power]),
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  3600,
  7200,
  10_800,
  21_600,
  43_200,
  86_400,
].sort((a, b) => a - b);

/** Round numbers of the unit that is shown: 0, 50 MiB, 100 MiB. */
export function niceSplits(max: number, wanted: number, isBytes: boolean): number[] {
  const unit = isBytes ? 1024 ** Math.max(0, Math.floor(Math.log(max) / Math.log(1024))) : 1;
  const rough = max / unit / wanted;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power * unit;
  const splits: number[] = [];
  for (let value = 0; value <= max; value += step) splits.push(value);
  return splits;
}
