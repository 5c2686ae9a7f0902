/**
 * How many bytes are left below each limit that could end a run, and what follows from that. "Left" is computed here and nowhere else:
 * the sampler, its schedule, the final snapshot and the live status all use these figures.
 */
import type { Limit } from '../model/report.ts';
import type { Bytes } from '../model/units.ts';
import type { WatchedCgroup } from './cgroups.ts';

/**
 * `cgroup`: any level, v1 or v2. `address-space`, `data`: RLIMIT_AS and RLIMIT_DATA of one process. `host`: the machine's memory.
 * `budget`: --memory-limit, which the agents enforce.
 */
export type LimitKind = 'cgroup' | 'address-space' | 'data' | 'host' | 'budget';

/** A finite limit above the run, with what is free below it. */
export interface Headroom {
  readonly kind: LimitKind;
  readonly limitBytes: Bytes;
  /** Never below 0, although v1 cgroups and rlimits that were lowered can be overdrawn. */
  readonly freeBytes: Bytes;
}

/** A process by what its rlimits limit. */
export interface LimitedProcess {
  readonly vmBytes: Bytes;
  /** What counts against RLIMIT_DATA; null: not read yet. */
  readonly dataBytes: Bytes | null;
  /** Its soft limits. */
  readonly limits: readonly Limit[];
}

export const headroomOf = (kind: LimitKind, limitBytes: Bytes, usedBytes: Bytes): Headroom => ({
  kind,
  limitBytes,
  freeBytes: Math.max(0, limitBytes - usedBytes),
});

/** The rlimits that refuse memory, with what counts against each. */
export const memoryRlimits = [
  { kind: 'address-space', path: 'RLIMIT_AS', used: 'vmBytes' },
  { kind: 'data', path: 'RLIMIT_DATA', used: 'dataBytes' },
] as const;

/** The soft limit of a process; null: unlimited. */
export const rlimitBytes = (
  { limits }: Pick<LimitedProcess, 'limits'>,
  path: (typeof memoryRlimits)[number]['path'],
): Bytes | null => limits.find((limit) => limit.path === path)?.bytes ?? null;

/** Every finite limit whose use is known. The machine is left out where it does not tell what is available. */
export function headroomsOf(
  cgroups: readonly WatchedCgroup[],
  processes: readonly LimitedProcess[],
  host: { readonly totalBytes: Bytes | undefined; readonly availableBytes: Bytes | undefined },
): readonly Headroom[] {
  const headrooms: Headroom[] = [];
  for (const { gone, limits, last } of cgroups)
    if (!gone && limits.limitBytes !== null && last.currentBytes !== undefined)
      headrooms.push(headroomOf('cgroup', limits.limitBytes, last.currentBytes));
  for (const process of processes)
    for (const { kind, path, used } of memoryRlimits) {
      const [limitBytes, usedBytes] = [rlimitBytes(process, path), process[used]];
      if (limitBytes !== null && usedBytes !== null)
        headrooms.push(headroomOf(kind, limitBytes, usedBytes));
    }
  const { totalBytes, availableBytes } = host;
  if (totalBytes !== undefined && availableBytes !== undefined)
    headrooms.push(headroomOf('host', totalBytes, totalBytes - availableBytes));
  return headrooms;
}

/** The limit set on the run that has the least left; null: only the machine's memory limits it. */
export function nearestLimit(headrooms: readonly Headroom[]): Headroom | null {
  let nearest: Headroom | null = null;
  for (const headroom of headrooms)
    if (headroom.kind !== 'host' && (nearest === null || headroom.freeBytes < nearest.freeBytes))
      nearest = headroom;
  return nearest;
}

/**
 * How fast memory can be filled, in bytes per millisecond: 5 GB/s were measured (huge pages), and no program was seen to be faster.
 * A fifth is added, so that a limit is never reached between two readings that rely on it.
 */
export const fastestBytesPerMs = 6_000_000;

/** The final snapshot begins at 30 % free, and its worker takes a moment to start. */
const nearShare = 0.4;
const nearBytes = 4 * 2 ** 30;
const nearSeconds = 5;

/** Whether a limit may be reached so soon that what acts on it must be ready. */
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

/** Memory of a process by /proc/PID/statm, which counts in pages of the machine: 4 KiB, on arm64 also 16 and 64 KiB. */
export interface StatmReading {
  readonly vmBytes: Bytes;
  readonly rssBytes: Bytes;
  /** With the stack, which RLIMIT_DATA does not count: a little too much. */
  readonly dataBytes: Bytes;
}

/** null: the text is no statm (the process is gone). */
export function parseStatm(text: string, pageSizeBytes: Bytes): StatmReading | null {
  const pages = text.trim().split(' ').map(Number);
  const [vm, rss, , , , data] = pages;
  if (vm === undefined || rss === undefined || data === undefined) return null;
  if (![vm, rss, data].every((count) => Number.isSafeInteger(count))) return null;
  return {
    vmBytes: vm * pageSizeBytes,
    rssBytes: rss * pageSizeBytes,
    dataBytes: data * pageSizeBytes,
  };
}
