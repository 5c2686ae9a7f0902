/** Files of other processes, opened. Without the reader of ELF: a run that ends well loads this much alone. */
import { closeSync, readSync } from 'node:fs';
import {
  anySize,
  isFileRefusal,
  openInRoot,
  openNamed,
  type FileRefusal,
  type SafeFile,
} from '../../files/open-safely.ts';
import type { ReadAt } from '../../elf/index.ts';

/** A regular file that is open for reading at offsets. */
export interface OpenFile {
  readonly readAt: ReadAt;
  readonly size: number;
  readonly close: () => void;
}

/** A regular file for reading at offsets, by its name on this machine. null: it cannot be opened. */
export const openFile = (path: string): OpenFile | null => readable(openNamed(path, anySize));

/** As `openFile`, by its name in the root of another process: what links there stand for is that process's to say, and stays in its root. */
export const openFileOf = (root: string, path: string): OpenFile | null =>
  readable(openInRoot(root, path, anySize));

function readable(opened: SafeFile | FileRefusal): OpenFile | null {
  if (isFileRefusal(opened)) return null;
  const { fd: descriptor, stat } = opened;
  return {
    size: stat.size,
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
