import type { ProgramAbort } from '../../../model/evidence.ts';
import type { Found } from '../lines.ts';

/** One wording by which a program says that an allocation was refused, or what only sounds so. */
export interface Refusal {
  readonly reporter: string;
  /** The rarest literal of `pattern`: where it does not stand, nothing else is tried. */
  readonly literal: string;
  readonly pattern: RegExp;
  readonly signal?: string;
  readonly variant?: string;
  readonly resource?: ProgramAbort['resource'];
  /** Reported and handled: no abort. */
  readonly raises?: boolean;
  readonly actualMeaning?: string;
  /** Nothing where a closer look says that it is not what it seemed. */
  readonly unless?: (found: Found) => boolean;
}
