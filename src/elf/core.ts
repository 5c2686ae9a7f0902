/**
 * Core files of Linux: what was recorded of a process when it died, and its memory by address.
 * Only headers, notes and what is asked for are read, so a core of any size costs the same; a core
 * that was cut short (full disk, RLIMIT_CORE) is read as far as it goes. Layouts: `elfcore.h`,
 * `binfmt_elf.c`, `sys/procfs.h`.
 */
import { ownerOf, padded } from './notes.ts';
import {
  buildIdOf,
  programHeader,
  programHeadersOf,
  PT_LOAD,
  PT_NOTE,
  readElf,
  readElfHeader,
  type ElfHeader,
} from './elf.ts';
import { regionAt, type MemoryReader, type MemoryRegion } from './memory-reader.ts';
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
  readonly openMapped: (
    file: MappedFile,
  ) => { readonly readAt: ReadAt; readonly size: number } | null;
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

export interface MappedFile {
  readonly start: number;
  readonly end: number;
  readonly fileOffset: number;
  readonly path: string;
}

export interface CoreOptions {
  /**
   * Opens a file that the process had mapped. Kernels leave read-only file pages out of cores
   * (coredump_filter 0x33), so code and constants come from there. Only used where its build id is that of the core.
   */
  readonly openFile?: (path: string) => { readonly readAt: ReadAt; readonly size: number } | null;
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

const NT_PRSTATUS = 1;
const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_SIGINFO = 0x53494749;
const NT_FILE = 0x46494c45;
const NT_ARM_TLS = 0x401;

const maxNoteSegments = 16;
/** The kernel's own limit for NT_FILE and the like is 4 MiB, 16 MiB at most (core_file_note_size_limit). */
const maxDescriptionBytes = 32 << 20;
const maxNotes = 2_000_000;
const maxThreads = 100_000;

/** Opens a core of `size` bytes. */
export function openCore(
  readAt: ReadAt,
  size: number,
  { openFile }: CoreOptions = {},
): { readonly core: CoreFile } | { readonly problem: ElfProblem } {
  const read = readElfHeader(readAt, size);
  if ('problem' in read) return read;
  const { header } = read;
  if (header.type !== 'core')
    return { problem: { status: 'unsupported', why: 'it is an ELF file, but no core' } };

  const segments = readSegments(readAt, header);
  const notes: NoteFacts = {
    process: null,
    signalInfo: null,
    threads: [],
    files: [],
    auxv: new Map(),
  };
  for (const { offset, bytes } of segments.notes) readNotes(readAt, header, offset, bytes, notes);
  const { process, signalInfo, threads, files, auxv } = notes;
  files.sort((a, b) => a.start - b.start);

  const { starts, ends, offsets, fileBytes, flags, count } = segments;
  const regions = once(() => regionsOf(segments, files));
  const backing = openFile === undefined ? null : backingFiles(openFile, (base) => buildIdAt(base));
  let last = 0;

  const find = (address: number): number => {
    if (last < count && address >= starts[last]! && address < ends[last]!) return last;
    let low = 0;
    let high = count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (address < starts[middle]!) high = middle - 1;
      else if (address >= ends[middle]!) low = middle + 1;
      else return (last = middle);
    }
    return -1;
  };

  const readMemory = (address: number, into: Uint8Array): number => {
    let done = 0;
    while (done < into.length) {
      const at = address + done;
      const index = find(at);
      const got =
        index < 0 ? readBacked(at, Infinity, into, done) : readSegment(index, at, into, done);
      if (got <= 0) break;
      done += got;
    }
    return done;
  };
  const readSegment = (index: number, at: number, into: Uint8Array, done: number): number => {
    const within = at - starts[index]!;
    const room = Math.min(into.length - done, ends[index]! - at);
    const dumped = Math.min(room, fileBytes[index]! - within);
    if (dumped > 0) return readAt(offsets[index]! + within, into.subarray(done, done + dumped));
    // A writable page that was not dumped may have held anything: the file cannot stand in for it.
    return (flags[index]! & 2) === 0 ? readBacked(at, room, into, done) : 0;
  };
  const readBacked = (at: number, room: number, into: Uint8Array, done: number): number => {
    if (backing === null) return 0;
    const file = regionAt(files, at);
    if (file === undefined) return 0;
    const source = backing(file, moduleBase(files, file));
    if (source === null) return 0;
    const length = Math.min(room, into.length - done, file.end - at);
    return source.readAt(file.fileOffset + (at - file.start), into.subarray(done, done + length));
  };

