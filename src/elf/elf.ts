/**
 * ELF files: header, program headers, sections, notes, build id, symbols.
 * Formats: System V ABI, gABI chapter 4 and 5; `elf.h`. Every count and size is taken for hostile:
 * nothing is allocated by a number of the file that its own length does not back.
 */
import { notesIn } from './notes.ts';
import { cString, readBytes, u64, type ElfProblem, type ReadAt } from './read-at.ts';

export type Machine = 'x86-64' | 'i386' | 'aarch64' | 'arm' | 'other';

export interface ElfHeader {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  readonly type: 'executable' | 'shared' | 'core' | 'relocatable' | 'other';
  readonly machine: Machine;
  /** e_machine, where `machine` is `other`. */
  readonly machineNumber: number;
  readonly programHeaders: {
    readonly offset: number;
    readonly count: number;
    readonly entryBytes: number;
  };
  readonly sections: {
    readonly offset: number;
    readonly count: number;
    readonly entryBytes: number;
    readonly namesIndex: number;
  };
}

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

export interface Section {
  readonly name: string;
  readonly type: number;
  readonly address: number;
  readonly offset: number;
  readonly bytes: number;
  readonly link: number;
  readonly entryBytes: number;
}

export interface ElfFile {
  readonly header: ElfHeader;
  readonly programHeaders: readonly ProgramHeader[];
  /** Lower-case hex; null where there is no NT_GNU_BUILD_ID. */
  readonly buildId: string | null;
  /** Read when asked: large and seldom needed. Empty where stripped or cut off. */
  readonly sections: () => readonly Section[];
  /** Values (addresses without the load bias) of defined symbols in .symtab and .dynsym. */
  readonly symbols: (names: readonly string[]) => ReadonlyMap<string, number>;
  /** Names of the functions that hold these addresses (without the load bias); absent where none does. */
  readonly functionsAt: (addresses: readonly number[]) => ReadonlyMap<number, string>;
}

export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_NOTE = 4;
export const PT_TLS = 7;
export const PT_GNU_EH_FRAME = 0x6474e550;
const SHT_SYMTAB = 2;
const SHT_NOTE = 7;
const SHT_DYNSYM = 11;
/** e_phnum of more than 65,534 program headers: the true count stands in sh_info of section 0. */
const PN_XNUM = 0xffff;
const NT_GNU_BUILD_ID = 3;

/** Ubuntu 24.04 and Arch set vm.max_map_count to 1,048,576: no core has more segments than that by much. */
const maxProgramHeaders = 1_200_000;
const maxSections = 70_000;
const maxNoteBytes = 1 << 20;
const symbolChunkBytes = 1 << 18;
const maxStringTableBytes = 64 << 20;

/** The header of an ELF file of `size` bytes. */
export function readElfHeader(
  readAt: ReadAt,
  size: number,
): { readonly header: ElfHeader } | { readonly problem: ElfProblem } {
  const malformed = (why: string) => ({ problem: { status: 'malformed', why } as const });
  const ident = readBytes(readAt, 0, 64);
  if (
    ident.length < 4 ||
    ident[0] !== 0x7f ||
    ident[1] !== 0x45 ||
    ident[2] !== 0x4c ||
    ident[3] !== 0x46
  )
    return malformed('it does not begin with the ELF magic');
  const bits = ident[4] === 1 ? 32 : ident[4] === 2 ? 64 : null;
  if (bits === null) return malformed(`ELF class ${ident[4]} does not exist`);
  if (ident[5] !== 1 && ident[5] !== 2)
    return malformed(`ELF data encoding ${ident[5]} does not exist`);
  const littleEndian = ident[5] === 1;
  if (ident.length < (bits === 64 ? 64 : 52))
    return { problem: { status: 'truncated', why: 'it ends within the ELF header' } };
  const view = new DataView(ident.buffer, ident.byteOffset, ident.byteLength);
  const u16 = (offset: number) => view.getUint16(offset, littleEndian);
  const u32 = (offset: number) => view.getUint32(offset, littleEndian);
  const wide = bits === 64;
  const phoff = wide ? u64(view, 32, littleEndian) : u32(28);
  const shoff = wide ? u64(view, 40, littleEndian) : u32(32);
  const tail = wide ? 54 : 42;
  let phnum = u16(tail + 2);
  let shnum = u16(tail + 6);
  let namesIndex = u16(tail + 8);
  const phentsize = u16(tail);
  const shentsize = u16(tail + 4);
  if (shoff > 0 && shentsize >= (wide ? 64 : 40) && (phnum === PN_XNUM || shnum === 0)) {
    const first = readBytes(readAt, shoff, wide ? 64 : 40);
    if (first.length === (wide ? 64 : 40)) {
      const section = new DataView(first.buffer);
      const info = section.getUint32(wide ? 44 : 28, littleEndian);
      if (phnum === PN_XNUM && info > 0) phnum = info;
      if (shnum === 0)
        shnum = wide ? u64(section, 32, littleEndian) : section.getUint32(20, littleEndian);
      if (namesIndex === 0xffff) namesIndex = section.getUint32(wide ? 40 : 24, littleEndian);
    }
  }
  if (phnum > 0 && phentsize < (wide ? 56 : 32))
    return malformed(`program headers of ${phentsize} bytes are too small`);
  const backed = Math.max(0, Math.floor((size - phoff) / Math.max(1, phentsize)));
  return {
    header: {
      bits,
      littleEndian,
      type: (['other', 'relocatable', 'executable', 'shared', 'core'] as const)[u16(16)] ?? 'other',
      machine: machineOf(u16(18)),
      machineNumber: u16(18),
      programHeaders: {
        offset: phoff,
        count: Math.min(phnum, backed, maxProgramHeaders),
        entryBytes: phentsize,
      },
      sections: {
        offset: shoff,
        count:
          shoff === 0 || shentsize < (wide ? 64 : 40)
            ? 0
            : Math.min(shnum, Math.max(0, Math.floor((size - shoff) / shentsize)), maxSections),
        entryBytes: shentsize,
        namesIndex,
      },
    },
  };
}

