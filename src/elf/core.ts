/**
 * Core files of Linux: what was recorded of a process when it died, and its memory by address.
 * Only headers, notes and what is asked for are read, so a core of any size costs the same; a core
 * that was cut short (full disk, RLIMIT_CORE) is read as far as it goes. Layouts: `elfcore.h`,
 * `binfmt_elf.c`, `sys/procfs.h`.
 */
import { ownerOf, padded } from './notes.ts';
import { CoreMemory } from './core-memory.ts';
import { readSegments, type Segments } from './core-segments.ts';
import { readElfHeader, type ElfHeader } from './elf.ts';
import type { MappedFile, MissingFile, OpenedFile } from './mapped-files.ts';
import type { MemoryReader } from './memory-reader.ts';
import { cString, readBytes, u64, type ElfProblem, type ReadAt } from './read-at.ts';

export interface CoreFile extends MemoryReader {
  readonly header: ElfHeader;
  readonly process: CoreProcess | null;
  /** Signal number that ended it; null where no note tells, or 0 where a debugger took the core of a living process. */
  readonly signal: number | null;
  readonly signalInfo: SignalInfo | null;
  /** The first one is the thread that died (the kernel writes it first). */
  readonly threads: readonly CoreThread[];
  /** NT_FILE: what was mapped from files. */
  readonly files: readonly MappedFile[];
  /** The file that holds the entry point; null: not known. */
  readonly executable: string | null;
  /** NT_AUXV: AT_* numbers to values. */
  readonly auxv: ReadonlyMap<number, number>;
  /** Number of mappings (VMAs) and their lengths together, dumped or not: what vm.max_map_count and RLIMIT_AS count. */
  readonly mapCount: number;
  readonly totalVmBytes: number;
  /** Bytes of memory that are in the file, by its headers. */
  readonly dumpedBytes: number;
  /** Where the file ends before its own headers say so. */
  readonly truncated: { readonly expectedBytes: number; readonly actualBytes: number } | null;
  /** Build id of the object mapped at `base`, read from its dumped first page. */
  readonly buildIdAt: (base: number) => string | null;
  /** The file on disk behind a mapping, where it is the one that the process had; null where not. */
  readonly openMapped: (file: MappedFile) => OpenedFile | null;
  /** Mapped files that were needed for what was read so far, and are not here. */
  readonly missingFiles: readonly MissingFile[];
}

export interface CoreProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly uid: number;
  /** comm: at most 15 characters. */
  readonly name: string;
  /** First 79 bytes of the command line, words joined by spaces. */
  readonly commandLine: string;
  readonly state: number;
}

export interface SignalInfo {
  readonly signal: number;
  readonly code: number;
  readonly errno: number;
  /** si_addr, meaningful for faults raised by the kernel (code > 0). */
  readonly address: bigint;
  /** si_pid, meaningful for signals that somebody sent (code <= 0). */
  readonly senderPid: number;
  readonly senderUid: number;
}

export interface CoreThread {
  readonly id: number;
  readonly signal: number;
  readonly instructionPointer: number;
  readonly stackPointer: number;
  /** fs_base on x86-64, TPIDR on aarch64; null where the core does not hold it. */
  readonly threadPointer: number | null;
  /** As in NT_PRSTATUS: for x86-64 in the order of `x86Registers`. */
  readonly registers: BigUint64Array;
}

export interface CoreOptions {
  /**
   * Opens a file that the process had mapped. Kernels leave read-only file pages out of cores
   * (coredump_filter 0x33), so code and constants come from there. Only used where its build id is that of the core.
   */
  readonly openFile?: (path: string) => OpenedFile | null;
  /** Other files that may be the one of that path, the likeliest first. Of them, too, only that of the same build id is used. */
  readonly elsewhere?: (path: string, isExecutable: boolean) => Iterable<OpenedFile>;
}

