import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { readElf, type ReadAt } from '../../elf/index.ts';

/** A regular file that is open for reading at offsets. */
export interface OpenFile {
  readonly readAt: ReadAt;
  readonly size: number;
  readonly close: () => void;
}

/** A regular file for reading at offsets. null: it cannot be opened. */
export function openFile(path: string): OpenFile | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return null;
  }
  const status = fstatSync(descriptor);
  if (!status.isFile()) {
    closeSync(descriptor);
    return null;
  }
  return {
    size: status.size,
    readAt: (offset, into) => {
      let done = 0;
      try {
        while (done < into.length) {
          const count = readSync(descriptor, into, done, into.length - done, offset + done);
          if (count <= 0) break;
          done += count;
        }
      } catch {
        // What could be read up to here counts.
      }
      return done;
    },
    close: () => closeSync(descriptor),
  };
}

/** Values of symbols (static ones too) of a library on disk, and the address of one of its sections under its name. */
export function fileSymbols(
  path: string,
  names: readonly string[],
  section: string | null,
): ReadonlyMap<string, number> {
  const file = openFile(path);
  if (file === null) return new Map();
  try {
    const read = readElf(file.readAt, file.size);
    if ('problem' in read) return new Map();
    const found = new Map(read.elf.symbols(names));
    const place =
      section === null ? undefined : read.elf.sections().find(({ name }) => name === section);
    if (place !== undefined) found.set(place.name, place.address);
    return found;
  } finally {
    file.close();
  }
}