function machineOf(number: number): Machine {
  return ({ 3: 'i386', 40: 'arm', 62: 'x86-64', 183: 'aarch64' } as const)[number] ?? 'other';
}

/** Program headers in file order, read in chunks: a core may have a million of them. */
export function* programHeadersOf(readAt: ReadAt, header: ElfHeader): Generator<ProgramHeader> {
  const { offset, count, entryBytes } = header.programHeaders;
  const perChunk = Math.max(1, Math.floor(65_536 / Math.max(1, entryBytes)));
  for (let first = 0; first < count; first += perChunk) {
    const wanted = Math.min(perChunk, count - first);
    const bytes = readBytes(readAt, offset + first * entryBytes, wanted * entryBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes)
      yield programHeader(view, at, header);
    if (bytes.length < wanted * entryBytes) return;
  }
}

export function programHeader(
  view: DataView,
  at: number,
  { bits, littleEndian }: Pick<ElfHeader, 'bits' | 'littleEndian'>,
): ProgramHeader {
  const u32 = (offset: number) => view.getUint32(at + offset, littleEndian);
  const word = (offset: number) => u64(view, at + offset, littleEndian);
  return bits === 64
    ? {
        type: u32(0),
        flags: u32(4),
        offset: word(8),
        address: word(16),
        fileBytes: word(32),
        memoryBytes: word(40),
      }
    : {
        type: u32(0),
        flags: u32(24),
        offset: u32(4),
        address: u32(8),
        fileBytes: u32(16),
        memoryBytes: u32(20),
      };
}

/** An ELF file of `size` bytes: executables, shared objects, cores. */
export function readElf(
  readAt: ReadAt,
  size: number,
): { readonly elf: ElfFile } | { readonly problem: ElfProblem } {
  const read = readElfHeader(readAt, size);
  if ('problem' in read) return read;
  const { header } = read;
  const programHeaders = [...programHeadersOf(readAt, header)];
  const sections = once(() => readSections(readAt, size, header));
  return {
    elf: {
      header,
      programHeaders,
      buildId: findBuildId(readAt, header, programHeaders, sections),
      sections,
      symbols: (names) => readSymbols(readAt, size, header, sections(), names),
      functionsAt: (addresses) => readFunctions(readAt, size, header, sections(), addresses),
    },
  };
}

function findBuildId(
  readAt: ReadAt,
  header: ElfHeader,
  programHeaders: readonly ProgramHeader[],
  sections: () => readonly Section[],
): string | null {
  const places = programHeaders
    .filter(({ type }) => type === PT_NOTE)
    .map(({ offset, fileBytes }) => ({ offset, bytes: fileBytes }));
  const named = places.length > 0 ? places : sections().filter(({ type }) => type === SHT_NOTE);
  for (const { offset, bytes } of named.slice(0, 64)) {
    const id = buildIdOf(
      readBytes(readAt, offset, Math.min(bytes, maxNoteBytes)),
      header.littleEndian,
    );
    if (id !== null) return id;
  }
  return null;
}

/** The build id in the bytes of a note segment, lower-case hex. */
export function buildIdOf(notes: Uint8Array, littleEndian: boolean): string | null {
  for (const { owner, type, description } of notesIn(notes, littleEndian))
    if (
      owner === 'GNU' &&
      type === NT_GNU_BUILD_ID &&
      description.length > 0 &&
      description.length <= 64
    )
      return [...description].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return null;
}

