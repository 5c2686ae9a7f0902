import type { Cause, Death } from './causes.ts';
import type { Confidence } from './confidence.ts';
import type { When } from './evidence/fact.ts';
import type { Prose } from './prose.ts';
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

/** What may stay open after a verdict. What one rule does not know another may: then the question falls (`diagnose/incident.ts`). */
export type QuestionId =
  | 'which-limit'
  | 'how-it-ended'
  | 'whether-a-process-died'
  | 'how-high-the-limit'
  | 'which-cgroup'
  | 'which-process-of-container'
  | 'which-process-and-when'
  | 'which-process-was-killed'
  | 'which-process-held'
  | 'which-allocation'
  | 'which-line-asked'
  | 'which-line-crashed'
  | 'which-variables'
  | 'how-much-was-asked'
  | 'how-full'
  | 'whether-it-died-of-it'
  | 'whether-refused-before'
  | 'whether-rlimit-refused'
  | 'whether-refusal-behind-crash'
  | 'whether-guard'
  | 'which-device'
  | 'was-memory-short'
  | 'who-sent-it'
  | 'who-called-the-killer'
  | 'why-it-crashed'
  | 'why-it-aborted'
  | 'what-it-said'
  | 'what-became-of-file'
  | 'kernel-record'
  | 'kernel-words'
  | `source-${string}`;
export interface Question extends Unknown {
  readonly id: QuestionId;
}
/** Made by `rules/shared/remedies.ts`, which has the words. */
export interface Advice extends Remedy {
  readonly id: string;
}

/** One rule's opinion on one death. */
export interface Finding extends Partial<Roles> {
  readonly subject: Subject;
  readonly cause: Cause;
  /** Default: the death that belongs to the cause. */
  readonly death?: Death;
  /** Default: what belongs to the cause. */
  readonly outOfMemory?: boolean | null;
  readonly variant?: string;
  /** The type of the exception that ended it. */
  readonly exception?: string;
  readonly confidence: Confidence;
  readonly headline: Prose;
  readonly because: readonly Reason[];
  readonly against?: readonly Reason[];
  readonly ruledOut?: readonly RuledOut[];
  readonly unknown?: readonly Question[];
  readonly remedies?: readonly Advice[];
}
