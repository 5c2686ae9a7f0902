/** How far a run is from what could end it: the room below every limit that is known, and what follows from it. */
import type { Bytes, Ms } from '../model/units.ts';
import type { WatchedCgroup } from './cgroups.ts';
import type { SampledProcess } from './sampler.ts';

/** A finite limit above the run, with what is free below it. */
export interface Headroom {
  readonly limitBytes: Bytes;
  readonly freeBytes: Bytes;
}

/** Every limit of cgroups, address space and machine; without the machine where it does not tell what is available. */
export function headroomsOf(
  cgroups: readonly WatchedCgroup[],
  processes: readonly Pick<SampledProcess, 'vmBytes' | 'limits'>[],
  host: { readonly totalBytes: Bytes | undefined; readonly availableBytes: Bytes | undefined },
): readonly Headroom[] {
  const headrooms: Headroom[] = [];
  const add = (limitBytes: Bytes, usedBytes: Bytes) =>
    headrooms.push({ limitBytes, freeBytes: Math.max(0, limitBytes - usedBytes) });
  for (const { gone, limits, last } of cgroups)
    if (!gone && limits.limitBytes !== null && last.currentBytes !== undefined)
      add(limits.limitBytes, last.currentBytes);
  for (const { vmBytes, limits } of processes) {
    const addressSpace = limits.find(({ path }) => path === 'RLIMIT_AS')?.bytes;
    if (addressSpace !== undefined && addressSpace !== null) add(addressSpace, vmBytes);
  }
  const { totalBytes, availableBytes } = host;
  if (totalBytes !== undefined && availableBytes !== undefined)
    add(totalBytes, totalBytes - availableBytes);
  return headrooms;
}

/**
 * How fast memory can be filled, in bytes per millisecond: 5 GB/s were measured (huge pages), and no program was seen to be faster.
 * A fifth is added, so that a limit is never reached between two readings that rely on it.
 */
export const fastestBytesPerMs = 6_000_000;
/**
 * How seldom samples may be where no limit can be reached before: after a tenth of the run so far, within these bounds, the
 * curve of memory is as good for a reader at any length.
 */
const calmMs = { moving: [100, 500], resting: [250, 1000] } as const;

/**
 * The time between two samples of a run that is `ageMs` old: `closeMs`, or longer where even the fastest program could not
 * reach a limit between two.
 */
export function paceMs(
  headrooms: readonly Headroom[],
  closeMs: Ms,
  memory: keyof typeof calmMs,
  ageMs: Ms,
): Ms {
  if (headrooms.length === 0) return closeMs;
  const [least, most] = calmMs[memory];
  const calm = Math.min(most, Math.max(least, ageMs / 10));
  const freeBytes = Math.min(...headrooms.map((headroom) => headroom.freeBytes));
  return Math.max(closeMs, Math.min(calm, freeBytes / fastestBytesPerMs / 2));
}

/** The last look begins at 30 % free, and its watcher takes a moment to be there. */
const nearShare = 0.4;
const nearBytes = 4 * 2 ** 30;
const nearSeconds = 5;

/** Whether a limit may be reached so soon that what acts on it must be at hand. */
export function isWithinReach(
  headrooms: readonly Headroom[],
  growthBytesPerSecond: number,
): boolean {
  return headrooms.some(
    ({ limitBytes, freeBytes }) =>
      freeBytes < nearBytes ||
      freeBytes < limitBytes * nearShare ||
      freeBytes < growthBytesPerSecond * nearSeconds,
  );
}
