import type { Bytes } from '../units.ts';
import type { Fact } from './fact.ts';

/**
 * Totals of a cgroup that still stands, since it was made: sticky, without times and names.
 * Kept apart from what moved during a recording (`cgroup-counters`), which proves much more.
 */
export interface StandingCgroup extends Fact<'standing-cgroup'> {
  readonly version: 1 | 2;
  /** Path below the mount of its hierarchy. */
  readonly path: string;
  /** Processes of this very cgroup that the OOM killer killed. */
  readonly oomKills: number;
  /** Times that this cgroup's own limit brought the OOM killer. */
  readonly ooms?: number;
  readonly limitHits?: number;
  readonly limitBytes: Bytes | null;
  readonly usageBytes?: Bytes;
  readonly peakBytes?: Bytes;
  readonly processes?: number;
}

export type StandingEvidence = StandingCgroup;
