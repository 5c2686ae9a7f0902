import type { Limit, ProcessRole } from '../report.ts';
import type { Cause, Death } from '../causes.ts';
import type { Bytes } from '../units.ts';
import type { Fact } from './fact.ts';

/**
 * A record of somebody else who ends processes for their memory, or denies it:
 * guards, orchestrators, schedulers, platforms, jetsam.
 */
export interface KillerRecord extends Fact<'killer-record'> {
  /** `earlyoom`, `nohang`, `systemd-oomd`, `kubelet`, `docker`, `slurm`, `heroku`, `jetsam`, … */
  readonly reporter: string;
  readonly cause: Cause;
  readonly death?: Death;
  readonly variant?: string;
  /** What the record itself says, as one sentence for the headline's reason. */
  readonly message: string;
  readonly victim?: ProcessRole;
  /** Pod, container, unit, job: who it was where there is no process. */
  readonly subject?: string;
  readonly limit?: Limit;
  readonly usedBytes?: Bytes;
  readonly requestBytes?: Bytes;
  /** direct: the killer's own record. indirect: a status flag that others set, sticky or container-wide. */
  readonly sourceKind: 'direct' | 'indirect';
  /** The victim is named by a line nearby, not by this record. */
  readonly victimNearby?: true;
  readonly exitCode?: number;
  readonly signal?: string;
}

/** Figures over time or peaks from tools (vmstat, sar, free, time -v, docker stats, …). */
export interface MetricsWindow extends Fact<'metrics'> {
  readonly tool: string;
  readonly subject?: string;
  readonly pid?: number;
  readonly peakRssBytes?: Bytes;
  readonly usedBytes?: Bytes;
  readonly limitBytes?: Bytes;
  readonly availableBytes?: Bytes;
  readonly totalBytes?: Bytes;
  readonly swapUsedBytes?: Bytes;
  readonly swapTotalBytes?: Bytes;
  readonly swapInPagesPerSecond?: number;
  readonly swapOutPagesPerSecond?: number;
  readonly majorFaultsPerSecond?: number;
  readonly psiMemoryFullAvg10?: number;
  readonly psiMemorySomeAvg10?: number;
  readonly ioWaitPercent?: number;
  readonly samples: number;
  /** What a counter of the OOM killer's kills shows: 0 speaks against one. Absent where no counter was read. */
  readonly oomKills?: number;
  /** What the tool's figures say on their own. */
  readonly reading: 'thrashing' | 'full' | 'high' | 'calm';
  readonly message: string;
}

/** A memory limit that the text itself names: `ulimit -v`, `docker run -m`, `MemoryMax=`, `limits: memory:`, `#SBATCH --mem`. */
export interface StatedLimit extends Fact<'stated-limit'> {
  readonly limit: Limit & { readonly bytes: Bytes };
  /** `RLIMIT_AS`, `container`, `unit`, `job`, `function`, … */
  readonly of: string;
}

export type KillerEvidence = KillerRecord | MetricsWindow | StatedLimit;
