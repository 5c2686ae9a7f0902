import { findMounts, levelsOf, limitsOf } from '../machine/cgroup.ts';
import { parseKeyed } from '../machine/proc.ts';
import { textOf } from '../machine/read.ts';
import type { Bytes } from '../model/units.ts';

/** How much memory a process started here can use at most: the smallest limit of its cgroups or the machine's memory. null: not readable. */
export function availableLimitBytes(proc = '/proc', cgroupRoot?: string): Bytes | null {
  const limits = [
    parseKeyed(textOf(`${proc}/meminfo`) ?? '').get('MemTotal') ?? null,
    ...levelsOf(findMounts(proc, cgroupRoot), textOf(`${proc}/self/cgroup`) ?? '').map(
      (place) => limitsOf(place).limitBytes,
    ),
  ].filter((bytes): bytes is Bytes => bytes !== null);
  return limits.length === 0 ? null : Math.min(...limits);
}
