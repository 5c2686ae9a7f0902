/**
 * Copies bytes at `offset` of a file into `into` and returns how many it could:
 * fewer than asked for only at the end of the file. Never throws.
 */
export type ReadAt = (offset: number, into: Uint8Array) => number;

/** What could not be understood, in words for a source report. */
export interface ElfProblem {
  readonly status: 'malformed' | 'truncated' | 'unsupported';
  readonly why: string;
}

/** The bytes at `offset`, shorter where the file ends. `length` must be bounded by the caller. */
export function readBytes(readAt: ReadAt, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const count = readAt(offset, bytes);
  return count === length ? bytes : bytes.subarray(0, Math.max(0, count));
}

/** A file that is in memory already. */
export function readAtBytes(bytes: Uint8Array): ReadAt {
  return (offset, into) => {
    if (!(offset >= 0) || offset >= bytes.length) return 0;
    const part = bytes.subarray(offset, offset + into.length);
    into.set(part);
    return part.length;
  };
}

/**
 * A 64-bit value as a number. Exact below 2^53, which every user-space address and file offset is;
 * larger ones (hostile headers, kernel addresses) lose their last bits and fail the range checks behind.
 */
export const u64 = (view: DataView, offset: number, littleEndian: boolean): number => {
  const low = view.getUint32(offset + (littleEndian ? 0 : 4), littleEndian);
  const high = view.getUint32(offset + (littleEndian ? 4 : 0), littleEndian);
  return high * 4294967296 + low;
};

/** Bytes up to the first NUL, as UTF-8. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
