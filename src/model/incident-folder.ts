/**
 * The lines of an incident folder (docs/incident-folder.md): what `record/` appends and `parsers/incident-folder/` reads.
 * Every field that is not named required in that document may be missing: missing is not 0.
 */
import type { MachineFacts } from './machine-facts.ts';
import type { Prose } from './prose.ts';
import type { Limit, MemoryPicture, StackFrame } from './report.ts';
import type { Bytes, Ms } from './units.ts';

/** Where the kernel's trace of a run lies in its folder. */
export const traceFile = 'agent/trace.log';

/** `incident.json`: written before the command starts, never changed afterwards. */
export interface IncidentStart {
  readonly format: 'coroner-incident/1';
  readonly id: string;
  readonly version: string;
  /** Secrets masked. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** Empty where no clock could say. */
  readonly startedAt: string;
  /** The kernel log's clock: seconds since boot without suspended time. */
  readonly startedUptimeSeconds?: number;
  readonly bootId: string | null;
  readonly machine: MachineFacts;
  readonly recorderPid?: number;
  readonly uid: number | null;
  /** false: the kernel log's pids are not ours (a container). null: not known. */
  readonly initialPidNamespace: boolean | null;
  readonly options: Readonly<Record<string, unknown>>;
  /** `end.json` will hold sums of the other files. */
  readonly sums?: true;
}
export type { MachineFacts };

/** One line of `samples.ndjson`: what was read at one moment. Left out: unchanged since the line before. */
export interface SampleLine {
  /** From the start of the run. */
  readonly atMs: Ms;
  readonly processes?: readonly ProcessSample[];
  readonly cgroups?: readonly CgroupSample[];
  readonly host?: HostSample;
}
export interface ProcessSample {
  readonly pid: number;
  /** One letter of /proc/PID/stat. */
  readonly state?: string;
  readonly rssBytes?: Bytes;
  readonly pssBytes?: Bytes;
  readonly anonBytes?: Bytes;
  readonly fileBytes?: Bytes;
  readonly shmemBytes?: Bytes;
  readonly swapBytes?: Bytes;
  readonly vmBytes?: Bytes;
  readonly dataBytes?: Bytes;
  /** High-water marks of the kernel. */
  readonly peakRssBytes?: Bytes;
  readonly peakVmBytes?: Bytes;
  readonly majorFaults?: number;
  readonly userMs?: Ms;
  readonly systemMs?: Ms;
  readonly threads?: number;
  readonly maps?: number;
  /** Time spent waiting for a CPU (schedstat). */
  readonly runDelayMs?: Ms;
}
/** What a cgroup says of itself at one moment, by one name in v1 and v2. Each is absent where its version or kernel does not tell it. */
export interface CgroupFigures {
  readonly currentBytes?: Bytes;
  readonly swapBytes?: Bytes;
  readonly anonBytes?: Bytes;
  readonly fileBytes?: Bytes;
  readonly shmemBytes?: Bytes;
  readonly peakBytes?: Bytes;
  /** Times the limit was hit (`max`, v1 `failcnt`). */
  readonly limitHits?: number;
  readonly highHits?: number;
  /** v2 counts in the whole subtree; v1 has no count of `ooms`, and kills only where the victim lived. */
  readonly ooms?: number;
  readonly oomKills?: number;
  /** Counted in this very cgroup (`memory.events.local`, v1 `memory.oom_control`). */
  readonly localOoms?: number;
  readonly localOomKills?: number;
  readonly groupKills?: number;
  readonly underOom?: boolean;
  readonly refaultsAnon?: number;
  readonly refaultsFile?: number;
}
/** Counters are deltas since the cgroup was first seen, except bytes. */
export interface CgroupSample extends CgroupFigures {
  readonly id: number;
  readonly psiSomeMs?: Ms;
  readonly psiFullMs?: Ms;
}
export interface HostSample {
  readonly availableBytes?: Bytes;
  readonly freeBytes?: Bytes;
  readonly swapFreeBytes?: Bytes;
  readonly committedBytes?: Bytes;
  /** Deltas since the start of the run. */
  readonly pswpin?: number;
  readonly pswpout?: number;
  readonly oomKills?: number;
  readonly psiSomeMs?: Ms;
  readonly psiFullMs?: Ms;
}

/** One line of `events.ndjson`. */
export type EventLine =
  | ProcessSeen
  | ProcessLimitsSeen
  | ProcessGone
  | CgroupSeen
  | CgroupGone
  | KillSeen
  | StallSeen
  | SourceSeen
  | NoteLine;
