import { closeSync, constants, openSync, readSync } from 'node:fs';

/** Bytes that nobody can guess. node:crypto takes milliseconds to load, for which every command that is run would wait. */
export function unguessable(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  try {
    const fd = openSync('/dev/urandom', constants.O_RDONLY);
    try {
      if (readSync(fd, bytes, 0, count, null) === count) return bytes;
    } finally {
      closeSync(fd);
    }
  } catch {
    // No such device in this container or system.
  }
  return process.getBuiltinModule('node:crypto').randomBytes(count);
}
