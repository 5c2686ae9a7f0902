import type { Limit, StackFrame } from '../report.ts';
import type { Bytes, HexAddress } from '../units.ts';
import type { Fact } from './fact.ts';

/** What a core file (or a record of one) tells (section 7.3 of the catalogue). */
export interface CoreDump extends Fact<'core-dump'> {
  readonly pid?: number;
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
