/** The memory of a process, living or dumped, as one kind of thing. */
import { firstIndexWhere } from '../model/binary-search.ts';

export interface MemoryRegion {
  readonly start: number;
  /** First address behind it. */
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  /** File it maps, as the process saw its path; null where anonymous. */
  readonly path: string | null;
  /** Offset in that file of `start`. */
  readonly fileOffset: number;
}

export interface MemoryReader {
  /** Sorted by address, without overlaps. */
  readonly regions: readonly MemoryRegion[];
  /**
   * Copies memory at `address` into `into` and returns how many bytes from its start on are known:
   * fewer than asked for where the memory is not mapped, was not dumped or cannot be read. Never throws.
   */
  readonly readMemory: (address: number, into: Uint8Array) => number;
}

/** The region of a sorted list that holds `address`. */
export function regionAt<Region extends { readonly start: number; readonly end: number }>(
  regions: readonly Region[],
  address: number,
): Region | undefined {
  const region = regions[firstIndexWhere(regions.length, (index) => address < regions[index]!.end)];
  return region !== undefined && address >= region.start ? region : undefined;
}

/** Words and strings out of a memory; null where it is not known. */
export interface Words {
  readonly u8: (address: number) => number | null;
  readonly u16: (address: number) => number | null;
  readonly u32: (address: number) => number | null;
  /** As a number: exact below 2^53. */
  readonly u64: (address: number) => number | null;
  readonly bytes: (address: number, length: number) => Uint8Array | null;
  /** Latin-1, up to a NUL or `maxLength`. */
  readonly string: (address: number, maxLength: number) => string | null;
}

const latin1 = new TextDecoder('latin1');

export function wordsOf(memory: Pick<MemoryReader, 'readMemory'>): Words {
  const scratch = new Uint8Array(8);
  const view = new DataView(scratch.buffer);
  const load = (address: number, length: number) =>
    memory.readMemory(address, scratch.subarray(0, length)) === length;
  return {
    u8: (address) => (load(address, 1) ? scratch[0]! : null),
    u16: (address) => (load(address, 2) ? view.getUint16(0, true) : null),
    u32: (address) => (load(address, 4) ? view.getUint32(0, true) : null),
    u64: (address) =>
      load(address, 8) ? view.getUint32(4, true) * 4294967296 + view.getUint32(0, true) : null,
    bytes: (address, length) => {
      const bytes = new Uint8Array(length);
      return memory.readMemory(address, bytes) === length ? bytes : null;
    },
    string: (address, maxLength) => {
      const bytes = new Uint8Array(maxLength);
      const count = memory.readMemory(address, bytes);
      if (count === 0) return null;
      const end = bytes.subarray(0, count).indexOf(0);
      return latin1.decode(bytes.subarray(0, end < 0 ? count : end));
    },
  };
}
