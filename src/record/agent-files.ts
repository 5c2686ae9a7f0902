/**
 * The agent's files as the recorder keeps them: ready before a process needs one, and trimmed afterwards.
 *
 * A process may not be allowed to make a file of 3.9 MB (`ulimit -f` ends it by a signal), and which processes there will be
 * is not known before. So some files of full size lie ready in the folder, sparse; the agent of such a process counts one as taken in
 * `tree` and renames it. It reserves room on the disk for all of it, most of which is never written: that is given back at the end.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createFile } from '../files/held-folder.ts';
import { isFileRefusal, openBelow } from '../files/open-safely.ts';
import { textOf } from '../machine/read.ts';
import { compacted } from './compact-agent-file.ts';

/** sizeof(struct coroner_file) in agent/layout.h */
export const agentFileBytes = 3_901_440;
/** Offsets in struct coroner_tree. */
const sparesMadeOffset = 20;
const sparesTakenOffset = 24;
/** An agent that takes one more gives it back, or makes none. A number that no honest tree of processes reaches. */
const mostEver = 100_000;

/** Files that lie ready in an agent's folder. */
export class SpareFiles {
  readonly #folder: string;
  #made = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Sees to it that `wanted` files are ready. Throws where the folder cannot be written to. Makes none any more where the processes
   * have put something else in place of `tree`.
   */
  fill(wanted: number): void {
    if (!mayMakeThem()) return;
    const opened = openBelow(this.#folder, 'tree', { mostBytes: 1 << 20, write: true });
    if (isFileRefusal(opened)) return;
    const tree = opened.fd;
    try {
      const count = Buffer.alloc(4);
      readSync(tree, count, 0, 4, sparesTakenOffset);
      // What the processes write there is theirs to say.
      const taken = Math.min(count.readUInt32LE(), this.#made);
      const until = Math.min(taken + wanted, mostEver);
      if (until <= this.#made) return;
      for (; this.#made < until; this.#made += 1) makeSparse(this.#folder, `${this.#made}.spare`);
      // Counted when they are there.
      count.writeUInt32LE(this.#made);
      writeSync(tree, count, 0, 4, sparesMadeOffset);
    } finally {
      closeSync(tree);
    }
  }

  /** Takes away what nobody has taken. */
  clear(): void {
    for (const name of readdirSync(this.#folder)) {
      if (!/^\d+\.spare$/.test(name)) continue;
      try {
        // Not rmSync(), which looks at each twice before.
        unlinkSync(join(this.#folder, name));
      } catch {
        // A survivor has just taken it.
      }
    }
  }
}

let allowed: boolean | undefined;
/** The recorder's own limit would end it in the same way. */
function mayMakeThem(): boolean {
  if (allowed === undefined) {
    const [, soft] =
      /^Max file size +(\d+|unlimited)/m.exec(textOf('/proc/self/limits') ?? '') ?? [];
    allowed = soft === 'unlimited' || Number(soft ?? 0) >= agentFileBytes;
  }
  return allowed;
}

function makeSparse(folder: string, name: string): void {
  const fd = createFile(folder, name, 'anywhere');
  try {
    ftruncateSync(fd, agentFileBytes);
  } finally {
    closeSync(fd);
  }
}

const pageBytes = 4096;
const emptyPage = Buffer.alloc(pageBytes);

/**
 * Gives the disk back the room that a file's process reserved and did not use. What its reader finds in it is the same; a file that
 * is not understood keeps its length and every byte.
 */
export function trimAgentFile(folder: string, name: string): void {
  const opened = openBelow(folder, name, { mostBytes: agentFileBytes });
  if (isFileRefusal(opened)) return;
  const trimmed = `${name}.trimmed`;
  let made = false;
  try {
    const { size, blocks } = fstatSync(opened.fd);
    if (size !== agentFileBytes) return;
    const used = compacted(opened.fd, size);
    const bytes = used ?? Buffer.alloc(size);
    if (used === null && (blocks * 512 < size || readSync(opened.fd, bytes, 0, size, 0) !== size))
      return;
    const to = createFile(folder, trimmed, 'anywhere');
    made = true;
    try {
      ftruncateSync(to, bytes.length);
      for (const [start, end] of writtenRanges(bytes))
        writeSync(to, bytes, start, end - start, start);
    } finally {
      closeSync(to);
    }
    renameSync(join(folder, trimmed), join(folder, name));
  } finally {
    closeSync(opened.fd);
    if (made) rmSync(join(folder, trimmed), { force: true });
  }
}

/** Stretches of pages that are not all zero, in bytes. */
function* writtenRanges(bytes: Buffer): Generator<readonly [number, number]> {
  let start: number | null = null;
  for (let at = 0; at < bytes.length; at += pageBytes) {
    const end = Math.min(at + pageBytes, bytes.length);
    const isEmpty = bytes.compare(emptyPage, 0, end - at, at, end) === 0;
    if (isEmpty && start !== null) {
      yield [start, at];
      start = null;
    } else if (!isEmpty) start ??= at;
  }
  if (start !== null) yield [start, bytes.length];
}
