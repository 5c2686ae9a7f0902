/**
 * The report: the contract between coroner and everybody who reads `--json`.
 * Every field is optional for a reader; missing or null means "not known", never 0.
 */
import type { Cause, Death } from './causes.ts';
import type { Confidence } from './confidence.ts';
import type { Prose } from './prose.ts';
import type { Doubt } from './doubt.ts';
import type { MachineFacts } from './machine-facts.ts';
import type { Bytes, Ms } from './units.ts';

export interface Report {
  readonly format: 'coroner/1';
  /** In the order in which they happened. */
  readonly incidents: readonly Incident[];
  readonly sources: readonly SourceReport[];
  /** Where a run was recorded: what it took, and what would be enough. */
  readonly run?: RunAccount;
  /** Rules that could not judge, and which kinds of evidence they had needed. */
  readonly rulesNotRun?: readonly RuleNotRun[];
}
export interface RuleNotRun {
  readonly rule: string;
  readonly missing: readonly string[];
  /** What went wrong in coroner itself while it judged. */
  readonly fault?: string;
}

/** One death (or stall) of one process. */
export interface Incident {
  /** The same for deaths of one cause, in one program, of one holder and place: never of lines, pids or sizes. */
  readonly fingerprint?: string;
  /** Of the process that died: boot, pid and start. Absent where they are not known. */
  readonly id?: string;
  readonly outOfMemory: boolean | null;
  readonly death: Death;
  readonly cause: Cause;
  /** Finer than the cause: `group-kill`, `memory-high-throttle`, `max-map-count`, `overcommit`, `stack-overflow`, … */
  readonly variant?: string;
  readonly confidence: Confidence;
  /** The type of the exception that it ended with, where that is all there is to say: `KeyboardInterrupt`, `ValueError`, … */
  readonly exception?: string;
  /** One sentence, without a full stop. */
  readonly headline: Prose;
  /** The command of the recorded run exited with status 0, whatever this incident says of one of its processes or threads. */
  readonly commandEndedWell?: true;
  /** ISO 8601, null where unknown. */
  readonly at: string | null;
  /** Where only the time since boot is known. */
  readonly atUptimeSeconds?: number;
  readonly victim: ProcessRole | null;
  /** Whose allocation failed. */
  readonly trigger: ProcessRole | null;
  /** Who or what held the memory; `pid` is absent where it is no process (tmpfs, slab, …). */
  readonly culprit: CulpritRole | null;
  readonly killer: KillerRole | null;
  readonly limit: Limit | null;
  readonly request: { readonly bytes: Bytes | null };
  readonly because: readonly Reason[];
  readonly against: readonly Reason[];
  readonly ruledOut: readonly RuledOut[];
  readonly unknown: readonly Unknown[];
  readonly remedies: readonly Remedy[];
  /** Innermost first: where it died or failed. */
  readonly stack: readonly StackFrame[];
  readonly memory: MemoryPicture;
  /** Deaths that this one brought with it, or that brought this one. */
  readonly related?: readonly {
    readonly pid: number;
    readonly name?: string;
    /** `killed-with-it` or `parent`. Older reports have none. */
    readonly relation?: string;
    readonly how: Prose;
  }[];
  /** The kernel's table of tasks, where it was printed. */
  readonly tasks?: readonly Task[];
}

/** An incident of which nothing is known: the base of what is judged, and of old reports that lack a field. */
export const nothingKnown: Incident = {
  outOfMemory: null,
  death: 'none',
  cause: 'undetermined',
  confidence: 'weak',
  headline: 'Nothing is said',
  at: null,
  victim: null,
  trigger: null,
  culprit: null,
  killer: null,
  limit: null,
  request: { bytes: null },
  because: [],
  against: [],
  ruledOut: [],
  unknown: [],
  remedies: [],
  stack: [],
  memory: {},
};

