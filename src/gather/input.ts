import { closeSync, constants, createReadStream, openSync, readSync } from 'node:fs';
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CannotDecompress, compressionOf, decompress } from '../machine/decompress.ts';

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
  readonly why: string;
  readonly command?: string;
}

const chunkBytes = 1 << 18;
const maxFiles = 10_000;
const maxDepth = 12;

/** Opens a file, a folder, a FIFO; never blocks on a FIFO that nobody writes, never reads an endless device. */
export async function openInput(path: string): Promise<OpenedInput> {
  try {
    const about = await stat(path);
    if (about.isDirectory()) return await openFolder(path);
    if (about.isFIFO()) return await openPipe(path);
    if (about.isFile()) {
      const opened = await openFile(path, about.size);
      return opened.kind === 'bytes' ? { ...opened, writtenMs: about.mtimeMs } : opened;
    }
    if (path === '/dev/null') return { kind: 'bytes', chunks: emptyChunks() };
    return {
      kind: 'unreadable',
      status: 'malformed',
      why: `it is a ${about.isSocket() ? 'socket' : 'device'}, not a file`,
      command: 'coroner diagnose, without arguments, reads the logs of this machine',
    };
  } catch (error) {
    return unreadable(error);
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

async function openFile(path: string, bytes: number): Promise<OpenedInput> {
  const handle = await open(path, constants.O_RDONLY);
  const head = Buffer.alloc(8);
  try {
    await handle.read(head, 0, 8, 0);
  } finally {
    await handle.close();
  }
  if (isElf(head)) return { kind: 'core', path, compressed: false };
  const compression = compressionOf(head);
  if (compression === null) return { kind: 'bytes', chunks: readFile(path), bytes };
  // An unpacker keeps what it was given for a while: buffers that are used again would change under it.
  const packed = createReadStream(path, { highWaterMark: chunkBytes });
  const inner = decompress(compression, packed)[Symbol.asyncIterator]();
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
  return { kind: 'bytes', chunks: guarded(() => bytes, rest) };
}

/**
 * Reads on while the chunk before is worked on, in two buffers that are used again and again: memory stays small,
 * and a chunk is only good until the next is asked for.
 */
async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const buffers = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)];
    let turn = 0;
    let next = handle.read(buffers[0] as Buffer, 0, chunkBytes, null);
    for (;;) {
      const buffer = buffers[turn] as Buffer;
      const { bytesRead } = await next;
      if (bytesRead === 0) return;
      turn = 1 - turn;
      next = handle.read(buffers[turn] as Buffer, 0, chunkBytes, null);
      // Left alone when the reader goes away early; its failure is told by the next turn.
      next.catch(() => {});
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** How long a FIFO may have no writer before it is taken for one that nobody writes. */
const patienceMs = 2000;

/**
 * A FIFO is opened without blocking: process substitution (`<(dmesg)`) has a writer and works,
 * a FIFO that nobody writes ends after a moment instead of hanging.
 */
const openPipe = (path: string): Promise<OpenedInput> => openStream(readPipe(path));

async function* readPipe(path: string): AsyncGenerator<Uint8Array> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
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

async function openFolder(path: string): Promise<OpenedInput> {
  const names = await readdir(path);
  if (names.includes('incident.json')) return { kind: 'incident-folder', path };
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
