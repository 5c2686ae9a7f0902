import type { ProcessRole, Task } from '../report.ts';
import type { Bytes, HexAddress } from '../units.ts';
import type { Fact, Origin } from './fact.ts';

/** `constraint=` of the kernel: whose memory was short. */
export type OomConstraint = 'none' | 'memcg' | 'cpuset' | 'memory-policy';

/** One kill by the kernel's OOM killer, joined from all its lines. */
export interface KernelOomKill extends Fact<'kernel-oom-kill'> {
  readonly victim: ProcessRole & { readonly pid?: number };
  /** null where no line tells (a bare `Killed process` of an old kernel). */
  readonly constraint: OomConstraint | null;
  readonly report: OomReport | null;
  /** Cgroup whose limit fired, in the kernel's word (`oom_memcg`). */
  readonly oomMemcg?: string;
  /** Cgroup of the victim (`task_memcg`). */
  readonly taskMemcg?: string;
  /** Which line proves it: the kill's own, the report's `oom-kill:` alone, or only the choice (`Kill process … or sacrifice child`). */
  readonly sourceKind?: 'killed' | 'oom-kill' | 'choice' | 'reaped';
  readonly variant?: 'group-kill' | 'sysrq' | 'allocating-task' | 'panic' | 'sacrificed-child';
}

/** A report of the OOM killer: header, statistics, task table. Also alone, where no kill line is left. */
export interface OomReport {
  readonly trigger: ProcessRole | null;
  readonly order?: number;
  readonly gfpMask?: string;
  readonly usageBytes?: Bytes;
  readonly limitBytes?: Bytes | null;
  readonly swapUsageBytes?: Bytes;
  readonly swapLimitBytes?: Bytes | null;
  readonly failcnt?: number;
  /** Statistics of the cgroup in bytes, by the kernel's names (`anon`, `total_shmem`, `slab_unreclaimable`, …). */
  readonly statBytes?: Readonly<Record<string, Bytes>>;
  /** Host figures of Mem-Info in bytes, where printed: `free`, `min`, `slab_unreclaimable`, `shmem`, `totalRam`, `freeSwap`, `totalSwap`. */
  readonly hostBytes?: Readonly<Record<string, Bytes>>;
  readonly tasks: readonly Task[];
  /** Derived from the victim's row against its kill line; absent where it could not be. */
  readonly pageSizeBytes?: Bytes;
  readonly truncated?: 'head' | 'tail';
  /** Names of functions in the call trace that tell something: `shmem_file_write_iter`, `pagefault_out_of_memory`, … */
  readonly callTrace?: readonly string[];
  /** The lines that prove single things, where they were printed. */
  readonly lines?: {
    readonly header?: Origin;
    readonly usage?: Origin;
    readonly limitOf?: Origin;
    readonly constraint?: Origin;
    readonly group?: Origin;
    readonly choice?: Origin;
    readonly shmem?: Origin;
  };
  /** Whom the kernel had chosen, where that is not who was killed (`or sacrifice child`). */
  readonly chosen?: ProcessRole;
}

/** The OOM killer ran and killed nobody it named: truncated, panic, no killable process, already exiting. */
export interface KernelOomWithoutKill extends Fact<'kernel-oom-without-kill'> {
  readonly constraint: OomConstraint | null;
  readonly report: OomReport | null;
  readonly oomMemcg?: string;
  /** `figures-alone`: nothing but an account of the machine's memory is left, which shows none. */
  readonly why:
    | 'no-kill-line'
    | 'figures-alone'
    | 'panic'
    | 'no-killable-process'
    | 'already-exiting'
    | 'deadlock';
}

/** `python3[22509]: segfault at 0 ip … sp … error 6 in libc.so.6[…]`, and traps. */
export interface KernelSegfault extends Fact<'kernel-segfault'> {
  readonly pid: number;
  readonly name: string;
  readonly faultAddress: HexAddress | null;
  readonly instructionPointer?: HexAddress;
  readonly stackPointer?: HexAddress;
  readonly error?: number;
  readonly library?: string;
  readonly trap:
    | 'segfault'
    | 'general-protection'
    | 'invalid-opcode'
    | 'divide-error'
    | 'bus-error'
    | 'other';
}

/** `__vm_enough_memory: pid: …, comm: …, bytes: N not enough memory for the allocation`. */
export interface KernelRefusal extends Fact<'kernel-refusal'> {
  readonly pid: number;
  readonly name: string;
  /** Absent before the kernel printed it. */
  readonly bytes?: Bytes;
  readonly reporter: 'overcommit' | 'rlimit-data';
  readonly limitBytes?: Bytes;
}

/** Other kernel lines that speak of memory or of a death. */
export interface KernelNotice extends Fact<'kernel-notice'> {
  readonly what:
    | 'page-allocation-failure'
    | 'hung-task'
    | 'fork-rejected-pids'
    | 'hardware-poison'
    | 'oom-reaper'
    | 'panic-on-oom'
    | 'panic-other'
    | 'suppressed'
    | 'soft-lockup'
    | 'gpu-fault'
    | 'core-dump'
    /** The OOM killer struck during a recorded run; whether the victim belonged to it is not known. */
    | 'kill-of-unknown'
    | 'other';
  readonly pid?: number;
  readonly name?: string;
  /** Of a kill: the cgroup of the killed; absent where the log does not name it. */
  readonly cgroup?: string;
  readonly text: string;
  readonly order?: number;
}

export type KernelEvidence =
  | KernelOomKill
  | KernelOomWithoutKill
  | KernelSegfault
  | KernelRefusal
  | KernelNotice;
