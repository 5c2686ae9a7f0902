import { chunkBytes, type ChunkPool } from '../process/memory.ts';

/** Entries of one block; its first two words hold the number of the next block. */
const perBlock = 63;
const blockWords = 128;
const blocksPerSegment = chunkBytes / 4 / blockWords;
const segmentShift = Math.log2(blocksPerSegment);
const blockShift = Math.log2(blockWords);

/**
 * References into chunks that are not loaded yet: a list for each chunk, two 32-bit words for each reference. The lists are made of
 * small blocks that are used again: lists that double as they grow leave as much garbage as they hold.
 */
export class PendingReferences {
  /** Pending references in all. */
  count = 0;
  /** Of each chunk, and of each 1024 chunks. */
  readonly counts: Int32Array;
  readonly countsByBlock: Int32Array;
  private readonly heads: Int32Array;
  private readonly segments: Int32Array<ArrayBuffer>[] = [];
  private readonly pool: ChunkPool | null;
  /** Blocks are numbered from 1 on; 0: none. */
  private blocks = 1;
  private freeBlock = 0;

  constructor(chunks: number, pool: ChunkPool | null) {
    this.pool = pool;
    this.counts = new Int32Array(chunks);
    this.countsByBlock = new Int32Array(chunks >>> 10);
    this.heads = new Int32Array(chunks);
  }

  add(chunk: number, first: number, second: number): void {
    const length = this.counts[chunk]!;
    const at = length % perBlock;
    let block = this.heads[chunk]!;
    if (at === 0) {
      const full = block;
      block = this.takeBlock();
      this.segments[block >>> segmentShift]![(block & (blocksPerSegment - 1)) << blockShift] = full;
      this.heads[chunk] = block;
    }
    const segment = this.segments[block >>> segmentShift]!;
    const offset = ((block & (blocksPerSegment - 1)) << blockShift) + 2 + 2 * at;
    segment[offset] = first;
    segment[offset + 1] = second;
    this.counts[chunk] = length + 1;
    this.countsByBlock[chunk >>> 10]! += 1;
    this.count += 1;
  }

  /**
   * Takes the pending references of a chunk and calls `visit` for each; more may be added meanwhile, for this chunk too. Where `visit`
   * returns false, the rest is dropped, and so does `drain`.
   */
  drain(chunk: number, visit: (first: number, second: number) => boolean): boolean {
    const length = this.counts[chunk]!;
    let block = this.heads[chunk]!;
    this.counts[chunk] = 0;
    this.heads[chunk] = 0;
    this.countsByBlock[chunk >>> 10]! -= length;
    this.count -= length;
    let here = length === 0 ? 0 : ((length - 1) % perBlock) + 1;
    for (let left = length; left > 0; left -= here, here = perBlock) {
      const segment = this.segments[block >>> segmentShift]!;
      const start = (block & (blocksPerSegment - 1)) << blockShift;
      for (let i = 0; i < here; i++)
        if (!visit(segment[start + 2 + 2 * i]!, segment[start + 3 + 2 * i]!)) return false;
      const next = segment[start]!;
      segment[start] = this.freeBlock;
      this.freeBlock = block;
      block = next;
    }
    return true;
  }

  /** Gives its memory back to the pool. */
  release(): void {
    if (this.pool !== null)
      for (const { buffer, byteOffset, length } of this.segments)
        this.pool.give(new Uint32Array(buffer, byteOffset, length));
    this.segments.length = 0;
  }

  private takeBlock(): number {
    const free = this.freeBlock;
    if (free !== 0) {
      this.freeBlock =
        this.segments[free >>> segmentShift]![(free & (blocksPerSegment - 1)) << blockShift]!;
      return free;
    }
    const block = this.blocks++;
    if (block >>> segmentShift === this.segments.length) {
      const chunk = this.pool?.take(chunkBytes) ?? new Uint32Array(chunkBytes / 4);
      this.segments.push(new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length));
    }
    return block;
  }
}