function readSections(readAt: ReadAt, size: number, header: ElfHeader): readonly Section[] {
  const { offset, count, entryBytes, namesIndex } = header.sections;
  const bytes = readBytes(readAt, offset, Math.min(count * entryBytes, Math.max(0, size - offset)));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const raw = [];
  for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
    const u32 = (field: number) => view.getUint32(at + field, header.littleEndian);
    const word = (field: number) => u64(view, at + field, header.littleEndian);
    raw.push(
      header.bits === 64
        ? {
            nameAt: u32(0),
            type: u32(4),
            address: word(16),
            offset: word(24),
            bytes: word(32),
            link: u32(40),
            entryBytes: word(56),
          }
        : {
            nameAt: u32(0),
            type: u32(4),
            address: u32(12),
            offset: u32(16),
            bytes: u32(20),
            link: u32(24),
            entryBytes: u32(36),
          },
    );
  }
  const table = raw[namesIndex];
  const names =
    table === undefined
      ? new Uint8Array()
      : readBytes(
          readAt,
          table.offset,
          Math.min(table.bytes, maxNoteBytes, Math.max(0, size - table.offset)),
        );
  return raw.map(({ nameAt, ...section }) => ({
    ...section,
    name: nameAt < names.length ? cString(names.subarray(nameAt, nameAt + 256)) : '',
  }));
}

interface SymbolEntry {
  readonly nameAt: number;
  readonly type: number;
  readonly sectionIndex: number;
  readonly value: number;
  readonly bytes: number;
}

/** Defined symbols of .symtab and .dynsym with the section that holds their names. */
function* symbolsIn(
  readAt: ReadAt,
  size: number,
  { bits, littleEndian }: ElfHeader,
  sections: readonly Section[],
): Generator<{ readonly strings: Section; readonly symbol: SymbolEntry }> {
  const entryBytes = bits === 64 ? 24 : 16;
  const step = symbolChunkBytes - (symbolChunkBytes % entryBytes);
  for (const table of sections) {
    if (table.type !== SHT_SYMTAB && table.type !== SHT_DYNSYM) continue;
    const strings = sections[table.link];
    if (strings === undefined) continue;
    const end = Math.min(table.offset + table.bytes, size);
    for (let from = table.offset; from < end; from += step) {
      const bytes = readBytes(readAt, from, Math.min(step, end - from));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
        const u32 = (field: number) => view.getUint32(at + field, littleEndian);
        const symbol =
          bits === 64
            ? {
                nameAt: u32(0),
                type: (bytes[at + 4] ?? 0) & 15,
                sectionIndex: view.getUint16(at + 6, littleEndian),
                value: u64(view, at + 8, littleEndian),
                bytes: u64(view, at + 16, littleEndian),
              }
            : {
                nameAt: u32(0),
                type: (bytes[at + 12] ?? 0) & 15,
                sectionIndex: view.getUint16(at + 14, littleEndian),
                value: u32(4),
                bytes: u32(8),
              };
        if (symbol.sectionIndex !== 0 && symbol.nameAt !== 0 && symbol.nameAt < strings.bytes)
          yield { strings, symbol };
      }
    }
  }
}

function readSymbols(
  readAt: ReadAt,
  size: number,
  header: ElfHeader,
  sections: readonly Section[],
  names: readonly string[],
): ReadonlyMap<string, number> {
  const wanted = new Set(names);
  const found = new Map<string, number>();
  const texts = new Map<Section, Uint8Array>();
  for (const { strings, symbol } of symbolsIn(readAt, size, header, sections)) {
    let text = texts.get(strings);
    if (text === undefined) {
      const bytes = Math.min(
        strings.bytes,
        maxStringTableBytes,
        Math.max(0, size - strings.offset),
      );
      text = readBytes(readAt, strings.offset, bytes);
      texts.set(strings, text);
    }
    if (symbol.nameAt >= text.length) continue;
    const name = matchName(text, symbol.nameAt, wanted);
    if (name === null || found.has(name)) continue;
    found.set(name, symbol.value);
    if (found.size === wanted.size) break;
  }
  return found;
}

const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;

function readFunctions(
  readAt: ReadAt,
  size: number,
  header: ElfHeader,
  sections: readonly Section[],
  addresses: readonly number[],
): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const { strings, symbol } of symbolsIn(readAt, size, header, sections)) {
    if (symbol.type !== STT_FUNC && symbol.type !== STT_GNU_IFUNC) continue;
    for (const address of addresses)
      if (!found.has(address) && address >= symbol.value && address < symbol.value + symbol.bytes)
        // The names of a large library are tens of megabytes: only those that are wanted are read.
        found.set(address, cString(readBytes(readAt, strings.offset + symbol.nameAt, 512)));
    if (found.size === addresses.length) break;
  }
  return found;
}

/** Compares in place: decoding every name of a large table would cost seconds. */
function matchName(text: Uint8Array, at: number, wanted: ReadonlySet<string>): string | null {
  for (const name of wanted) {
    if (text[at + name.length] !== 0) continue;
    let index = 0;
    while (index < name.length && text[at + index] === name.charCodeAt(index)) index += 1;
    if (index === name.length) return name;
  }
  return null;
}

function once<T>(make: () => T): () => T {
  let value: { readonly made: T } | undefined;
  return () => (value ??= { made: make() }).made;
}
