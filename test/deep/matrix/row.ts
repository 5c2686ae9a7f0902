/** One row of the matrix: a death that is provoked, and what must be said of it. */
import type { Cause } from '../../../src/model/causes.ts';
import type { Confidence } from '../../../src/model/confidence.ts';
import type { LimitOwner } from '../../../src/model/report.ts';
import type { CgroupOptions, TestCgroup } from '../../cgroup.ts';

export interface Expected {
  /** Any of these is right. `none`: the report holds no incident at all. */
  readonly cause: readonly (Cause | 'none')[];
  readonly limitOwner?: LimitOwner;
  /** The limit's path is that of this cgroup: the row's own, or the one above it. */
  readonly limitPath?: 'own' | 'parent';
  /** The limit's path as such. */
  readonly path?: string;
  readonly limitBytes?: number;
  readonly variant?: string;
  readonly atLeast?: Confidence;
  readonly atMost?: Confidence;
  /** What the failed allocation asked for, give or take a page. */
  readonly requestBytes?: number;
  /** So many incidents of ours, not one more. */
  readonly incidents?: number;
  /** Function of the innermost frame that must stand somewhere in the stack. */
  readonly inFunction?: string;
}

export interface Place {
  /** An empty folder, the command's working directory. */
  readonly folder: string;
  readonly program: (name: string) => string;
  /** A program of test/programs/*.c, *.cpp or *.rs, built. */
  readonly built: (name: string) => string;
  readonly python: string;
  readonly cgroup: TestCgroup | null;
  readonly port: number;
  /** Without coroner, for what is left behind: a row that only waits for coroner to notice something need not wait. */
  readonly isBare: boolean;
  readonly cleanUp: (step: () => void) => void;
}

export interface Row {
  readonly id: string;
  readonly what: string;
  /** Reasons why it cannot be provoked here: the first that is not null is the skip's reason. */
  readonly needs?: readonly (() => string | null)[];
  /** Cgroups from the outermost to the command's own. */
  readonly cgroups?: readonly CgroupOptions[];
  readonly python?: string;
  readonly command: (place: Place) => readonly string[];
  readonly environment?: (place: Place) => Readonly<Record<string, string>>;
  /** Ends what never ends by itself. To the process in the row's cgroup or, without one, to the command. */
  readonly end?: {
    readonly afterMs: number;
    /** Bare, where it need not go on until coroner has noticed. Default: `afterMs`. */
    readonly bareAfterMs?: number;
    readonly signal: NodeJS.Signals;
  };
  readonly timeoutMs?: number;
  /** From `coroner run`, and from its incident folder alone. */
  readonly live: Expected;
  /** From stderr and the kernel log of a bare run. Default: the causes of `live`, or that it cannot be told. */
  readonly after?: Expected;
  /** Its proof is a line that the kernel writes at most ten times in five seconds: earlier rows must not have used them up. */
  readonly rateLimited?: true;
  /** Causes that other incidents of the same report may have. */
  readonly besides?: readonly Cause[];
}
