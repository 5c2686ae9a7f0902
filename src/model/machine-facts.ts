/** What `/proc` says of a machine. */
import type { Bytes } from './units.ts';

export interface MachineFacts {
  readonly kernel?: string;
  readonly architecture?: string;
  readonly cpus?: number;
  readonly totalBytes?: Bytes;
  readonly swapTotalBytes?: Bytes;
  readonly overcommitMode?: number;
  readonly commitLimitBytes?: Bytes;
  readonly maxMapCount?: number;
  readonly pageSizeBytes?: Bytes;
}
