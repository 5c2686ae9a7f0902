import type { Limit, StackFrame, Thread } from '../report.ts';
import type { Bytes, HexAddress } from '../units.ts';
import type { Fact } from './fact.ts';

/** What a core file (or a record of one) tells. */
export interface CoreDump extends Fact<'core-dump'> {
  /** The core itself, or somebody's note about one: systemd-coredump, apport. Default: the core itself. */
  readonly record?: 'core' | 'systemd-coredump' | 'apport';
  /** Where the core itself lies, as the note says. */
  readonly storedAt?: string;
  readonly pid?: number;
  /** The thread that died: the kernel's lines (`segfault at`, `__vm_enough_memory`) name it, not the process. */
  readonly threadId?: number;
  readonly name?: string;
  readonly command?: string;
  readonly executable?: string;
  readonly signal: string | null;
  /** si_code of the signal that killed; after a re-raise (faulthandler) that of the original one. */
  readonly signalCode?: number;
  readonly reraised?: boolean;
  readonly faultAddress?: HexAddress;
  readonly stackPointer?: HexAddress;
  readonly instructionPointer?: HexAddress;
  /** Object that holds the instruction pointer. */
  readonly faultingObject?: string;
  /** null: a write or read is not known. */
  readonly access?: 'read' | 'write' | 'execute' | null;
  /** The faulting instruction's base register was 0. */
  readonly baseRegisterZero?: boolean;
  /** That register, and the operand as GNU tools write it: `rax`, `0x20(%rax,%r15,1)`. */
  readonly zeroRegister?: string;
  readonly operand?: string;
  /** File mapped at the fault address; absent where it is anonymous memory or nothing. */
  readonly faultMapping?: string;
  /** The access fell off the end of a stack. */
  readonly stackOverflow?: boolean;
  /** Another process sent the signal. */
  readonly sender?: { readonly pid: number; readonly uid: number };
  /** What glibc noted before it aborted: `free(): double free detected in tcache 2`. */
  readonly abortMessage?: string;
  /** C++ exception that was being handled when it aborted: `std::bad_alloc`. */
  readonly exceptionType?: string;
  /** What malloc refused, where its numbers were still on the stack. */
  readonly requestBytes?: Bytes;
  /** Values at the death out of /proc, where a dumper kept them. */
  readonly peakVmBytes?: Bytes;
  readonly peakRssBytes?: Bytes;
  /** ctypes was loaded: it sets errno back on its way (lab: errno 0 after malloc gave NULL). */
  readonly ctypes?: boolean;
  /** The core was cut short: these bytes of it are missing. */
  readonly missingBytes?: Bytes;
  readonly pythonThreads?: readonly Thread[];
  /** errno of the crashing thread, where it could be read. */
  readonly errno?: number;
  readonly totalVmBytes?: Bytes;
  readonly mapCount?: number;
  readonly limits?: readonly Limit[];
  readonly threads?: number;
  readonly buildIds?: readonly { readonly object: string; readonly buildId: string }[];
  readonly stack?: readonly StackFrame[];
  readonly nativeStack?: readonly string[];
  readonly truncated?: boolean;
  readonly uid?: number;
}

export type CoreEvidence = CoreDump;