  const buildIds = new Map<number, string | null>();
  const buildIdAt = (base: number): string | null => {
    let id = buildIds.get(base);
    if (id === undefined) {
      // Dumped pages only: the file on disk is what is to be checked.
      const index = find(base);
      id = index < 0 || fileBytes[index] === 0 ? null : buildIdOfImage(base, dumpedOnly);
      buildIds.set(base, id);
    }
    return id;
  };
  const dumpedOnly = (address: number, into: Uint8Array): number => {
    const index = find(address);
    if (index < 0) return 0;
    const within = address - starts[index]!;
    const dumped = Math.min(into.length, fileBytes[index]! - within);
    return dumped > 0 ? readAt(offsets[index]! + within, into.subarray(0, dumped)) : 0;
  };

  return {
    core: {
      header,
      process,
      signal: threads[0]?.signal || signalInfo?.signal || (threads.length > 0 ? 0 : null),
      signalInfo,
      threads,
      files,
      auxv,
      mapCount: segments.mapCount,
      totalVmBytes: segments.totalVmBytes,
      dumpedBytes: segments.dumpedBytes,
      truncated:
        segments.expectedBytes > size
          ? { expectedBytes: segments.expectedBytes, actualBytes: size }
          : null,
      get regions() {
        return regions();
      },
      readMemory,
      buildIdAt,
      openMapped: (file) => backing?.(file, moduleBase(files, file)) ?? null,
    },
  };
}

