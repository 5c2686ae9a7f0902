/**
 * Dynamic symbols of an object as it lies in memory: header, PT_DYNAMIC, DT_GNU_HASH (or DT_HASH), DT_SYMTAB.
 * Works for stripped objects, deleted files and other mount namespaces: no file on disk is needed. 64-bit little-endian only.
 */
import { PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD, PT_TLS } from './elf.ts';
import { wordsOf, type MemoryReader, type Words } from './memory-reader.ts';

export interface LoadedObject {
  /** Address of its ELF header. */
  readonly base: number;
  /** What must be added to a symbol's value. */
  readonly bias: number;
  readonly segments: readonly {
    readonly start: number;
    readonly end: number;
    readonly writable: boolean;
    readonly executable: boolean;
  }[];
  readonly hasTls: boolean;
  /** Address of .eh_frame_hdr; null where it has none. */
  readonly ehFrameHeader: number | null;
  /** Address of a defined dynamic symbol; null where it has none of that name. */
  readonly symbol: (name: string) => number | null;
}

const maxProgramHeaders = 128;
const maxDynamicEntries = 512;
/** A bucket's chain longer than this is no hash table but a trap. */
const maxChain = 100_000;

/** The object whose ELF header is at `base`; null where there is none, or it cannot be read. */
export function loadedObject(
  memory: Pick<MemoryReader, 'readMemory'>,
  base: number,
): LoadedObject | null {
  const words = wordsOf(memory);
  const ident = words.bytes(base, 6);
  if (ident === null || words.u32(base) !== 0x464c457f || ident[4] !== 2 || ident[5] !== 1)
    return null;
  const type = words.u16(base + 16);
  const phoff = words.u64(base + 32);
  const phentsize = words.u16(base + 54);
  const phnum = words.u16(base + 56);
  if (phoff === null || phentsize === null || phnum === null || phentsize < 56) return null;

  let lowest = Infinity;
  let dynamic: { readonly address: number; readonly bytes: number } | null = null;
  let hasTls = false;
  let ehFrame: number | null = null;
  const loads: { address: number; bytes: number; flags: number }[] = [];
  for (let index = 0; index < Math.min(phnum, maxProgramHeaders); index += 1) {
    const at = base + phoff + index * phentsize;
    const kind = words.u32(at);
    const flags = words.u32(at + 4);
    const address = words.u64(at + 16);
    const bytes = words.u64(at + 40);
    if (kind === null || flags === null || address === null || bytes === null) break;
    if (kind === PT_LOAD) {
      lowest = Math.min(lowest, address);
      loads.push({ address, bytes, flags });
    } else if (kind === PT_DYNAMIC) dynamic = { address, bytes };
    else if (kind === PT_TLS) hasTls = true;
    else if (kind === PT_GNU_EH_FRAME) ehFrame = address;
  }
  if (lowest === Infinity) return null;
  // ET_EXEC is linked to its addresses; everything else is moved as a whole.
  const bias = type === 2 ? 0 : base - Math.floor(lowest / 4096) * 4096;
  const tables = dynamic === null ? null : dynamicTables(words, base, bias, dynamic);
  return {
    base,
    bias,
    hasTls,
    ehFrameHeader: ehFrame === null ? null : ehFrame + bias,
    segments: loads.map(({ address, bytes, flags }) => ({
      start: address + bias,
      end: address + bias + bytes,
      writable: (flags & 2) !== 0,
      executable: (flags & 1) !== 0,
    })),
    symbol: (name) => (tables === null ? null : lookUp(words, tables, bias, name)),
  };
}

interface Tables {
  readonly symbols: number;
  readonly strings: number;
  readonly gnuHash: number | null;
  readonly hash: number | null;
}

function dynamicTables(
  words: Words,
  base: number,
  bias: number,
  dynamic: { readonly address: number; readonly bytes: number },
): Tables | null {
  let symbols: number | null = null;
  let strings: number | null = null;
  let gnuHash: number | null = null;
  let hash: number | null = null;
  // glibc relocates d_ptr in place, musl (and the vDSO) does not.
  const absolute = (value: number) => (value < base ? value + bias : value);
  const end = dynamic.address + bias + dynamic.bytes;
  for (
    let at = dynamic.address + bias, seen = 0;
    at + 16 <= end && seen < maxDynamicEntries;
    at += 16, seen += 1
  ) {
    const tag = words.u64(at);
    const value = words.u64(at + 8);
    if (tag === null || value === null || tag === 0) break;
    if (tag === 4) hash = absolute(value);
    else if (tag === 5) strings = absolute(value);
    else if (tag === 6) symbols = absolute(value);
    else if (tag === 0x6ffffef5) gnuHash = absolute(value);
  }
  return symbols === null || strings === null ? null : { symbols, strings, gnuHash, hash };
}

function lookUp(words: Words, tables: Tables, bias: number, name: string): number | null {
  const valueOf = (index: number): number | null => {
    const at = tables.symbols + index * 24;
    const section = words.u16(at + 6);
    const value = words.u64(at + 8);
    return section === null || section === 0 || value === null ? null : value + bias;
  };
  const isNamed = (index: number): boolean => {
    const at = words.u32(tables.symbols + index * 24);
    return at !== null && words.string(tables.strings + at, name.length + 1) === name;
  };
  if (tables.gnuHash !== null) {
    const head = words.bytes(tables.gnuHash, 16);
    if (head === null) return null;
    const view = new DataView(head.buffer);
    const buckets = view.getUint32(0, true);
    const firstIndex = view.getUint32(4, true);
    const bloomWords = view.getUint32(8, true);
    if (buckets === 0) return null;
    const wanted = gnuHashOf(name);
    const bucketsAt = tables.gnuHash + 16 + bloomWords * 8;
    const chainsAt = bucketsAt + buckets * 4;
    const first = words.u32(bucketsAt + (wanted % buckets) * 4);
    if (first === null || first < firstIndex) return null;
    for (let index = first; index < first + maxChain; index += 1) {
      const hash = words.u32(chainsAt + (index - firstIndex) * 4);
      if (hash === null) return null;
      if ((hash | 1) >>> 0 === (wanted | 1) >>> 0 && isNamed(index)) return valueOf(index);
      if ((hash & 1) === 1) return null;
    }
    return null;
  }
  if (tables.hash !== null) {
    const count = words.u32(tables.hash + 4) ?? 0;
    for (let index = 1; index < Math.min(count, maxChain); index += 1)
      if (isNamed(index)) return valueOf(index);
  }
  return null;
}

/** DJB's hash (h * 33 + c), as DT_GNU_HASH uses it. */
function gnuHashOf(name: string): number {
  let hash = 5381;
  for (let index = 0; index < name.length; index += 1)
    hash = (Math.imul(hash, 33) + name.charCodeAt(index)) >>> 0;
  return hash;
}
