import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** A file of /proc or a cgroup: its text, or why there is none. */
export type Reading = { readonly text: string } | { readonly error: string };

/** Reads a small file; errors are values (`ENOENT`, `EACCES`, `ESRCH`, …). */
export function readText(path: string): Reading {
  try {
    return { text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code ?? 'EIO' };
  }
}

export function textOf(path: string): string | null {
  const reading = readText(path);
  return 'text' in reading ? reading.text : null;
}

/** First integer of a file, null where unreadable; `max` and the kernel's "no limit" are the caller's. */
export function numberOf(path: string): number | null {
  const text = textOf(path);
  if (text === null) return null;
  const value = Number.parseInt(text, 10);
  return Number.isFinite(value) ? value : null;
}

const scratch = Buffer.allocUnsafe(64 * 1024);

/**
 * A file of the kernel that is read again and again through one kept descriptor: a third of the cost of opening it
 * each time, and it goes on answering for the same process although its pid has been given away.
 */
export class KeptFile {
  readonly path: string;
  #fd: number | null;

  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'r');
  }

  /** null when it is gone. At most 64 KiB. */
  read(): string | null {
    if (this.#fd === null) return null;
    try {
      const length = readSync(this.#fd, scratch, 0, scratch.length, 0);
      return scratch.toString('utf8', 0, length);
    } catch {
      return null;
    }
  }

  close(): void {
    if (this.#fd === null) return;
    try {
      closeSync(this.#fd);
    } catch {
      // Nothing can be done about a descriptor that will not close.
    }
    this.#fd = null;
  }
}

export function keep(path: string): KeptFile | null {
  try {
    return new KeptFile(path);
  } catch {
    return null;
  }
}
