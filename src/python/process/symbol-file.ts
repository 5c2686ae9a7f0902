import { readElf } from '../../elf/index.ts';
import type { OpenFile } from './open-file.ts';

/** Values of symbols (static ones too) of a library on disk, and the address of one of its sections under its name. Closes it. */
export function fileSymbols(
  file: OpenFile | null,
  names: readonly string[],
  section: string | null,
): ReadonlyMap<string, number> {
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
