/** What the agent's file tells of one process: its call paths, its refused requests and how it grew. */
import type { StackFrame } from '../../../model/report.ts';
import type { Bytes, Ms } from '../../../model/units.ts';

export interface AgentBytes {
  /** Counted one by one, by resident pages once these were looked at. */
  readonly exactBytes: Bytes;
  /** Sum of the samples' weights. */
  readonly estimatedBytes: Bytes;
  readonly samples: number;
}
export interface NativeFrame {
  /** Path of the file it lies in; null: in no known module. */
  readonly module: string | null;
  /** Offset in that file, for its symbols. */
  readonly fileOffset: number;
}
/** One way to the allocator. */
export interface AgentPath {
  readonly kind: 'heap' | 'object' | 'mapping' | 'shared';
  /** Python frames, innermost first. */
  readonly stack: readonly StackFrame[];
  /** Return addresses, innermost first; all but the first were found by scanning. */
  readonly native: readonly NativeFrame[];
  /** A native thread asked: the Python frames are those of the call into its library that was under way. */
  readonly probable: boolean;
  readonly live: AgentBytes;
  readonly peak: AgentBytes;
  /** When a request was refused; null: none was, or an older agent did not keep it. */
  readonly refused: AgentBytes | null;
  readonly totalBytes: Bytes;
}
export interface AgentFailure {
  readonly sequence: number;
  readonly at: string;
  readonly sinceStartMs: Ms;
  readonly bytes: Bytes;
  readonly errno: number;
  readonly rssBytes: Bytes;
  readonly vmBytes: Bytes;
  readonly limitAsBytes: Bytes | null;
  readonly limitDataBytes: Bytes | null;
  readonly threadId: number;
  readonly mainThread: boolean;
  /** Refused by the agent itself: --memory-limit. */
  readonly byLimit: boolean;
  readonly call: string;
  readonly stack: readonly StackFrame[];
  readonly native: readonly NativeFrame[];
}
export interface AgentMoment {
  readonly sinceStartMs: Ms;
  readonly liveBytes: Bytes;
  readonly rssBytes: Bytes;
  /** Largest first. */
  readonly top: readonly { readonly path: number; readonly bytes: Bytes }[];
}
export interface AgentFile {
  readonly pid: number;
  readonly parentPid: number;
  readonly name: string;
  readonly executable: string | null;
  readonly startedAt: string;
  readonly startedMonotonicNs: number;
  readonly state: 'running' | 'exiting' | 'exited' | 'executing';
  readonly exitCode: number | null;
  readonly forked: boolean;
  readonly python: {
    readonly version: string;
    readonly stacks: boolean;
    readonly objects: boolean;
    readonly freeThreaded: boolean;
    readonly otherAllocator: boolean;
  } | null;
  readonly sampleMeanBytes: Bytes;
  readonly liveBytes: Bytes;
  readonly peakBytes: Bytes;
  readonly peakSinceStartMs: Ms;
  readonly peakRssBytes: Bytes;
  readonly forkedLiveBytes: Bytes;
  readonly lastEventSinceStartMs: Ms;
  readonly limit: {
    readonly bytes: Bytes;
    readonly hits: number;
    readonly usedBytes: Bytes;
  } | null;
  readonly paths: readonly AgentPath[];
  readonly failures: readonly AgentFailure[];
  readonly failureCount: number;
  readonly history: readonly AgentMoment[];
  /** What it could not see or keep, in words. */
  readonly notes: readonly string[];
}
