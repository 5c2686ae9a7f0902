/** Where a person says that the files lie which a process had mapped: its core was brought here from another machine, or its root. */
import { basename, join } from 'node:path';
import { openFile, openFileOf, type OpenFile } from './open-file.ts';

export interface BinaryPlaces {
  /** The main executable. */
  readonly executable?: string;
  /** Folders that hold libraries (and executables) by their names, without the folders they were in. */
  readonly libraryPath?: readonly string[];
  /** A folder that holds the process's own root: an unpacked image, a container's files, a chroot. */
  readonly root?: string;
}

/** The files that may be what was mapped from `path`, the likeliest first. Whether one is must be told by its build id. */
export function* filesElsewhere(
  { executable, libraryPath = [], root }: BinaryPlaces,
  path: string,
  isExecutable: boolean,
): Iterable<OpenFile> {
  const there = path.replace(/ \(deleted\)$/, '');
  const found = [
    isExecutable && executable !== undefined ? openFile(executable) : null,
    root === undefined ? null : openFileOf(root, there),
  ];
  for (const file of found) if (file !== null) yield file;
  for (const folder of libraryPath) {
    const file = openFile(join(folder, basename(there)));
    if (file !== null) yield file;
  }
}