export interface ProcessRole {
  readonly pid?: number;
  readonly name?: string;
  readonly uid?: number;
  readonly anonRssBytes?: Bytes;
  readonly fileRssBytes?: Bytes;
  readonly shmemRssBytes?: Bytes;
  readonly swapBytes?: Bytes;
  readonly totalVmBytes?: Bytes;
  readonly oomScoreAdj?: number;
  readonly cgroup?: string;
  readonly command?: string;
}
export interface CulpritRole extends ProcessRole {
  /** `process`, or what held the memory instead of one. */
  readonly what:
    | 'process'
    | 'processes'
    | 'tmpfs'
    | 'slab'
    | 'kernel'
    | 'page-cache'
    | 'hugetlb'
    | 'sockets'
    | 'unknown';
  readonly bytes?: Bytes;
}
export interface KillerRole {
  /** `kernel`, `systemd-oomd`, `earlyoom`, `kubelet`, `slurm`, … */
  readonly name: string;
  readonly pid?: number;
}
export interface Limit {
  readonly owner: LimitOwner;
  /** The cgroup's path, the rlimit's name (`RLIMIT_AS`), the node, the pod, the unit, … */
  readonly path?: string;
  readonly bytes: Bytes | null;
}
export type LimitOwner =
  | 'host'
  | 'cgroup'
  | 'rlimit'
  | 'overcommit'
  | 'address-space'
  | 'map-count'
  | 'numa-node'
  | 'daemon'
  | 'orchestrator'
  | 'scheduler'
  | 'platform'
  | 'runtime'
  | 'gpu'
  | 'shm'
  | 'budget'
  | 'unknown';

export interface Reason {
  readonly says: Prose;
  /** Id of the parser or reader: `kernel-log`, `python-traceback`, `cgroup`, … */
  readonly source: string;
  /** `kern.log:120-171`, `/sys/fs/cgroup/memory/job/memory.oom_control`, … */
  readonly place: string;
  /** The very text, where there is one. */
  readonly quote?: string;
  /** Why the place may not mean what it seems to. */
  readonly doubt?: Doubt;
}
export interface RuledOut {
  readonly cause: Cause;
  readonly variant?: string;
  readonly because: Prose;
}
export interface Unknown {
  /** Which question is open: `which-limit`, `which-process`, … Older reports have none. */
  readonly id?: string;
  readonly what: Prose;
  readonly why: Prose;
  /** What to type to find out. */
  readonly command: string | null;
}
export interface Remedy {
  /** What kind of advice it is, whatever its words: `record-next-time`, `raise-rlimit`, … Older reports have none. */
  readonly id?: string;
  readonly title: Prose;
  readonly detail: Prose;
  readonly command: string | null;
}
export interface StackFrame {
  readonly function: string;
  readonly file: string | null;
  readonly line: number | null;
  /** The source line's text, where it was readable. */
  readonly text?: string;
}
/** One row of the kernel's task table. */
export interface Task {
  readonly pid: number;
  readonly name: string;
  readonly uid?: number;
  readonly totalVmBytes?: Bytes;
  readonly rssBytes?: Bytes;
  readonly anonRssBytes?: Bytes;
  readonly fileRssBytes?: Bytes;
  readonly shmemRssBytes?: Bytes;
  readonly swapBytes?: Bytes;
  readonly pageTablesBytes?: Bytes;
  readonly oomScoreAdj?: number;
}

/** What held the memory and who had allocated it. */
export interface MemoryPicture {
  readonly peakRssBytes?: Bytes;
  /** It may have held more after its last reading. */
  readonly peakIsLeast?: boolean;
  /** When the last look was taken, ISO 8601. */
  readonly lookedAt?: string;
  readonly ageAtDeathMs?: Ms;
  readonly threads?: readonly Thread[];
  readonly types?: readonly TypeTotal[];
  readonly holders?: readonly Holder[];
  readonly smells?: readonly Smell[];
  readonly allocations?: readonly Allocation[];
  /** How what was live grew, by line: a hundred moments at most, in the order of time. */
  readonly growth?: readonly GrowthMoment[];
  readonly failures?: readonly AllocationFailure[];
  readonly accounted?: Accounted;
  /** What the look or the agent could not read, in words. */
  readonly notes?: readonly Prose[];
}
export interface Thread {
  readonly id: number;
  readonly name: string | null;
  readonly holdsGil: boolean;
  readonly collectingGarbage?: boolean;
  /** Id of the sub-interpreter that it runs in; absent: the main one, or not known. */
  readonly subinterpreter?: number;
  readonly stack: readonly StackFrame[];
}
export interface TypeTotal {
  readonly type: string;
  readonly count: number;
  readonly bytes: Bytes;
}
export type HolderScope =
  | 'local'
  | 'global'
  | 'attribute'
  | 'closure'
  | 'stack'
  | 'native'
  | 'unknown';
