/** What the recorder and the final snapshot's worker thread tell each other. */
import type { Bytes, Ms } from '../../model/units.ts';
import type { LimitKind } from '../headroom.ts';
import type { Prose } from '../../model/prose.ts';

export interface WatchedProcess {
  readonly pid: number;
  readonly name: string;
  readonly rssBytes: Bytes;
  /** The finite rlimits that refuse memory. */
  readonly rlimits: readonly ProcessLimit[];
}
export interface ProcessLimit {
  readonly kind: Extract<LimitKind, 'address-space' | 'data'>;
  readonly limitBytes: Bytes;
}
export interface CgroupLimit {
  readonly folder: string;
  readonly version: 1 | 2;
  readonly limitBytes: Bytes;
}

/** From the recorder to the worker: who is there and every limit above them, at each sample. */
export type SnapshotOrder =
  | {
      readonly what: 'sample';
      readonly processes: readonly WatchedProcess[];
      readonly cgroups: readonly CgroupLimit[];
      /** null: this sample did not read the machine's memory. */
      readonly host: { readonly availableBytes: Bytes } | null;
    }
  | { readonly what: 'end' };

export type SnapshotReply =
  | { readonly what: 'note'; readonly text: Prose; readonly pid?: number }
  /** The process is stopped and must go on after `mostMs` at the latest; null: it went on. */
  | { readonly what: 'held'; readonly pid: number; readonly mostMs: Ms | null }
  | {
      readonly what: 'missed';
      readonly pid: number;
      readonly why: Prose;
      /** --last-look would have taken it. */
      readonly forHeadroom: boolean;
    }
  /** The last reply. */
  | { readonly what: 'ended' };

/** What the worker is started with. */
export interface Setup {
  /** The incident folder. */
  readonly folder: string;
  /** CORONER_RUN of this run's processes. */
  readonly mark: string;
  /** Longest stop of a process that may live on. */
  readonly stopMs: Ms;
  /** The user asked for snapshots although coroner lives within the command's own small limit. */
  readonly forced: boolean;
  /** --memory-limit; null: there is none. */
  readonly memoryLimitBytes: Bytes | null;
  /** Also at every new peak, far from any limit: whoever asks for it pays by stops. */
  readonly atPeak: boolean;
  /** Wall clock at the run's start, ms since 1970. */
  readonly startedAt: Ms;
  readonly pageSizeBytes: Bytes;
  /** No longer 0: an order to end waits. */
  readonly bell: Int32Array;
}
