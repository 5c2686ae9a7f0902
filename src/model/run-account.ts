/** What a recorded run has to say of itself, however it ended: how much it took, when, for what, and how much would be enough. */
import type { MachineFacts } from './incident-folder.ts';
import type { Limit, MemoryPicture } from './report.ts';
import type { Bytes, Ms } from './units.ts';

export interface RunAccount {
  /** `running`: its recorder lives. `cut-short`: the recorder was ended before the command. */
  readonly state: 'ended' | 'running' | 'cut-short';
  /** Secrets masked. */
  readonly command: readonly string[];
  /** ISO 8601; empty where no clock could say. */
  readonly startedAt: string;
  /** null: it still runs, or nobody saw its end. */
  readonly durationMs: Ms | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** null: nothing could be read of it. */
  readonly peak: RunPeak | null;
  /** null: nothing is known that a limit could be drawn from. */
  readonly enough: EnoughLimit | null;
  /** null: it did not grow to its end, or the run was too short to tell. */
  readonly growth: RunGrowth | null;
  readonly reclaim: RunReclaim;
  readonly cost: RunCost;
  readonly environment: RunEnvironment;
  /** Lines, variables and types of the process that held most, at its peak. Absent where an incident of the report has them. */
  readonly memory?: MemoryPicture;
}
export interface RunPeak {
  readonly bytes: Bytes;
  /** `process`: the kernel's high-water mark of one process. `processes`: all of the run together, as sampled; shared pages count in each. */
  readonly of: 'process' | 'processes';
  /** The process that held most. */
  readonly pid?: number;
  readonly name?: string;
  /** Since the start of the run. */
  readonly atMs?: Ms;
  /** How many processes there were at that moment. */
  readonly processes: number;
  /** High-water mark of the innermost cgroup, where it rose while the run lasted: with page cache, and with whatever else was in it. */
  readonly cgroup?: { readonly path: string; readonly bytes: Bytes };
}
export interface EnoughLimit {
  readonly bytes: Bytes;
  /** Above the peak, 0 to 1. */
  readonly marginShare: number;
  /** The tightest limit that there was; null: none but the machine's. */
  readonly now: Limit | null;
}
export interface RunGrowth {
  readonly bytesPerHour: number;
  /** From when on it grew and gave nothing back, since the start of the run. */
  readonly fromMs: Ms;
  readonly grewBytes: Bytes;
  /** When the tightest limit is reached at that pace, from the end of what was recorded; null: there is no limit. */
  readonly reachesLimitInMs: Ms | null;
}
export interface RunReclaim {
  /** Whose pressure it is: that of the machine others cause as well. */
  readonly of: 'cgroup' | 'machine' | null;
  /** Time in which all, or some, waited for memory. */
  readonly fullMs?: Ms;
  readonly someMs?: Ms;
  readonly limitHits?: number;
  readonly majorFaults?: number;
  readonly swapBytes?: Bytes;
}
/** What recording took from the machine and from the command. What the agent takes inside the process nobody measures. */
export interface RunCost {
  readonly cpuMs?: Ms;
  readonly recorderBytes?: Bytes;
  readonly samples?: number;
  /** Times that the command was stopped for a look, and for how long in all. */
  readonly stops: number;
  readonly stoppedMs: Ms;
}
export interface RunEnvironment {
  readonly machine?: MachineFacts;
  readonly python?: string;
  readonly coroner?: string;
  /** All that bind the run. */
  readonly limits: readonly Limit[];
  /** Installed packages whose code had allocated or held memory. */
  readonly packages?: readonly InstalledPackage[];
}
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
}
