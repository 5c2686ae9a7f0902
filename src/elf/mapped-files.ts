/** The files that a process had mapped, as its core lists them, and those of them that are still on disk. */
import { readElf } from './elf.ts';
import type { ReadAt } from './read-at.ts';

export interface MappedFile {
  readonly start: number;
  readonly end: number;
  readonly fileOffset: number;
  readonly path: string;
}

export interface OpenedFile {
  readonly readAt: ReadAt;
  readonly size: number;
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

/** Opens each mapped file once, and only keeps it where it is the one that the process had. */
export class BackingFiles {
  readonly #openFile: (path: string) => OpenedFile | null;
  /** Build id of what is mapped at an address, from the core alone. */
  readonly #buildIdAt: (base: number) => string | null;
  readonly #opened = new Map<string, OpenedFile | null>();

  constructor(
    openFile: (path: string) => OpenedFile | null,
    buildIdAt: (base: number) => string | null,
  ) {
    this.#openFile = openFile;
    this.#buildIdAt = buildIdAt;
  }

  open({ path }: MappedFile, base: number): OpenedFile | null {
    const known = this.#opened.get(path);
    if (known !== undefined) return known;
    this.#opened.set(path, null);
    const file = this.#openFile(path);
    if (file === null) return null;
    const expected = this.#buildIdAt(base);
    const read = readElf(file.readAt, file.size);
    // A hostile core may name any file: nothing but ELF objects is taken for its memory.
    const usable = 'elf' in read && (expected === null || read.elf.buildId === expected);
    this.#opened.set(path, usable ? file : null);
    return usable ? file : null;
  }
}
