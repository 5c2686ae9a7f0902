/**
 * The one way to open a file that somebody else may have put there: below an incident folder, below another process's root, below
 * a folder that others can write. Such a name may be a FIFO, a device, a link to anywhere, a folder, or endless.
 *
 * Each component is opened with O_PATH | O_NOFOLLOW below the one before, which opens nothing and waits for nothing; what it is, is
 * asked of that descriptor; only then the same inode is opened for reading, without blocking. Nobody can exchange anything in between.
 * (openat2 with RESOLVE_IN_ROOT would do the same in one call, and Node cannot reach it.)
 *
 * A file system in user space (FUSE) can make any call wait. The kernel keeps others, root too, out of a user's own unless its
 * owner allows them in (`allow_other`).
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  readlinkSync,
  type Stats,
} from 'node:fs';

/** Why a file was not opened. */
export interface FileRefusal {
  readonly code:
    | 'absent'
    | 'denied'
    /** A link, where none is followed; or links that lead in a circle. */
    | 'link'
    /** A folder, FIFO, socket or device. */
    | 'not-a-file'
    | 'too-big'
    /** Somebody else's than the one whose file it should be. */
    | 'owner'
    | 'failed';
  /** A clause that goes on from the file's name: `is a FIFO`. */
  readonly message: string;
}

export interface OpenLimits {
  /** A larger file is refused; of one that grows while it is read no more is read. */
  readonly mostBytes: number;
  /** User ids one of which the file must belong to; absent: any. */
  readonly owners?: readonly number[];
  /** For reading and writing; `append`: every write goes to its end. */
  readonly write?: true | 'append';
}

/** Of files that are read at offsets, never as a whole. */
export const anySize: OpenLimits = { mostBytes: Number.MAX_SAFE_INTEGER };

/** An open regular file. The caller closes it. */
export interface SafeFile {
  readonly fd: number;
  readonly stat: Stats;
}

export const isFileRefusal = (result: object): result is FileRefusal =>
  'code' in result && 'message' in result;

