import type { Smell } from '../../model/report.ts';
import type { Bytes } from '../../model/units.ts';
import type { Heap } from '../heap/heap.ts';
import type { Holders } from '../holders/holders.ts';
import type { TypeInfo } from '../objects/types.ts';

/** A large container or array that a holder leads to. */
export interface Candidate {
  /** Name of the holder in the report: `rows`, `server.sessions`. */
  readonly holder: string;
  readonly object: number;
  readonly type: TypeInfo;
  /** Items; 0 where it has none. */
  readonly length: number;
  readonly retainedBytes: Bytes;
}

/** What a smell checks: the counted heap, its holders, and the large containers that these lead to. */
export interface CheckContext {
  readonly heap: Heap;
  readonly found: Holders;
  readonly candidates: readonly Candidate[];
}

/** One kind of waste. `check` reads sizes, types and counts, and compares values only with each other. */
export interface SmellRule {
  readonly id: string;
  readonly title: string;
  readonly check: (context: CheckContext) => readonly Smell[];
}