/** Order of the general registers in NT_PRSTATUS, x86-64 (`struct user_regs_struct`). */
export const x86Registers = [
  'r15',
  'r14',
  'r13',
  'r12',
  'rbp',
  'rbx',
  'r11',
  'r10',
  'r9',
  'r8',
  'rax',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'orig_rax',
  'rip',
  'cs',
  'eflags',
  'rsp',
  'ss',
  'fs_base',
  'gs_base',
  'ds',
  'es',
  'fs',
  'gs',
] as const;

const AT_ENTRY = 9;
const NT_PRSTATUS = 1;
const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_SIGINFO = 0x53494749;
const NT_FILE = 0x46494c45;
const NT_ARM_TLS = 0x401;

/** The kernel's own limit for NT_FILE and the like is 4 MiB, 16 MiB at most (core_file_note_size_limit). */
const maxDescriptionBytes = 32 << 20;
const maxNotes = 2_000_000;
const maxThreads = 100_000;

/** Opens a core of `size` bytes. */
export function openCore(
  readAt: ReadAt,
  size: number,
  { openFile, elsewhere }: CoreOptions = {},
): { readonly core: CoreFile } | { readonly problem: ElfProblem } {
  const read = readElfHeader(readAt, size);
  if ('problem' in read) return read;
  const { header } = read;
  if (header.type !== 'core')
    return { problem: { status: 'unsupported', why: 'it is an ELF file, but no core' } };

  const segments = readSegments(readAt, header);
  const { process, signalInfo, threads, files, auxv } = factsOfNotes(readAt, header, segments);
  const entry = auxv.get(AT_ENTRY);
  const executable =
    entry === undefined
      ? null
      : (files.find(({ start, end }) => entry >= start && entry < end)?.path ?? null);
  const memory = new CoreMemory(readAt, segments, files, openFile, (path) =>
    elsewhere === undefined ? [] : elsewhere(path, path === executable),
  );
  return {
    core: {
      header,
      process,
      signal: threads[0]?.signal || signalInfo?.signal || (threads.length > 0 ? 0 : null),
      signalInfo,
      threads,
      files,
      executable,
      auxv,
      mapCount: segments.mapCount,
      totalVmBytes: segments.totalVmBytes,
      dumpedBytes: segments.dumpedBytes,
      truncated:
        segments.expectedBytes > size
          ? { expectedBytes: segments.expectedBytes, actualBytes: size }
          : null,
      get regions() {
        return memory.regions;
      },
      readMemory: (address, into) => memory.read(address, into),
      buildIdAt: (base) => memory.buildIdAt(base),
      openMapped: (file) => memory.openMapped(file),
      get missingFiles() {
        return memory.missingFiles;
      },
    },
  };
}

interface NoteFacts {
  process: CoreProcess | null;
  signalInfo: SignalInfo | null;
  readonly threads: CoreThread[];
  readonly files: MappedFile[];
  readonly auxv: Map<number, number>;
}

function factsOfNotes(readAt: ReadAt, header: ElfHeader, { notes }: Segments): NoteFacts {
  const facts: NoteFacts = {
    process: null,
    signalInfo: null,
    threads: [],
    files: [],
    auxv: new Map(),
  };
  for (const { offset, bytes } of notes) readNotes(readAt, header, offset, bytes, facts);
  facts.files.sort((a, b) => a.start - b.start);
  return facts;
}

