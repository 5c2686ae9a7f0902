import { readdirSync, statSync } from 'node:fs';

/** Entries of a folder with why there are none; never throws. */
export function entriesOf(
  folder: string,
): { readonly names: readonly string[] } | { readonly status: 'absent' | 'denied' } {
  try {
    return { names: readdirSync(folder).sort() };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { status: code === 'EACCES' || code === 'EPERM' ? 'denied' : 'absent' };
  }
}

/** Size and time of a regular file (links are followed); null for everything else. */
export function fileAbout(
  path: string,
): { readonly bytes: number; readonly changedMs: number } | null {
  try {
    const about = statSync(path);
    return about.isFile() ? { bytes: about.size, changedMs: about.mtimeMs } : null;
  } catch {
    return null;
  }
}