/** What a holder is. All but `variable` and `shared` have no name in the program. */
export type HolderKind =
  /** A global, a local, an attribute, a closure variable, a C function's argument. */
  | 'variable'
  /** What several variables lead to and none keeps alone; the first of them gives the name. */
  | 'shared'
  /** The hidden argument of a comprehension or generator expression. */
  | 'iterator'
  | 'thread-locals'
  /** The exception that is being raised. */
  | 'exception'
  /** A value on an evaluation stack or a C stack: a list that a comprehension builds, an argument of a call. */
  | 'being-built'
  /** The items of a list while `list.sort()` works on them. */
  | 'being-sorted'
  | 'garbage-cycles'
  /** Garbage cycles or objects that C code holds: there was no time to tell them apart. */
  | 'garbage-or-c-code'
  | 'c-code'
  | 'imported-modules'
  | 'no-name';
export interface Holder {
  readonly name: string;
  /** Absent in reports that were written before holders had kinds. */
  readonly kind?: HolderKind;
  readonly scope: HolderScope;
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
  /** From the name to the bytes: `chunks -> list[64] -> numpy.ndarray[float64]`. */
  readonly path: string;
  readonly type: string;
  readonly ownBytes: Bytes;
  readonly retainedBytes: Bytes;
  readonly alsoHeldBy: readonly string[];
  readonly estimate: boolean;
}
export interface Smell {
  readonly id: string;
  readonly holder: string | null;
  readonly savesBytes: Bytes;
  readonly says: Prose;
}
export interface Allocation {
  /** `refusal`: when the request was refused that the death, or the exception, came of. */
  readonly when: 'peak' | 'refusal' | 'death';
  readonly file: string | null;
  readonly line: number | null;
  readonly function: string | null;
  readonly bytes: Bytes;
  /** Of all that was live at that moment, 0 to 1. */
  readonly share: number;
  /** Relative standard error, 0 where counted exactly. */
  readonly plusMinus: number;
  readonly stack: readonly StackFrame[];
  /** The source line's text, where it was readable. */
  readonly text?: string;
  /** It held more and more to the very end: what a leak looks like. */
  readonly growing?: true;
  /** The call paths that led to this line, largest first, where there is more than one; `stack` is the first of them. */
  readonly paths?: readonly { readonly bytes: Bytes; readonly stack: readonly StackFrame[] }[];
}
/** What was live at one moment; the lines of the largest call paths only. */
export interface GrowthMoment {
  /** Since the process began. */
  readonly atMs: Ms;
  readonly liveBytes: Bytes;
  readonly rssBytes: Bytes;
  readonly lines: readonly {
    readonly file: string | null;
    readonly line: number | null;
    readonly function: string | null;
    readonly bytes: Bytes;
  }[];
}
export interface AllocationFailure {
  readonly bytes: Bytes;
  readonly errno: string;
  readonly stack: readonly StackFrame[];
  /** Library (and symbol) that asked. */
  readonly caller?: string;
  readonly pid?: number;
}
export interface Accounted {
  readonly rssBytes: Bytes;
  readonly pythonBytes: Bytes;
  readonly nativeBytes: Bytes;
  readonly unexplainedBytes: Bytes;
  /** Finer, in words; `unexplainedBytes` is the allocators' rounding and free space among them. */
  readonly parts?: readonly { readonly what: Prose; readonly bytes: Bytes }[];
  /** Of Python's objects, what was allocated but never touched: not in the resident set. */
  readonly untouchedBytes?: Bytes;
}

export type SourceStatus = 'read' | 'absent' | 'denied' | 'malformed' | 'truncated';
/** What became of a source that was asked: lets a rule tell "no kill in the log" from "log not readable". */
export interface SourceReport {
  readonly id: string;
  readonly place: string;
  readonly status: SourceStatus;
  readonly detail?: Prose;
  /** What to type to read it after all. */
  readonly command?: string;
}

/** What a recorded run has to say of itself, however it ended: how much it took, when, for what, and how much would be enough. */
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
  /** It may have held more after its last reading. */
  readonly isLeast?: boolean;
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

/** `coroner inspect --json`. */
export interface Inspection {
  readonly format: 'coroner/1';
  readonly process: {
    readonly pid: number | null;
    readonly name: string | null;
    readonly command: string | null;
    readonly python: string | null;
    readonly place: string;
  };
  readonly threads: readonly Thread[];
  readonly memory: MemoryPicture;
}
