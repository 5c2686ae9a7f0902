import type { Cause, Death } from './causes.ts';
import type { Confidence } from './confidence.ts';
import type { When } from './evidence/fact.ts';
import type { Incident, Reason, Remedy, RuledOut, Unknown } from './report.ts';

/** Which death a finding speaks of: what the join goes by. */
export interface Subject {
  readonly pid?: number;
  /** pids of the same process in other namespaces. */
  readonly otherPids?: readonly number[];
  /** Processes that ended of this death: what they say of their end belongs to it. */
  readonly broughtDown?: readonly number[];
  readonly name?: string;
  readonly cgroup?: string;
  /** Container, pod, unit, job where there is no process. */
  readonly label?: string;
  readonly when?: When;
  /** Position of the deciding evidence: orders what has no time. */
  readonly position: number;
}

type Roles = Pick<
  Incident,
  | 'victim'
  | 'trigger'
  | 'culprit'
  | 'killer'
  | 'limit'
  | 'request'
  | 'stack'
  | 'memory'
  | 'related'
  | 'tasks'
>;

/** One rule's opinion on one death. */
export interface Finding extends Partial<Roles> {
  readonly subject: Subject;
  readonly cause: Cause;
  /** Default: the death that belongs to the cause. */
  readonly death?: Death;
  /** Default: what belongs to the cause. */
  readonly outOfMemory?: boolean | null;
  readonly variant?: string;
  readonly confidence: Confidence;
  readonly headline: string;
  readonly because: readonly Reason[];
  readonly against?: readonly Reason[];
  readonly ruledOut?: readonly RuledOut[];
  readonly unknown?: readonly Unknown[];
  readonly remedies?: readonly Remedy[];
}
