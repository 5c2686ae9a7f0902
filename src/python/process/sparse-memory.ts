import { addressLimit, isPlausible, Memory, type ChunkPool, type MemorySource } from './memory.ts';

const pageBytes = 4096;
const pageWords = pageBytes / 4;
const pages = 1024;
/** What `SparseMemory` takes from its pool. */
export const sparseBytes = pages * pageBytes;

/**
 * Memory in pages of 4 KiB, for values that lie here and there: to read 64 KiB around each takes ten times as long. Nothing can be
 * counted over it: a census needs chunks that are numbered.
 */
export class SparseMemory extends Memory {
  private readonly buffer: Uint32Array<ArrayBuffer>;
  private readonly pageOctets: Uint8Array<ArrayBuffer>;
  /** Page number -> index in the buffer. */
  private readonly indexes = new Map<number, number>();
  private readonly pageAt = new Float64Array(pages).fill(-1);
  private nextIndex = 0;
  private lastPage = -1;
  private lastWord = 0;

  constructor(source: MemorySource, pool: ChunkPool | null = null) {
    super(source, 4, 16);
    this.sharedPool = pool;
    this.buffer = pool?.take(sparseBytes) ?? new Uint32Array(sparseBytes / 4);
    this.pageOctets = new Uint8Array(this.buffer.buffer, this.buffer.byteOffset, sparseBytes);
  }
  private readonly sharedPool: ChunkPool | null;

  override word(address: number): number {
    if (!(address < addressLimit && address >= pageBytes)) return 0;
    const at = this.wordAt(address);
    return this.buffer[at]! + this.buffer[at + 1]! * 4_294_967_296;
  }

  override u32(address: number): number {
    return address < addressLimit && address >= pageBytes ? this.buffer[this.wordAt(address)]! : 0;
  }

  override u8(address: number): number {
    if (!(address < addressLimit && address >= pageBytes)) return 0;
    return this.pageOctets[4 * this.wordAt(address) + (address % 4)]!;
  }

  override bytes(address: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const at = address + done;
      if (!(at >= pageBytes && at < addressLimit)) break;
      const offset = at % pageBytes;
      const size = Math.min(length - done, pageBytes - offset);
      const from = 4 * this.wordAt(at - offset) + offset;
      out.set(this.pageOctets.subarray(from, from + size), done);
      done += size;
    }
    return out;
  }

  override release(): void {
    super.release();
    this.indexes.clear();
    this.lastPage = -1;
    this.sharedPool?.give(this.buffer);
  }

  /** Index in the buffer of the 4 bytes at an address. */
  private wordAt(address: number): number {
    const page = Math.floor(address / pageBytes);
    if (page !== this.lastPage) {
      const index = this.indexes.get(page) ?? this.loadPage(page);
      this.lastPage = page;
      this.lastWord = index * pageWords;
    }
    return this.lastWord + ((address - page * pageBytes) >>> 2);
  }

  private loadPage(page: number): number {
    const index = this.nextIndex;
    this.nextIndex = (index + 1) % pages;
    if (this.pageAt[index]! >= 0) {
      this.indexes.delete(this.pageAt[index]!);
      this.statistics.evictions += 1;
    }
    const into = this.pageOctets.subarray(index * pageBytes, (index + 1) * pageBytes);
    const start = page * pageBytes;
    const read =
      isPlausible(start) && this.region(start) !== null ? this.source.read(start, into) : 0;
    if (read < pageBytes) into.fill(0, read);
    this.statistics.loads += 1;
    this.statistics.bytesRead += read;
    this.indexes.set(page, index);
    this.pageAt[index] = page;
    return index;
  }
}