interface Segments {
  readonly count: number;
  /** Sorted by address, without overlaps. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly offsets: Float64Array;
  readonly fileBytes: Float64Array;
  readonly flags: Uint8Array;
  readonly notes: readonly { readonly offset: number; readonly bytes: number }[];
  readonly mapCount: number;
  readonly totalVmBytes: number;
  readonly dumpedBytes: number;
  readonly expectedBytes: number;
}

/** In columns: a core may have a million mappings. */
function readSegments(readAt: ReadAt, header: ElfHeader): Segments {
  const capacity = header.programHeaders.count;
  let starts = new Float64Array(capacity);
  let ends = new Float64Array(capacity);
  let offsets = new Float64Array(capacity);
  let fileBytes = new Float64Array(capacity);
  let flags = new Uint8Array(capacity);
  const notes: { offset: number; bytes: number }[] = [];
  let count = 0;
  let totalVmBytes = 0;
  let dumpedBytes = 0;
  let expectedBytes = 0;
  let sorted = true;
  for (const segment of programHeadersOf(readAt, header)) {
    if (segment.type === PT_NOTE && notes.length < maxNoteSegments)
      notes.push({ offset: segment.offset, bytes: segment.fileBytes });
    const end = segment.address + segment.memoryBytes;
    // The vsyscall page (0xffffffffff600000) is the kernel's: it counts for no limit.
    const userSpace = Number.isSafeInteger(end);
    if (
      Number.isSafeInteger(segment.offset + segment.fileBytes) &&
      (segment.type !== PT_LOAD || userSpace)
    )
      expectedBytes = Math.max(expectedBytes, segment.offset + segment.fileBytes);
    if (segment.type !== PT_LOAD || !userSpace || segment.memoryBytes === 0) continue;
    if (count > 0 && segment.address < ends[count - 1]!) sorted = false;
    starts[count] = segment.address;
    ends[count] = end;
    offsets[count] = segment.offset;
    fileBytes[count] = Math.min(segment.fileBytes, segment.memoryBytes);
    flags[count] = segment.flags & 7;
    count += 1;
    totalVmBytes += segment.memoryBytes;
    dumpedBytes += Math.min(segment.fileBytes, segment.memoryBytes);
  }
  const mapCount = count;
  if (!sorted) {
    const order = Array.from({ length: count }, (_, index) => index).sort(
      (a, b) => starts[a]! - starts[b]!,
    );
    let previousEnd = 0;
    const kept = order.filter((index) => {
      const fits = starts[index]! >= previousEnd;
      if (fits) previousEnd = ends[index]!;
      return fits;
    });
    starts = Float64Array.from(kept, (index) => starts[index]!);
    ends = Float64Array.from(kept, (index) => ends[index]!);
    offsets = Float64Array.from(kept, (index) => offsets[index]!);
    fileBytes = Float64Array.from(kept, (index) => fileBytes[index]!);
    flags = Uint8Array.from(kept, (index) => flags[index]!);
    count = kept.length;
  }
  return {
    count,
    starts,
    ends,
    offsets,
    fileBytes,
    flags,
    notes,
    mapCount,
    totalVmBytes,
    dumpedBytes,
    expectedBytes,
  };
}

interface NoteFacts {
  process: CoreProcess | null;
  signalInfo: SignalInfo | null;
  readonly threads: CoreThread[];
  readonly files: MappedFile[];
  readonly auxv: Map<number, number>;
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

/** Where the object of a mapping begins: its nearest mapping below with file offset 0. */
export function moduleBase(files: readonly MappedFile[], file: MappedFile): number {
  let base = file.start;
  for (let index = files.indexOf(file); index >= 0; index -= 1) {
    const candidate = files[index]!;
    if (candidate.path !== file.path) continue;
    base = candidate.start;
    if (candidate.fileOffset === 0) break;
  }
  return base;
}

function regionsOf(segments: Segments, files: readonly MappedFile[]): readonly MemoryRegion[] {
  const regions: MemoryRegion[] = [];
  const { starts, ends, flags, count } = segments;
  let next = 0;
  for (let index = 0; index < count; index += 1) {
    const start = starts[index]!;
    while (next < files.length && files[next]!.end <= start) next += 1;
    const file = files[next];
    const mapped = file !== undefined && file.start <= start ? file : null;
    regions.push({
      start,
      end: ends[index]!,
      readable: (flags[index]! & 4) !== 0,
      writable: (flags[index]! & 2) !== 0,
      executable: (flags[index]! & 1) !== 0,
      path: mapped?.path ?? null,
      fileOffset: mapped === null ? 0 : mapped.fileOffset + (start - mapped.start),
    });
  }
  return regions;
}

/** Opens each mapped file once, and only keeps it where it is the one that the process had. */
function backingFiles(
  openFile: NonNullable<CoreOptions['openFile']>,
  buildIdAt: (base: number) => string | null,
): (file: MappedFile, base: number) => { readonly readAt: ReadAt; readonly size: number } | null {
  const opened = new Map<string, { readonly readAt: ReadAt; readonly size: number } | null>();
  return ({ path }, base) => {
    const known = opened.get(path);
    if (known !== undefined) return known;
    opened.set(path, null);
    const file = openFile(path);
    if (file === null) return null;
    const expected = buildIdAt(base);
    const read = readElf(file.readAt, file.size);
    // A hostile core may name any file: nothing but ELF objects is taken for its memory.
    const usable = 'elf' in read && (expected === null || read.elf.buildId === expected);
    opened.set(path, usable ? file : null);
    return opened.get(path) ?? null;
  };
}

/** The build id of an ELF image as it lies in memory: its headers and notes are in its first page. */
function buildIdOfImage(base: number, readMemory: MemoryReader['readMemory']): string | null {
  const page = new Uint8Array(4096);
  const length = readMemory(base, page);
  const read = readElfHeader((offset, into) => {
    const part = page.subarray(offset, Math.min(length, offset + into.length));
    into.set(part);
    return part.length;
  }, length);
  if ('problem' in read) return null;
  const { header } = read;
  const view = new DataView(page.buffer, 0, length);
  for (let index = 0; index < Math.min(header.programHeaders.count, 64); index += 1) {
    const at = header.programHeaders.offset + index * header.programHeaders.entryBytes;
    if (at + (header.bits === 64 ? 56 : 32) > length) return null;
    const { type, offset, fileBytes } = programHeader(view, at, header);
    if (type !== PT_NOTE || offset + fileBytes > length) continue;
    const id = buildIdOf(page.subarray(offset, offset + fileBytes), header.littleEndian);
    if (id !== null) return id;
  }
  return null;
}

function once<T>(make: () => T): () => T {
  let value: { readonly made: T } | undefined;
  return () => (value ??= { made: make() }).made;
}