/** Note by note, skipping what is not needed: the registers of thousands of threads are tens of megabytes. */
function readNotes(
  readAt: ReadAt,
  header: ElfHeader,
  offset: number,
  bytes: number,
  facts: NoteFacts,
): void {
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  let at = offset;
  const end = offset + bytes;
  for (let seen = 0; at + 12 <= end && seen < maxNotes; seen += 1) {
    if (readAt(at, head) < 12) return;
    const nameBytes = view.getUint32(0, header.littleEndian);
    const descriptionBytes = view.getUint32(4, header.littleEndian);
    const type = view.getUint32(8, header.littleEndian);
    if (nameBytes > 256) return;
    const description = at + 12 + padded(nameBytes);
    if (description + descriptionBytes > end) return;
    if (wanted.has(type) && descriptionBytes <= maxDescriptionBytes) {
      const owner = ownerOf(readBytes(readAt, at + 12, nameBytes));
      const content = readBytes(readAt, description, descriptionBytes);
      if (content.length < descriptionBytes) return;
      readNote(owner, type, content, header, facts);
    }
    at = description + padded(descriptionBytes);
  }
}

const wanted = new Set([NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_SIGINFO, NT_FILE, NT_ARM_TLS]);

function readNote(
  owner: string,
  type: number,
  bytes: Uint8Array,
  header: ElfHeader,
  facts: NoteFacts,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (owner === 'CORE') {
    if (type === NT_PRSTATUS && facts.threads.length < maxThreads) {
      const thread = readThread(view, header);
      if (thread !== null) facts.threads.push(thread);
    } else if (type === NT_PRPSINFO) facts.process ??= readProcess(bytes, view, header);
    else if (type === NT_SIGINFO) facts.signalInfo ??= readSignalInfo(view, header);
    else if (type === NT_AUXV) readAuxv(view, header, facts.auxv);
    else if (type === NT_FILE && facts.files.length === 0)
      readFiles(bytes, view, header, facts.files);
  } else if (owner === 'LINUX' && type === NT_ARM_TLS && bytes.length >= 8) {
    const thread = facts.threads.at(-1);
    if (thread?.threadPointer === null)
      facts.threads[facts.threads.length - 1] = {
        ...thread,
        threadPointer: u64(view, 0, header.littleEndian),
      };
  }
}

/** Where `pr_pid` and the registers stand in NT_PRSTATUS, and which registers they are. */
const threadLayouts = {
  'x86-64': { pid: 32, registers: 112, count: 27, word: 8, ip: 16, sp: 19, tp: 21 },
  i386: { pid: 24, registers: 72, count: 17, word: 4, ip: 12, sp: 15, tp: null },
  aarch64: { pid: 32, registers: 112, count: 34, word: 8, ip: 32, sp: 31, tp: null },
  arm: { pid: 24, registers: 72, count: 18, word: 4, ip: 15, sp: 13, tp: null },
} as const;

function readThread(view: DataView, { machine, bits, littleEndian }: ElfHeader): CoreThread | null {
  if (view.byteLength < 36) return null;
  const signal = view.getInt16(12, littleEndian);
  // A 32-bit x86-64 core (x32) has yet another layout: leave its registers out rather than read them wrong.
  const layout =
    machine === 'other' || (machine === 'x86-64' && bits === 32) ? null : threadLayouts[machine];
  const id = view.getInt32(layout?.pid ?? (bits === 64 ? 32 : 24), littleEndian);
  if (layout === null || view.byteLength < layout.registers + layout.count * layout.word)
    return {
      id,
      signal,
      instructionPointer: 0,
      stackPointer: 0,
      threadPointer: null,
      registers: new BigUint64Array(),
    };
  const registers = new BigUint64Array(layout.count);
  for (let index = 0; index < layout.count; index += 1) {
    const at = layout.registers + index * layout.word;
    registers[index] =
      layout.word === 8
        ? view.getBigUint64(at, littleEndian)
        : BigInt(view.getUint32(at, littleEndian));
  }
  return {
    id,
    signal,
    instructionPointer: Number(registers[layout.ip]),
    stackPointer: Number(registers[layout.sp]),
    threadPointer: layout.tp === null ? null : Number(registers[layout.tp]),
    registers,
  };
}

