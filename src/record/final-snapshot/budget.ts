/** What a snapshot may take of the memory that the command has left: less where coroner lives within the same limit. */
import type { Bytes } from '../../model/units.ts';
import type { SnapshotOptions } from '../../python/heap-snapshot.ts';
import type { QuickPicture } from '../../python/holders/quick.ts';
import { freeBytesOf, isInside, type Gauge } from './limits.ts';

/** Chunks of 64 KiB for stacks and estimates. */
export const smallCount = 64;
/** Chunks of 1 MiB for the count of objects. */
export const mostChunks = 32;
export const leastChunks = 8;
/** Chunks of 1 MiB that a small snapshot takes in all: for memory, references that wait, bits of what was visited. */
export const reservedChunks = leastChunks + 6;
/** How far a small snapshot goes, and a full one. */
export const tightNodes = {
  softNodes: 30_000,
  maxNodes: 100_000,
  maxPending: 1 << 17,
} satisfies Partial<SnapshotOptions>;
export const wideNodes = {
  softNodes: 150_000,
  maxNodes: 1_000_000,
} satisfies Partial<SnapshotOptions>;

/** Below this a snapshot within the limit takes few chunks. */
const tightBytes = 256 * 2 ** 20;
export const chunksFor = (gauge: Gauge): number =>
  isInside(gauge) && freeBytesOf(gauge) < tightBytes ? leastChunks : mostChunks;

/**
 * Whether a snapshot could be the last thing that coroner does. A worker inside the limit that must fault in a page of its own while it reads
 * the other's memory holds that memory: the kernel kills the other, frees nothing, and kills the worker next (seen at 100 MiB on 6.18).
 */
export const isTooTight = (gauge: Gauge, neededFreeBytes: Bytes): boolean =>
  freeBytesOf(gauge) < neededFreeBytes && isInside(gauge);

/** Small objects of a Python heap, with what they own: 60 to 120 bytes. */
const bytesAnObject = 90;
/** Free space, buffers of C code, what has no name: not all that was not found is objects. */
const shareOfObjects = 0.5;

/** How many objects there are to count: those that the estimate found, and what the rest may hold. */
export const expectedObjects = (rssBytes: Bytes, { objects, bytes }: QuickPicture): number =>
  objects + (Math.max(0, rssBytes - bytes) * shareOfObjects) / bytesAnObject;
