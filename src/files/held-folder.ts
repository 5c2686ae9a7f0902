/**
 * A folder that is written to through a descriptor kept open, not by its name: whoever may rename it, and put a link in its place,
 * moves the folder and nothing else. And the one way to make a file below a folder.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hasDescriptorPaths } from './open-safely.ts';

export interface HeldFolder {
  /** Stands for the folder in this process, its threads included, wherever it is moved. */
  readonly path: string;
  /** What other processes of the same user reach it by; good as long as this process lives and has it open. */
  readonly pathForOthers: string;
  readonly close: () => void;
}

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW, O_DIRECTORY } = constants;

/** Makes a folder that must not exist, and holds it. Throws where it cannot be made, or is not what was made. */
export function makeHeldFolder(path: string): HeldFolder {
  mkdirSync(path, { mode: 0o700 });
  if (!hasDescriptorPaths) return { path, pathForOthers: path, close: () => {} };
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const held = `/proc/self/fd/${fd}`;
  try {
    if (!isOwn(fd, held)) throw Object.assign(new Error('replaced'), { code: 'EEXIST' });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    path: held,
    pathForOthers: `/proc/${process.pid}/fd/${fd}`,
    close: () => closeSync(fd),
  };
}

/** Between making and opening it, somebody may have put a folder of theirs in its place. */
function isOwn(fd: number, held: string): boolean {
  const { uid } = fstatSync(fd);
  if (uid === process.geteuid?.()) return true;
  // Some file systems give everything one owner, or root's to nobody: then what is made in it is not ours either.
  const probe = join(held, 'probe');
  const file = createFile(held, 'probe');
  const owner = fstatSync(file).uid;
  closeSync(file);
  rmSync(probe);
  return owner === uid;
}

/**
 * A new file, open for reading and writing, its owner's alone. Never follows a link, never opens what is there already: that is EEXIST.
 * `append`: every write goes to its end.
 */
export const createFile = (folder: string, name: string, how: 'append' | 'anywhere' = 'append') =>
  openSync(
    join(folder, name),
    O_RDWR | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0) | (how === 'append' ? O_APPEND : 0),
    0o600,
  );

/** A file with this content in place of whatever has that name, a folder excepted. Nothing that was there is opened. */
export function replaceFile(folder: string, name: string, content: string | Uint8Array): void {
  rmSync(join(folder, name), { force: true });
  const fd = createFile(folder, name);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  } finally {
    closeSync(fd);
  }
}

/**
 * Removes a folder with all that is in it; a link in its place goes itself. What is below is reached by descriptors, so that nobody
 * makes it remove anything elsewhere by a link that appears meanwhile. Throws where something stays.
 */
export function removeFolder(path: string): void {
  if (!hasDescriptorPaths) {
    rmSync(path, { recursive: true, force: true });
    return;
  }
  if (removeEntry(path)) return;
  emptyFolder(path, 0);
  rmdirSync(path);
}

/** No folder of ours is deeper. */
const mostLevels = 200;

function emptyFolder(path: string | Buffer, level: number): void {
  if (level > mostLevels) throw new Error('too many folders in each other');
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    for (const name of readdirSync(`/proc/self/fd/${fd}`, 'buffer')) {
      // A name may be any bytes.
      const entry = Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
      if (removeEntry(entry)) continue;
      emptyFolder(entry, level + 1);
      rmdirSync(entry);
    }
  } finally {
    closeSync(fd);
  }
}

/** false: it is a folder. */
function removeEntry(path: string | Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EISDIR' || code === 'EPERM') return false;
    throw error;
  }
}

/**
 * Whether somebody who is neither root nor this user may rename the folder, or one above it, and so decide what its name stands for.
 * Where it cannot be told, they may.
 */
export function othersMayRename(folder: string): boolean {
  const own = [0, process.geteuid?.() ?? 0];
  try {
    let below = lstatSync(folder);
    for (let at = dirname(realpathSync(folder)); ; at = dirname(at)) {
      const stat = statSync(at);
      if (!own.includes(stat.uid)) return true;
      const othersWrite = (stat.mode & 0o022) !== 0;
      // In a sticky folder each renames what is theirs.
      if (othersWrite && ((stat.mode & 0o1000) === 0 || !own.includes(below.uid))) return true;
      if (at === dirname(at)) return false;
      below = stat;
    }
  } catch {
    return true;
  }
}