function readProcess(
  bytes: Uint8Array,
  view: DataView,
  { bits, littleEndian }: ElfHeader,
): CoreProcess | null {
  // 136 bytes in 64-bit cores; 124 with 16-bit uids (i386, arm), 128 with 32-bit ones (other 32-bit machines).
  const layout =
    bits === 64 && bytes.length >= 136
      ? { uid: 16, wideUid: true, pid: 24, name: 40, arguments: 56 }
      : bits === 32 && bytes.length >= 128
        ? { uid: 8, wideUid: true, pid: 16, name: 32, arguments: 48 }
        : bits === 32 && bytes.length >= 124
          ? { uid: 8, wideUid: false, pid: 12, name: 28, arguments: 44 }
          : null;
  if (layout === null) return null;
  return {
    pid: view.getInt32(layout.pid, littleEndian),
    parentPid: view.getInt32(layout.pid + 4, littleEndian),
    uid: layout.wideUid
      ? view.getUint32(layout.uid, littleEndian)
      : view.getUint16(layout.uid, littleEndian),
    name: cString(bytes.subarray(layout.name, layout.name + 16)),
    commandLine: cString(bytes.subarray(layout.arguments, layout.arguments + 80)).trimEnd(),
    state: bytes[0]!,
  };
}

function readSignalInfo(view: DataView, { bits, littleEndian }: ElfHeader): SignalInfo | null {
  if (view.byteLength < 32) return null;
  const union = bits === 64 ? 16 : 12;
  return {
    signal: view.getInt32(0, littleEndian),
    errno: view.getInt32(4, littleEndian),
    code: view.getInt32(8, littleEndian),
    address:
      bits === 64
        ? view.getBigUint64(union, littleEndian)
        : BigInt(view.getUint32(union, littleEndian)),
    senderPid: view.getInt32(union, littleEndian),
    senderUid: view.getUint32(union + 4, littleEndian),
  };
}

function readAuxv(
  view: DataView,
  { bits, littleEndian }: ElfHeader,
  auxv: Map<number, number>,
): void {
  const word = bits / 8;
  const read = (at: number) =>
    bits === 64 ? u64(view, at, littleEndian) : view.getUint32(at, littleEndian);
  for (let at = 0; at + 2 * word <= view.byteLength && auxv.size < 256; at += 2 * word) {
    const key = read(at);
    if (key === 0) return;
    auxv.set(key, read(at + word));
  }
}

function readFiles(
  bytes: Uint8Array,
  view: DataView,
  { bits, littleEndian }: ElfHeader,
  files: MappedFile[],
): void {
  const word = bits / 8;
  const read = (at: number) =>
    bits === 64 ? u64(view, at, littleEndian) : view.getUint32(at, littleEndian);
  if (bytes.length < 2 * word) return;
  const count = Math.min(read(0), Math.floor((bytes.length - 2 * word) / (3 * word)));
  const pageBytes = read(word);
  let nameAt = 2 * word + count * 3 * word;
  let previous: { readonly at: number; readonly text: string } | null = null;
  for (let index = 0; index < count; index += 1) {
    const at = 2 * word + index * 3 * word;
    const nameEnd = bytes.indexOf(0, nameAt);
    if (nameEnd < 0) return;
    const raw = bytes.subarray(nameAt, Math.min(nameEnd, nameAt + 4096));
    // The same path stands once for each of its mappings: one string for all of them.
    const path: string =
      previous !== null && equal(raw, bytes.subarray(previous.at, previous.at + raw.length + 1))
        ? previous.text
        : cString(raw);
    previous = { at: nameAt, text: path };
    nameAt = nameEnd + 1;
    const [start, end, fileOffset] = [read(at), read(at + word), read(at + 2 * word) * pageBytes];
    if (end > start && Number.isSafeInteger(end) && Number.isSafeInteger(fileOffset))
      files.push({ start, end, fileOffset, path });
  }
}

/** `b` is one byte longer: its last must be the NUL. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (b.length !== a.length + 1 || b[a.length] !== 0) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}
