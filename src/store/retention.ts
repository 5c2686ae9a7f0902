/** How much the store may hold, and how its folders go. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder } from '../files/held-folder.ts';

/** Bytes of all files of an incident folder. What cannot be read counts as nothing. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      try {
        bytes += lstatSync(join(entry.parentPath, entry.name)).size;
      } catch {
        // Gone meanwhile.
      }
    }
  } catch {
    // Not ours to read.
  }
  return bytes;
}

/** Whether it is gone now. */
export function removeIncident(folder: string): boolean {
  try {
    removeFolder(folder);
    return true;
  } catch {
    return false;
  }
}

/** Of folders, the newest first: those that must go so that the rest holds at most `mostBytes`. The newest always stays. */
export function beyondSize(folders: readonly string[], mostBytes: number): readonly string[] {
  let bytes = 0;
  return folders.filter((folder, index) => {
    bytes += folderBytes(folder);
    return index > 0 && bytes > mostBytes;
  });
}
