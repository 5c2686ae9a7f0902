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

/** A mapped file that was needed and not found. */
export interface MissingFile {
  readonly path: string;
  /** `other-build`: there is one of that name, and the process had another. */
  readonly why: 'absent' | 'other-build';
}

export const missingFileText = ({ path, why }: MissingFile): string =>
  why === 'absent'
    ? `${path} is not here`
    : `${path} is of another build here than the one that the process had`;

/** Where files lie that the process had mapped, beside their own paths: tried before these, in this order. */
export type Elsewhere = (path: string) => Iterable<OpenedFile>;

/** Opens each mapped file once, and only keeps it where it is the one that the process had. */
export class BackingFiles {
  readonly #openFile: (path: string) => OpenedFile | null;
  /** Build id of what is mapped at an address, from the core alone. */
  readonly #buildIdAt: (base: number) => string | null;
  readonly #elsewhere: Elsewhere;
  readonly #opened = new Map<string, OpenedFile | null>();
  readonly #missing: MissingFile[] = [];

  constructor(
    openFile: (path: string) => OpenedFile | null,
    buildIdAt: (base: number) => string | null,
    elsewhere: Elsewhere = () => [],
  ) {
    this.#openFile = openFile;
    this.#buildIdAt = buildIdAt;
    this.#elsewhere = elsewhere;
  }

  /** Those that were asked for so far. */
  get missing(): readonly MissingFile[] {
    return this.#missing;
  }

  open({ path }: MappedFile, base: number): OpenedFile | null {
    const known = this.#opened.get(path);
    if (known !== undefined) return known;
    this.#opened.set(path, null);
    const expected = this.#buildIdAt(base);
    let isElf = false;
    // Data is mapped too (a locale, a table, a file of the program's own), and nothing is looked up in it.
    let isData = expected === null && !/\.so(?:\.|$)|\/(?:[^/.]*|python[\d.]*)$/.test(path);
    for (const file of this.#candidates(path)) {
      const read = readElf(file.readAt, file.size);
      // A hostile core may name any file: nothing but ELF objects is taken for its memory.
      if (!('elf' in read)) {
        isData ||= expected === null;
        continue;
      }
      isElf = true;
      if (expected !== null && read.elf.buildId !== expected) continue;
      this.#opened.set(path, file);
      return file;
    }
    if (!isData) this.#missing.push({ path, why: isElf ? 'other-build' : 'absent' });
    return null;
  }

  *#candidates(path: string): Iterable<OpenedFile> {
    yield* this.#elsewhere(path);
    const own = this.#openFile(path);
    if (own !== null) yield own;
  }
}
