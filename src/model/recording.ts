/**
 * What `coroner run` recorded, as renderers and rules see it: the content of an incident folder
 * (docs/incident-folder.md), already parsed. Every number is optional: missing is not 0.
 */
import type {
  CgroupSample,
  HostSample,
  IncidentEnd,
  MachineFacts,
  ProcessSample,
  SnapshotFile,
} from './incident-folder.ts';
import type { Limit, MemoryPicture, StackFrame } from './report.ts';
import type { Prose } from './prose.ts';
import type { Bytes, Ms } from './units.ts';

export interface Recording {
  readonly format: 'coroner-recording/1';
  readonly id: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly startedAt: string;
  /** null: still running, or the recorder was ended before the command. */
  readonly endedAt: string | null;
  readonly durationMs: Ms | null;
  readonly bootId?: string;
  /** What `/proc` said of the machine when the run began. */
  readonly machine?: MachineFacts;
  /** Of the coroner that recorded it. */
  readonly version?: string;
  /** The process that was asked for; absent: it was never seen. */
  readonly commandPid?: number;
  /** The highest high-water mark that the kernel had of one process, seen when the command had ended: samples may have missed the peak. */
  readonly largestRssBytes?: Bytes;
  readonly recorder?: IncidentEnd['recorder'];
  readonly limits: readonly Limit[];
  readonly processes: readonly RecordedProcess[];
  readonly cgroups: readonly RecordedCgroup[];
  readonly host: Series;
  readonly events: readonly RecordedEvent[];
  readonly looks: readonly RecordedSnapshot[];
}

/** Columns of a process that a recording may have. */
export const processColumns = [
  'rssBytes',
  'pssBytes',
  'anonBytes',
  'fileBytes',
  'shmemBytes',
  'swapBytes',
  'vmBytes',
  'majorFaults',
  'userMs',
  'systemMs',
  'threads',
  'maps',
] as const satisfies readonly (keyof ProcessSample)[];
export const cgroupColumns = [
  'currentBytes',
  'swapBytes',
  'anonBytes',
  'fileBytes',
  'shmemBytes',
  'limitHits',
  'oomKills',
  'psiFullMs',
  'psiSomeMs',
  'refaultsAnon',
  'refaultsFile',
] as const satisfies readonly (keyof CgroupSample)[];
export const hostColumns = [
  'availableBytes',
  'freeBytes',
  'swapFreeBytes',
  'committedBytes',
  'pswpin',
  'pswpout',
  'psiFullMs',
  'psiSomeMs',
  'oomKills',
] as const satisfies readonly (keyof HostSample)[];

/** Columns of equal length; `atMs` counts from the start of the run. null: not read at that moment. */
export interface Series {
  readonly atMs: readonly Ms[];
  /** By name: `processColumns`, `cgroupColumns`, `hostColumns`. */
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
}
export interface RecordedProcess {
  readonly pid: number;
  readonly parentPid: number | null;
  readonly name: string;
  readonly command: string | null;
  readonly startedMs: Ms;
  /** Field 22 of /proc/PID/stat: since boot. */
  readonly startTicks?: number;
  readonly endedMs: Ms | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly peakRssBytes?: Bytes;
  /** It may have held more after its last reading. */
  readonly peakIsLeast?: boolean;
  readonly samples: Series;
}
export interface RecordedCgroup {
  readonly version: 1 | 2;
  readonly path: string;
  /** 0: the command's own. */
  readonly level: number;
  readonly limitBytes: Bytes | null;
  readonly highBytes?: Bytes | null;
  /** The kernel's high-water mark, where it rose while the run lasted. */
  readonly peakBytes?: Bytes;
  readonly samples: Series;
}
export interface RecordedEvent {
  readonly atMs: Ms;
  readonly what:
    | 'start'
    | 'end'
    | 'kill'
    | 'limit-hit'
    | 'stall'
    | 'exception'
    | 'failed-allocation'
    | 'look'
    | 'note';
  readonly pid?: number;
  readonly text: Prose;
  readonly stack?: readonly StackFrame[];
}
export interface RecordedSnapshot {
  readonly atMs: Ms;
  readonly pid: number;
  readonly name: string;
  readonly rssBytes?: Bytes;
  /** The time was over before everything large had been seen. */
  readonly cutShort?: true;
  /** All stops of the run until then. */
  readonly stops?: SnapshotFile['stops'];
  readonly picture: MemoryPicture;
}
