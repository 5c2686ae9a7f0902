import type { CgroupFigures } from '../incident-folder.ts';
import type { AllocationFailure, Limit, MemoryPicture } from '../report.ts';
import type { Bytes, Ms } from '../units.ts';
import type { Fact } from './fact.ts';

/** How a watched process ended: the wait status, from its parent. */
export interface ProcessExit extends Fact<'process-exit'> {
  readonly pid: number;
  readonly name: string;
  readonly command?: string;
  /** When the recorder last read the name, ISO 8601: the process may have executed another program since. */
  readonly namedAt?: string;
  readonly role: 'command' | 'descendant';
  readonly exitCode: number | null;
  /** `SIGKILL`, …; null where it exited. */
  readonly signal: string | null;
  readonly peakRssBytes?: Bytes;
  /** It may have held more after its last reading. */
  readonly peakIsLeast?: boolean;
  readonly uptimeMs?: Ms;
  /** pids as other namespaces see it (NSpid). */
  readonly otherPids?: readonly number[];
  readonly cgroup?: string;
  /** pid and name of the sender of the signal, where a tracepoint saw it; pid 0: the kernel. */
  readonly sender?: { readonly pid: number; readonly name: string; readonly kernel: boolean };
  /** The kernel's own record that its OOM killer chose this process (tracepoint oom:mark_victim), with what it held then. */
  readonly markedVictim?: MarkedVictim;
  /** For a descendant: its parent still lives, hangs, or had ended too. */
  readonly parentAfterwards?: 'ended' | 'alive' | 'hangs';
  readonly parent?: { readonly pid: number; readonly name: string };
  readonly leaderPid?: number;
  /** It had crashed so long before its end: the kernel was writing its core, seconds to minutes through a pipe. */
  readonly dumpingMs?: Ms;
}

/** All but the pid since 6.8. */
export interface MarkedVictim {
  readonly place: string;
  readonly quote: string;
  readonly totalVmBytes?: Bytes;
  readonly anonRssBytes?: Bytes;
  readonly fileRssBytes?: Bytes;
  readonly shmemRssBytes?: Bytes;
  readonly uid?: number;
  readonly oomScoreAdj?: number;
}

/** What moved in one cgroup's counters during a run (deltas, never totals). */
export interface CgroupCounters
  extends
    Fact<'cgroup-counters'>,
    Pick<
      CgroupFigures,
      | 'peakBytes'
      | 'oomKills'
      | 'localOomKills'
      | 'localOoms'
      | 'groupKills'
      | 'limitHits'
      | 'highHits'
      | 'underOom'
    > {
  readonly version: 1 | 2;
  readonly path: string;
  /** 0: the command's own cgroup, 1: its parent, … */
  readonly level: number;
  readonly limitBytes: Bytes | null;
  readonly highBytes?: Bytes | null;
  readonly killDisabled?: boolean;
  /** When the kills in this very cgroup were counted: between which two readings (ISO 8601), and how many. */
  readonly killTimes?: readonly {
    readonly from?: string;
    readonly until: string;
    readonly kills: number;
  }[];
  /** The cgroup vanished before its last reading. */
  readonly vanished?: boolean;
}

/** What moved on the host during a run. */
export interface HostCounters extends Fact<'host-counters'> {
  readonly oomKills?: number;
  readonly minAvailableBytes?: Bytes;
  readonly totalBytes?: Bytes;
  readonly swapTotalBytes?: Bytes;
  readonly minSwapFreeBytes?: Bytes;
  readonly overcommitMode?: number;
  readonly commitLimitBytes?: Bytes;
  readonly peakCommittedBytes?: Bytes;
}

/** Limits of a watched process against what it used. */
export interface ProcessLimits extends Fact<'process-limits'> {
  readonly pid: number;
  readonly name: string;
  readonly limits: readonly Limit[];
  readonly peakVmBytes?: Bytes;
  readonly peakDataBytes?: Bytes;
  readonly peakRssBytes?: Bytes;
  /** It may have held more after its last reading. */
  readonly peakIsLeast?: boolean;
  readonly peakSwapBytes?: Bytes;
  readonly maxMapCount?: number;
  readonly peakMapCount?: number;
  readonly threads?: number;
}

/** A stretch of time in which a process or cgroup did little but wait for memory. */
export interface Stall extends Fact<'stall'> {
  readonly pid: number | null;
  readonly name?: string;
  readonly cgroup?: string;
  readonly how: 'swap' | 'file-refaults' | 'memory-high' | 'reclaim' | 'oom-disabled' | 'livelock';
  readonly durationMs: Ms;
  /** Progress before against during the stall (CPU time spent in user code per second); undefined where not measurable. */
  readonly slowdown?: number;
  readonly psiFull?: number;
  readonly majorFaultsPerSecond?: number;
  readonly refaultsPerSecond?: number;
  readonly swapBytes?: Bytes;
  readonly stillGoingOn: boolean;
  readonly limit?: Limit;
}

/** A recording breaks off while the machine had next to nothing left, and no swap to turn to. */
export interface MachineFreeze extends Fact<'machine-freeze'> {
  /** The largest process of the last sample. Absent: there was none. */
  readonly largest?: {
    readonly pid: number;
    readonly name: string;
    readonly heldBytes: Bytes;
    /** Over the last seconds. */
    readonly growthBytesPerSecond: number;
  };
  readonly totalBytes: Bytes;
  readonly availableBytes: Bytes;
  /** For how long there was as little, up to the last sample. */
  readonly shortForMs: Ms;
  /** Shares of the last second in which something, or everything, waited for memory (PSI); absent: the kernel does not tell. */
  readonly psiSome?: number;
  readonly psiFull?: number;
  /** Bytes of swap; 0: there was none. What there was, was full. */
  readonly swapBytes: Bytes;
  /** Since the start of the run. */
  readonly lastSampleMs: Ms;
  /** The last samples came so far apart at most: far from limits as a matter of course, here the recorder had to wait. */
  readonly longestGapMs: Ms;
}

/** What the agent inside saw refused. */
export interface FailedAllocation extends Fact<'failed-allocation'> {
  readonly pid: number;
  readonly name: string;
  readonly failure: AllocationFailure;
  /** agent: seen in the process. tracepoint: seen by the kernel. */
  readonly seenBy: 'agent' | 'tracepoint' | 'strace';
  /** How long before the process ended; undefined where unknown. */
  readonly beforeEndMs?: Ms;
  readonly limit?: Limit;
}

/** The last look and the agent's tables for one process. */
export interface HeapSnapshot extends Fact<'heap-snapshot'> {
  readonly pid: number;
  readonly name: string;
  /** Its version, where the agent knows it. */
  readonly python?: string;
  readonly picture: MemoryPicture;
}

export type RecordingEvidence =
  | ProcessExit
  | CgroupCounters
  | HostCounters
  | ProcessLimits
  | Stall
  | MachineFreeze
  | FailedAllocation
  | HeapSnapshot;
