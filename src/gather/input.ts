import { closeSync, readSync } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  anySize,
  isFileRefusal,
  openNamed,
  openNamedOrPipe,
  type FileRefusal,
  type SafeFile,
} from '../files/open-safely.ts';
import { CannotDecompress, compressionOf, decompress } from '../machine/decompress.ts';
import { fileChunks } from './file-chunks.ts';
import type { Prose } from '../model/prose.ts';

/** What stands behind a name that a user gave. */
export type OpenedInput =
  | {
      readonly kind: 'bytes';
      readonly chunks: AsyncIterable<Uint8Array>;
      readonly bytes?: number;
      /** When the file was last written, ms since 1970. */
      readonly writtenMs?: number;
    }
  | { readonly kind: 'core'; readonly path: string; readonly compressed: boolean }
  /** A core that comes through a pipe (`coredumpctl dump | coroner diagnose -`). */
  | { readonly kind: 'core-stream'; readonly chunks: AsyncIterable<Uint8Array> }
  | { readonly kind: 'incident-folder'; readonly path: string }
  | { readonly kind: 'folder'; readonly files: readonly string[]; readonly leftOut: number }
  | Unreadable;

/** An input that cannot be read: a fact to tell, with what would help. */
export interface Unreadable {
  readonly kind: 'unreadable';
  readonly status: 'absent' | 'denied' | 'malformed';
  readonly why: Prose;
  readonly command?: string;
}

const maxFiles = 10_000;
const maxDepth = 12;

/**
 * Opens a file, a folder, a FIFO; never blocks on a FIFO that nobody writes, never reads an endless device, and opens no other one.
 * `found in a folder`: nobody named it, and since the folder was listed it may have become anything: only a file or an incident folder
 * is opened.
 */
export async function openInput(
  path: string,
  how: 'named' | 'found in a folder' = 'named',
): Promise<OpenedInput> {
  try {
    if ((await stat(path)).isDirectory()) {
      const folder = await openFolder(path, how);
      return folder ?? { kind: 'unreadable', status: 'malformed', why: 'it is a folder now' };
    }
    if (path === '/dev/null') return { kind: 'bytes', chunks: emptyChunks() };
    const opened = how === 'named' ? openNamedOrPipe(path, anySize) : openNamed(path, anySize);
    if (isFileRefusal(opened)) return refused(opened);
    if (opened.stat.isFIFO()) return await openStream(readPipe(opened.fd));
    const { mtimeMs } = opened.stat;
    const file = await openFile(path, opened);
    return file.kind === 'bytes' ? { ...file, writtenMs: mtimeMs } : file;
  } catch (error) {
    return unreadable(error);
  }
}

function refused({ code, message }: FileRefusal): Unreadable {
  switch (code) {
    case 'absent':
      return { kind: 'unreadable', status: 'absent', why: 'there is no such file' };
    case 'denied':
      return { kind: 'unreadable', status: 'denied', why: 'permission denied' };
    case 'not-a-file':
      return {
        kind: 'unreadable',
        status: 'malformed',
        why: `it ${message}, not a file`,
        command: 'coroner diagnose, without arguments, reads the logs of this machine',
      };
    case 'link':
    case 'too-big':
    case 'owner':
    case 'failed':
      return { kind: 'unreadable', status: 'malformed', why: `it ${message}` };
  }
}

/** Standard input, or any stream, unpacked where it is compressed. */
export async function openStream(stream: AsyncIterable<Uint8Array>): Promise<OpenedInput> {
  const iterator = stream[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < 6) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    first.push(value);
    length += value.length;
  }
  const chunks = (async function* () {
    yield* first;
    for (;;) {
      const { value, done } = await iterator.next();
      if (done === true) return;
      yield value;
    }
  })();
  const head = Buffer.concat(first).subarray(0, 6);
  if (isElf(head)) return { kind: 'core-stream', chunks };
  return { kind: 'bytes', chunks: unpacked(head, chunks) };
}

/** Closes what it is given: what comes of it opens the file when it is read. */
async function openFile(path: string, { fd, stat: { size } }: SafeFile): Promise<OpenedInput> {
  const head = Buffer.alloc(8);
  try {
    readSync(fd, head, 0, 8, 0);
  } finally {
    closeSync(fd);
  }
  if (isElf(head)) return { kind: 'core', path, compressed: false };
  const compression = compressionOf(head);
  if (compression === null) return { kind: 'bytes', chunks: readFile(path, 'two'), bytes: size };
  // An unpacker keeps what it was given for a while: buffers that are used again would change under it.
  const inner = decompress(compression, readFile(path, 'fresh'))[Symbol.asyncIterator]();
  const { value, done } = await inner.next();
  if (done !== true && isElf(value)) {
    await inner.return(undefined);
    return { kind: 'core', path, compressed: true };
  }
  const rest = (async function* () {
    if (done === true) return;
    yield value;
    yield* inner;
  })();
  return { kind: 'bytes', chunks: guarded(() => size, rest) };
}

