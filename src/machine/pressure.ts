import { textOf } from './read.ts';

/** Pressure stall information: total time stalled since boot or since the cgroup was made. */
export interface Pressure {
  readonly someMs: number;
  readonly fullMs: number;
}

/** `some avg10=… total=N` / `full … total=N`, N in microseconds. */
export function parsePressure(text: string): Pressure | null {
  const some = /^some .*total=(\d+)/m.exec(text)?.[1];
  const full = /^full .*total=(\d+)/m.exec(text)?.[1];
  if (some === undefined) return null;
  return { someMs: Number(some) / 1000, fullMs: full === undefined ? 0 : Number(full) / 1000 };
}

export function pressureOf(path: string): Pressure | null {
  const text = textOf(path);
  return text === null ? null : parsePressure(text);
}
