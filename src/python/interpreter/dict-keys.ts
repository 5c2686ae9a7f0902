import type { Memory } from '../process/memory.ts';

/** The table of entries of a PyDictKeysObject. */
export interface KeysEntries {
  readonly start: number;
  /** `dk_nentries`: entries that are or were used. */
  readonly count: number;
  /** Bytes of an entry. */
  readonly width: number;
  /** Offset of the key in an entry; the value follows it. */
  readonly keyAt: number;
  /** Entries for which there is room (USABLE_FRACTION of dictobject.c). */
  readonly usable: number;
  /** Of the whole PyDictKeysObject. */
  readonly bytes: number;
}

const noEntries: KeysEntries = { start: 0, count: 0, width: 24, keyAt: 8, usable: 0, bytes: 0 };

/** `dk_log2_size` 8, `dk_log2_index_bytes` 9, `dk_kind` 10, `dk_nentries` 24, indices from 32 on; entries of str keys have no hash. */
export function entriesSince311(memory: Memory, keys: number): KeysEntries {
  const logSize = memory.u8(keys + 8);
  const logIndexBytes = memory.u8(keys + 9);
  const isGeneral = memory.u8(keys + 10) === 0;
  if (logSize > 40 || logIndexBytes > 43) return noEntries;
  const size = 2 ** logSize;
  const usable = Math.floor((size * 2) / 3);
  const width = isGeneral ? 24 : 16;
  const indexBytes = 2 ** logIndexBytes;
  return {
    start: keys + 32 + indexBytes,
    count: Math.min(memory.word(keys + 24), size),
    width,
    keyAt: isGeneral ? 8 : 0,
    usable,
    bytes: 32 + indexBytes + usable * width,
  };
}

/** `dk_size` 8, `dk_nentries` 32, indices from 40 on, as wide as the size needs; entries of hash, key, value. */
export function entriesBefore311(memory: Memory, keys: number): KeysEntries {
  const size = memory.word(keys + 8);
  if (size > 2 ** 40) return noEntries;
  const usable = Math.floor((size * 2) / 3);
  const indexBytes = size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffff_ffff ? 4 : 8);
  return {
    start: keys + 40 + indexBytes,
    count: Math.min(memory.word(keys + 32), size),
    width: 24,
    keyAt: 8,
    usable,
    bytes: 40 + indexBytes + usable * 24,
  };
}