async function* readFile(path: string, buffers: 'two' | 'fresh'): AsyncGenerator<Uint8Array> {
  const opened = openNamed(path, anySize);
  if (isFileRefusal(opened)) throw new Error(`it ${opened.message}`);
  try {
    yield* fileChunks(opened.fd, opened.stat.size, buffers);
  } finally {
    closeSync(opened.fd);
  }
}

/** How long a FIFO may have no writer before it is taken for one that nobody writes. */
const patienceMs = 2000;

/**
 * A FIFO that was opened without blocking: process substitution (`<(dmesg)`) has a writer and works,
 * a FIFO that nobody writes ends after a moment instead of hanging. Closes it.
 */
async function* readPipe(fd: number): AsyncGenerator<Uint8Array> {
  try {
    const startedMs = Date.now();
    let hasWriter = false;
    for (;;) {
      const buffer = Buffer.allocUnsafe(64 * 1024);
      let count: number;
      try {
        count = readSync(fd, buffer);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        hasWriter = true;
        await sleep(5);
        continue;
      }
      if (count > 0) {
        hasWriter = true;
        yield buffer.subarray(0, count);
      } else if (hasWriter || Date.now() - startedMs > patienceMs) return;
      else await sleep(20);
    }
  } finally {
    closeSync(fd);
  }
}

/** null: it is no incident folder, and nobody named it. */
async function openFolder(
  path: string,
  how: 'named' | 'found in a folder',
): Promise<OpenedInput | null> {
  const names = await readdir(path);
  if (names.includes('incident.json')) return { kind: 'incident-folder', path };
  if (how === 'found in a folder') return null;
  const files: string[] = [];
  let leftOut = 0;
  const seen = new Set<string>([await realpath(path)]);
  const walk = async (folder: string, depth: number): Promise<void> => {
    for (const entry of (await readdir(folder)).sort()) {
      const inside = join(folder, entry);
      const about = await stat(inside).catch(() => null);
      if (about?.isFile() === true) {
        if (files.length < maxFiles) files.push(inside);
        else leftOut += 1;
      } else if (about?.isDirectory() === true && depth < maxDepth) {
        // A link back to a folder that was seen would never end.
        const real = await realpath(inside).catch(() => inside);
        if (seen.has(real)) continue;
        seen.add(real);
        // An incident folder among other things is read as one, not as so many logs.
        if ((await readdir(inside).catch((): string[] => [])).includes('incident.json')) {
          files.push(inside);
          continue;
        }
        await walk(inside, depth + 1).catch(() => {
          leftOut += 1;
        });
      } else if (about === null && (await lstat(inside).catch(() => null)) !== null) leftOut += 1;
    }
  };
  await walk(path, 0);
  return { kind: 'folder', files, leftOut };
}

const isElf = (head: Uint8Array): boolean =>
  head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;

async function* unpacked(
  head: Uint8Array,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const compression = compressionOf(head);
  if (compression === null) return yield* chunks;
  let packedBytes = 0;
  const counted = (async function* () {
    for await (const chunk of chunks) {
      packedBytes += chunk.length;
      yield chunk;
    }
  })();
  yield* guarded(() => packedBytes, decompress(compression, counted));
}

/** Logs shrink by 5 to 50, a storm of equal lines by 200: what grows by more than 500 beyond 1 GiB is a bomb. */
const maxRatio = 500;
const bombBytes = 1 << 30;

async function* guarded(
  packedBytes: () => number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > bombBytes && bytes > packedBytes() * maxRatio)
      throw new CannotDecompress(
        `it unpacks to more than ${maxRatio} times its size: reading stopped after ${bytes} bytes`,
      );
    yield chunk;
  }
}

async function* emptyChunks(): AsyncGenerator<Uint8Array> {}

export function unreadable(error: unknown): Unreadable {
  if (error instanceof CannotDecompress)
    return {
      kind: 'unreadable',
      status: 'malformed',
      why: error.message,
      ...(error.command === null ? {} : { command: error.command }),
    };
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return { kind: 'unreadable', status: 'absent', why: 'there is no such file' };
  if (code === 'EACCES' || code === 'EPERM')
    return { kind: 'unreadable', status: 'denied', why: 'permission denied' };
  return { kind: 'unreadable', status: 'malformed', why: message };
}