export interface ProcessSeen {
  readonly what: 'process';
  readonly atMs: Ms;
  readonly pid: number;
  readonly parentPid: number | null;
  readonly name: string;
  /** Secrets masked. */
  readonly command: string | null;
  readonly role: 'command' | 'descendant';
  /** pids in inner namespaces (NSpid), outermost first. */
  readonly otherPids?: readonly number[];
  /** Memory cgroup as the kernel log names it. */
  readonly cgroup?: string;
  readonly oomScoreAdj?: number;
  /** Field 22 of /proc/PID/stat: with pid and boot it names the process for good. */
  readonly startTicks?: number;
  /** Reported again: it executed another program, or moved. */
  readonly again?: boolean;
}
export interface ProcessLimitsSeen {
  readonly what: 'limits';
  readonly atMs: Ms;
  readonly pid: number;
  readonly limits: readonly Limit[];
}
export interface ProcessGone {
  readonly what: 'process-gone';
  readonly atMs: Ms;
  readonly pid: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** wait: from its parent. zombie: seen in /proc before its parent looked. vanished: nobody saw the status. */
  readonly seenAs: 'wait' | 'zombie' | 'vanished';
  readonly parentState?: 'alive' | 'ended';
  /** The kernel's high-water mark of it, or of a child that it had waited for, whichever is higher. */
  readonly peakRssBytes?: Bytes;
  /** It had been dead for so long: the kernel was writing its core. */
  readonly dumpingMs?: Ms;
}
export interface CgroupSeen {
  readonly what: 'cgroup';
  readonly atMs: Ms;
  readonly id: number;
  readonly version: 1 | 2;
  /** As the kernel log names it, where that can be known. */
  readonly path: string;
  readonly folder: string;
  /** 0: a process of the run is in it. */
  readonly level: number;
  /** id of the cgroup above. */
  readonly parent: number | null;
  readonly limitBytes: Bytes | null;
  readonly highBytes?: Bytes | null;
  readonly swapLimitBytes?: Bytes | null;
  readonly killDisabled?: boolean;
  /** What could not be read of it. */
  readonly unreadable?: readonly string[];
}
export interface CgroupGone {
  readonly what: 'cgroup-gone';
  readonly atMs: Ms;
  readonly id: number;
}
/** The OOM killer's counter of a cgroup, or of the host, moved while the command ran. */
export interface KillSeen {
  readonly what: 'kill';
  readonly atMs: Ms;
  readonly cgroup?: string;
  readonly pid?: number;
  readonly text: string;
}
export interface StallSeen {
  readonly what: 'stall';
  readonly atMs: Ms;
  readonly begunMs: Ms;
  readonly pid: number | null;
  readonly name?: string;
  readonly cgroup?: string;
  readonly how: 'swap' | 'file-refaults' | 'memory-high' | 'reclaim' | 'oom-disabled' | 'livelock';
  readonly slowdown?: number;
  /** What the slowdown was measured against: the run before the stall, or a CPU of its own. */
  readonly against?: 'before' | 'full-speed';
  readonly psiFull?: number;
  readonly majorFaultsPerSecond?: number;
  readonly refaultsPerSecond?: number;
  readonly limitHitsPerSecond?: number;
  readonly swapBytes?: Bytes;
  readonly limit?: Limit;
  readonly stillGoingOn: boolean;
}
export interface SourceSeen {
  readonly what: 'source';
  readonly atMs: Ms;
  readonly id: string;
  readonly place: string;
  readonly status: 'read' | 'absent' | 'denied' | 'malformed' | 'truncated';
  readonly detail?: Prose;
  readonly command?: string;
  /** Other processes may write to it as well. */
  readonly shared?: true;
}
export interface NoteLine {
  readonly what: 'note';
  readonly atMs: Ms;
  readonly text: Prose;
  readonly pid?: number;
}

/** `end.json`: written when the command has ended and everything is recorded. */
export interface IncidentEnd {
  readonly endedAt: string | null;
  readonly durationMs: Ms | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The command could not be started at all. */
  readonly launchError?: { readonly code: string; readonly message: string };
  /** What recording took: CPU time and memory of the recorder itself. */
  readonly recorder?: {
    readonly cpuMs: Ms;
    readonly peakRssBytes: Bytes;
    readonly samples: number;
  };
  /** Processes of the run that were still alive. */
  readonly survivors?: readonly number[];
  /** Of each file as its recorder wrote it: how many bytes, and a sum that tells accidents (no seal). */
  readonly sums?: Readonly<Record<string, { readonly bytes: Bytes; readonly sum: string }>>;
}

/** One line of `python/<pid>.ndjson`: what the start-up hook saw (docs/how-run-works.md). */
export interface HookErrorLine {
  readonly what: 'exception';
  readonly fate: 'uncaught' | 'thread' | 'ignored';
  readonly pid: number;
  /** Wall clock, seconds. */
  readonly time?: number;
  readonly type: string;
  readonly message?: string;
  readonly thread?: string;
  /** Innermost first, of the exception itself. */
  readonly stack: readonly StackFrame[];
  readonly vmBytes?: Bytes;
  readonly rssBytes?: Bytes;
  readonly dataBytes?: Bytes;
  readonly maps?: number;
  /** 1 where the class derives from MemoryError, or it is OSError 12. */
  readonly memory?: 0 | 1;
  readonly errno?: number;
  readonly python?: string;
}

/** `looks/NNN-PID.json`: one look into a process, written again after each stage: the process may die at any moment. */
export interface SnapshotFile {
  readonly format: 'coroner-look/1';
  readonly pid: number;
  readonly name: string;
  /** When the look began. */
  readonly atMs: Ms;
  /** How far it got: stacks; large values of locals and globals, estimated; all objects by type; who holds them. */
  readonly stage: 'stacks' | 'quick' | 'census' | 'holders';
  /** Of `quick`: the time was over before everything large had been seen. */
  readonly cutShort?: true;
  readonly rssBytes?: Bytes;
  /** How long the process was stopped for it. */
  readonly stoppedMs?: Ms;
  /** All stops of the run so far. */
  readonly stops?: { readonly count: number; readonly sumMs: Ms; readonly longestMs: Ms };
  /** Of the limit that it was near. */
  readonly limitBytes?: Bytes;
  readonly freeBytes?: Bytes;
  /** The process stood at a request that `--memory-limit` refused. */
  readonly refusal?: {
    readonly requestBytes: Bytes;
    /** What all processes of the run held together. */
    readonly usedBytes: Bytes;
    /** What the others of them held at last, the largest first. */
    readonly others: readonly {
      readonly pid: number;
      readonly name: string;
      readonly heldBytes: Bytes;
    }[];
  };
  readonly picture: MemoryPicture;
}
