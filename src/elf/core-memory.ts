/** The memory that a core holds, by address: what was dumped, and what the files behind it still tell. */
import type { Segments } from './core-segments.ts';
import { buildIdOf, programHeader, PT_NOTE, readElfHeader } from './elf.ts';
import {
  BackingFiles,
  moduleBase,
  type Elsewhere,
  type MappedFile,
  type MissingFile,
  type OpenedFile,
} from './mapped-files.ts';
import { regionAt, type MemoryReader, type MemoryRegion } from './memory-reader.ts';
import type { ReadAt } from './read-at.ts';

export class CoreMemory {
  readonly #readAt: ReadAt;
  readonly #segments: Segments;
  /** Sorted by address. */
  readonly #files: readonly MappedFile[];
  /** null: nobody opens files. */
  readonly #backing: BackingFiles | null;
  readonly #buildIds = new Map<number, string | null>();
  #regions: readonly MemoryRegion[] | null = null;
  /** The segment that was found last: what is read next mostly lies in it. */
  #last = 0;

  constructor(
    readAt: ReadAt,
    segments: Segments,
    files: readonly MappedFile[],
    openFile: ((path: string) => OpenedFile | null) | undefined,
    elsewhere?: Elsewhere,
  ) {
    this.#readAt = readAt;
    this.#segments = segments;
    this.#files = files;
    this.#backing =
      openFile === undefined
        ? null
        : new BackingFiles(openFile, (base) => this.buildIdAt(base), elsewhere);
  }

  get regions(): readonly MemoryRegion[] {
    return (this.#regions ??= regionsOf(this.#segments, this.#files));
  }

  /** As `MemoryReader.readMemory`. */
  read(address: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const at = address + done;
      const index = this.#find(at);
      const got =
        index < 0
          ? this.#readBacked(at, Infinity, into, done)
          : this.#readSegment(index, at, into, done);
      if (got <= 0) break;
      done += got;
    }
    return done;
  }

  /** Build id of the object mapped at `base`, from dumped pages only: the file on disk is what is to be checked. */
  buildIdAt(base: number): string | null {
    let id = this.#buildIds.get(base);
    if (id === undefined) {
      const index = this.#find(base);
      id =
        index < 0 || this.#segments.fileBytes[index] === 0
          ? null
          : buildIdOfImage(base, (address, into) => this.#readDumped(address, into));
      this.#buildIds.set(base, id);
    }
    return id;
  }

  get missingFiles(): readonly MissingFile[] {
    return this.#backing?.missing ?? [];
  }

  openMapped(file: MappedFile): OpenedFile | null {
    return this.#backing?.open(file, moduleBase(this.#files, file)) ?? null;
  }

  /** Number of the segment that holds `address`; -1: none. */
  #find(address: number): number {
    const { starts, ends, count } = this.#segments;
    const last = this.#last;
    if (last < count && address >= starts[last]! && address < ends[last]!) return last;
    let low = 0;
    let high = count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (address < starts[middle]!) high = middle - 1;
      else if (address >= ends[middle]!) low = middle + 1;
      else return (this.#last = middle);
    }
    return -1;
  }

  #readSegment(index: number, at: number, into: Uint8Array, done: number): number {
    const { starts, ends, offsets, fileBytes, flags } = this.#segments;
    const within = at - starts[index]!;
    const room = Math.min(into.length - done, ends[index]! - at);
    const dumped = Math.min(room, fileBytes[index]! - within);
    if (dumped > 0)
      return this.#readAt(offsets[index]! + within, into.subarray(done, done + dumped));
    // A writable page that was not dumped may have held anything: the file cannot stand in for it.
    return (flags[index]! & 2) === 0 ? this.#readBacked(at, room, into, done) : 0;
  }

  /** From the file on disk that was mapped there. */
  #readBacked(at: number, room: number, into: Uint8Array, done: number): number {
    if (this.#backing === null) return 0;
    const file = regionAt(this.#files, at);
    if (file === undefined) return 0;
    const source = this.openMapped(file);
    if (source === null) return 0;
    const length = Math.min(room, into.length - done, file.end - at);
    return source.readAt(file.fileOffset + (at - file.start), into.subarray(done, done + length));
  }

  /** From the core itself, and from one segment. */
  #readDumped(address: number, into: Uint8Array): number {
    const index = this.#find(address);
    if (index < 0) return 0;
    const { starts, offsets, fileBytes } = this.#segments;
    const within = address - starts[index]!;
    const dumped = Math.min(into.length, fileBytes[index]! - within);
    return dumped > 0 ? this.#readAt(offsets[index]! + within, into.subarray(0, dumped)) : 0;
  }
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
