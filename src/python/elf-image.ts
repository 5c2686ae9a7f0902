import type { Memory } from './memory.ts';

/** A library or executable as it lies in a process's memory: works for stripped, deleted and foreign-namespace files. */
export interface ElfImage {
  /** Add to an address of the file's own to get the address in the process. */
  readonly bias: number;
  readonly isWritable: (address: number) => boolean;
  /** Address in the process of an exported symbol; null: not exported. */
  readonly symbol: (name: string) => number | null;
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const ET_EXEC = 2;
const DT_HASH = 4;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_GNU_HASH = 0x6ffffef5;
const symbolBytes = 24;

/** Reads the ELF header at `base` (64-bit little endian) and what the dynamic section says. null: no ELF image there. */
export function elfImage(memory: Memory, base: number): ElfImage | null {
  if (memory.u32(base) !== 0x464c457f || memory.u8(base + 4) !== 2) return null;
  const type = memory.u16(base + 16);
  const headers = base + memory.word(base + 32);
  const headerBytes = memory.u16(base + 54);
  const count = memory.u16(base + 56);
  if (headerBytes < 56 || headerBytes % 8 !== 0) return null;
  let dynamic = 0;
  let dynamicBytes = 0;
  let lowest = Infinity;
  const writable: (readonly [number, number])[] = [];
  for (let i = 0; i < count; i++) {
    const header = headers + i * headerBytes;
    const kind = memory.u32(header);
    const address = memory.word(header + 16);
    if (kind === PT_LOAD) {
      lowest = Math.min(lowest, address);
      if ((memory.u32(header + 4) & 2) !== 0)
        writable.push([address, address + memory.word(header + 40)]);
    } else if (kind === PT_DYNAMIC) {
      dynamic = address;
      dynamicBytes = memory.word(header + 40);
    }
  }
  if (!Number.isFinite(lowest)) return null;
  const bias = type === ET_EXEC ? 0 : base - Math.floor(lowest / 4096) * 4096;
  const tables = dynamic === 0 ? null : dynamicTables(memory, dynamic + bias, dynamicBytes, base, bias, type);
  return {
    bias,
    isWritable: (address) =>
      writable.some(([start, end]) => address >= start + bias && address < end + bias),
    symbol: (name) => (tables === null ? null : lookUp(memory, tables, bias, name)),
  };
}

interface DynamicTables {
  readonly strings: number;
  readonly symbols: number;
  readonly hash: number;
  readonly gnuHash: number;
}

function dynamicTables(
  memory: Memory,
  start: number,
  bytes: number,
  base: number,
  bias: number,
  type: number,
): DynamicTables | null {
  // glibc relocates these addresses in place, musl does not.
  const relocated = (value: number) => (value < base && type !== ET_EXEC ? value + bias : value);
  const found = new Map<number, number>();
  for (let at = start; at < start + Math.min(bytes, 65_536); at += 16) {
    const tag = memory.word(at);
    if (tag === 0) break;
    found.set(tag, relocated(memory.word(at + 8)));
  }
  const strings = found.get(DT_STRTAB);
  const symbols = found.get(DT_SYMTAB);
  if (strings === undefined || symbols === undefined) return null;
  return { strings, symbols, hash: found.get(DT_HASH) ?? 0, gnuHash: found.get(DT_GNU_HASH) ?? 0 };
}

function gnuHashOf(name: string): number {
  let hash = 5381;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 33) + name.charCodeAt(i)) >>> 0;
  return hash;
}

function lookUp(memory: Memory, tables: DynamicTables, bias: number, name: string): number | null {
  const { strings, symbols, hash, gnuHash } = tables;
  const isNamed = (index: number) =>
    memory.cString(strings + memory.u32(symbols + index * symbolBytes), name.length + 1) === name;
  const valueOf = (index: number) => {
    const symbol = symbols + index * symbolBytes;
    return memory.u16(symbol + 6) === 0 ? null : memory.word(symbol + 8) + bias;
  };
  if (gnuHash !== 0) {
    const bucketCount = memory.u32(gnuHash);
    const firstIndex = memory.u32(gnuHash + 4);
    const bloomWords = memory.u32(gnuHash + 8);
    if (bucketCount === 0 || bucketCount > 1e7 || bloomWords > 1e7) return null;
    const wanted = gnuHashOf(name);
    const buckets = gnuHash + 16 + bloomWords * 8;
    const chain = buckets + bucketCount * 4;
    let index = memory.u32(buckets + (wanted % bucketCount) * 4);
    if (index < firstIndex) return null;
    for (let steps = 0; steps < 100_000; steps++, index++) {
      const entry = memory.u32(chain + (index - firstIndex) * 4);
      if ((entry | 1) >>> 0 === (wanted | 1) >>> 0 && isNamed(index)) return valueOf(index);
      if ((entry & 1) !== 0) return null;
    }
    return null;
  }
  if (hash !== 0) {
    const count = Math.min(memory.u32(hash + 4), 1e6);
    for (let index = 0; index < count; index++) if (isNamed(index)) return valueOf(index);
  }
  return null;
}
