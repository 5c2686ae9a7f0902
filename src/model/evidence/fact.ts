import type { Doubt } from '../doubt.ts';

/** Where a fact was read, so that a reader can go and look. */
export interface Origin {
  /** Id of the parser or reader: `kernel-log`, `python-traceback`, `cgroup`, … */
  readonly source: string;
  /** `kern.log:120-171`, `stdin:7`, `/proc/4711/limits`, `samples.ndjson`, … */
  readonly place: string;
  /** First line in its input, 1-based: orders what has no time. */
  readonly line?: number;
  /** The very text the fact was taken from. */
  readonly quote?: string;
  /** Why the place may not mean what it seems to; absent: nothing speaks against it. */
  readonly doubt?: Doubt;
  /** In the stderr of a recorded command. */
  readonly ofRun?: true;
}

/** When something happened, as far as its source tells. */
export interface When {
  /** ISO 8601, UTC where the source told its zone; else as local time of the source, assumed UTC. */
  readonly wall?: string;
  /** The kernel's clock: seconds since boot, without suspended time. */
  readonly uptimeSeconds?: number;
  readonly bootId?: string;
  /** As the source prints it, where it has no year or is not in English: `Nov 30 02:53:56`. */
  readonly printed?: string;
}

export interface Fact<Kind extends string> {
  readonly kind: Kind;
  readonly origin: Origin;
  readonly when?: When;
}