/** Linux, asm-generic/fcntl.h; the same on x86, arm, riscv, s390 and powerpc. Node has no name for it. */
const O_PATH = 0o10000000;
const { O_APPEND, O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = constants;
/** path_resolution(7): more links than these are taken for a circle. */
const mostLinks = 40;

/** Whether what a descriptor stands for has a path of its own (Linux with /proc). */
export const hasDescriptorPaths = process.platform === 'linux' && existsSync('/proc/self/fd');

/**
 * A file below a folder that the caller trusts to be the one it means. `path` is relative; no component of it may be a link.
 * `folder` itself is resolved as usual.
 */
export const openBelow = (
  folder: string,
  path: string,
  limits: OpenLimits,
): SafeFile | FileRefusal => openResolved(folder, path, 'refuse', limits);

/** A file below another root, links resolved as a process with that root would: an absolute link starts at `root` again. */
export const openInRoot = (
  root: string,
  path: string,
  limits: OpenLimits,
): SafeFile | FileRefusal => openResolved(root, path, 'in root', limits);

/** A file that the caller names itself: links are followed, and it must be a regular file in the end. */
export function openNamed(path: string, limits: OpenLimits): SafeFile | FileRefusal {
  try {
    const fd = openSync(path, hasDescriptorPaths ? O_PATH : O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return openForReading(fd, limits);
  } catch (error) {
    return refusalOf(error);
  }
}

/**
 * As `openNamed`, and a FIFO is opened too, without waiting for its writer: for what a user names on a command line.
 * `stat` tells which of the two it is.
 */
export function openNamedOrPipe(path: string, limits: OpenLimits): SafeFile | FileRefusal {
  try {
    const fd = openSync(path, hasDescriptorPaths ? O_PATH : O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return openForReading(fd, limits, 'pipes too');
  } catch (error) {
    return refusalOf(error);
  }
}

/** The whole content of what one of the three above opened, at most `mostBytes`. */
export function readSafely(file: SafeFile | FileRefusal, mostBytes: number): Buffer | FileRefusal {
  if (isFileRefusal(file)) return file;
  const { fd, stat } = file;
  try {
    // A file of /proc has no size.
    const parts: Buffer[] = [];
    let total = 0;
    // What was there when it was opened, of a file that has a size.
    const end = stat.size > 0 ? Math.min(mostBytes, stat.size) : mostBytes;
    let step = Math.max(stat.size, 4096);
    while (total < end) {
      const part = Buffer.allocUnsafe(Math.min(step, end - total));
      const count = readSync(fd, part, 0, part.length, null);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
      total += count;
      step = 1 << 16;
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  } catch (error) {
    return refusalOf(error);
  } finally {
    closeSync(fd);
  }
}

export const readBelow = (folder: string, path: string, limits: OpenLimits): Buffer | FileRefusal =>
  readSafely(openBelow(folder, path, limits), limits.mostBytes);

export const readInRoot = (root: string, path: string, limits: OpenLimits): Buffer | FileRefusal =>
  readSafely(openInRoot(root, path, limits), limits.mostBytes);

function openResolved(
  root: string,
  path: string,
  links: 'refuse' | 'in root',
  limits: OpenLimits,
): SafeFile | FileRefusal {
  if (!hasDescriptorPaths) return openWithoutDescriptors(root, path, links, limits);
  // One name needs no walk.
  if (links === 'refuse' && !path.includes('/') && !/^\.{0,2}$/.test(path)) {
    try {
      return openForReading(openSync(`${root}/${path}`, O_PATH | O_NOFOLLOW), limits);
    } catch (error) {
      return refusalOf(error);
    }
  }
  const folders: number[] = [];
  try {
    folders.push(openSync(root, O_PATH | O_DIRECTORY));
    return walk(folders, path, links, limits);
  } catch (error) {
    return refusalOf(error);
  } finally {
    for (const fd of folders) closeSync(fd);
  }
}

/** `folders`: the descriptors from the root down to where the walk is. */
function walk(
  folders: number[],
  path: string,
  links: 'refuse' | 'in root',
  limits: OpenLimits,
): SafeFile | FileRefusal {
  const names = path.split('/').toReversed();
  let followed = 0;
  for (;;) {
    const name = names.pop();
    if (name === undefined) return refusal('not-a-file', 'is a folder');
    if (name === '' || name === '.') continue;
    if (name === '..') {
      // As in every root: above it is itself.
      if (links === 'refuse') return refusal('link', 'leads out of its folder');
      if (folders.length > 1) closeSync(folders.pop()!);
      continue;
    }
    const entry = `/proc/self/fd/${folders.at(-1)}/${name}`;
    const fd = openSync(entry, O_PATH | O_NOFOLLOW);
    const stat = fstatSync(fd);
    if (stat.isDirectory()) {
      folders.push(fd);
      continue;
    }
    if (stat.isSymbolicLink()) {
      closeSync(fd);
      followed += 1;
      if (links === 'refuse' || followed > mostLinks)
        return refusal(
          'link',
          links === 'refuse' ? 'is a link' : 'is a link that leads in a circle',
        );
      const target = readlinkSync(entry);
      if (target.startsWith('/')) while (folders.length > 1) closeSync(folders.pop()!);
      names.push(...target.split('/').toReversed());
      continue;
    }
    if (names.some((rest) => rest !== '' && rest !== '.')) {
      closeSync(fd);
      return refusal('absent', 'does not exist');
    }
    return openForReading(fd, limits);
  }
}

/** `pathFd` only names the file and is closed. */
function openForReading(
  pathFd: number,
  limits: OpenLimits,
  which: 'files' | 'pipes too' = 'files',
): SafeFile | FileRefusal {
  try {
    const stat = fstatSync(pathFd);
    const why = which === 'pipes too' && stat.isFIFO() ? null : refusalFor(stat, limits);
    if (why !== null) return why;
    const path = hasDescriptorPaths ? `/proc/self/fd/${pathFd}` : `/dev/fd/${pathFd}`;
    return { fd: openSync(path, accessOf(limits) | O_NONBLOCK | O_NOCTTY), stat };
  } catch (error) {
    return refusalOf(error);
  } finally {
    closeSync(pathFd);
  }
}

/** Where there is no /proc: the last component is no link and is opened without blocking; the folders above it are trusted. */
function openWithoutDescriptors(
  root: string,
  path: string,
  links: 'refuse' | 'in root',
  limits: OpenLimits,
): SafeFile | FileRefusal {
  if (path.split('/').includes('..')) return refusal('link', 'leads out of its folder');
  if (links === 'in root') return refusal('failed', 'cannot be resolved without /proc');
  try {
    const flags = accessOf(limits) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    const fd = openSync(`${root}/${path}`, flags);
    const stat = fstatSync(fd);
    const why = refusalFor(stat, limits);
    if (why === null) return { fd, stat };
    closeSync(fd);
    return why;
  } catch (error) {
    return refusalOf(error);
  }
}

const accessOf = ({ write }: OpenLimits): number =>
  write === undefined ? O_RDONLY : write === 'append' ? O_RDWR | O_APPEND : O_RDWR;

/** null: it may be opened. */
function refusalFor(stat: Stats, { mostBytes, owners }: OpenLimits): FileRefusal | null {
  if (stat.isSymbolicLink()) return refusal('link', 'is a link');
  if (!stat.isFile()) return refusal('not-a-file', `is ${kindOf(stat)}`);
  if (stat.size > mostBytes) return refusal('too-big', `is larger than ${mostBytes} bytes`);
  if (owners !== undefined && !owners.includes(stat.uid))
    return refusal('owner', `belongs to user ${stat.uid}`);
  return null;
}

const refusal = (code: FileRefusal['code'], message: string): FileRefusal => ({ code, message });

const kindOf = (stat: Stats): string =>
  stat.isDirectory()
    ? 'a folder'
    : stat.isFIFO()
      ? 'a FIFO'
      : stat.isSocket()
        ? 'a socket'
        : stat.isSymbolicLink()
          ? 'a link'
          : 'a device';

function refusalOf(error: unknown): FileRefusal {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return refusal('absent', 'does not exist');
    case 'EACCES':
    case 'EPERM':
      return refusal('denied', 'may not be read');
    case 'ELOOP':
      return refusal('link', 'is a link');
    case 'EISDIR':
      return refusal('not-a-file', 'is a folder');
    default:
      return refusal('failed', `cannot be read: ${code ?? message}`);
  }
}
