import { read } from 'node:fs';

const chunkBytes = 1 << 18;
/** Files of /proc and /sys have no size, and some of them no end. */
const mostOfUnsized = 64 << 20;

interface Part {
  readonly bytes: Buffer;
  readonly error: Error | null;
}

/**
 * A file from its start, as far as it went when it was opened: one that is written to faster than it is read would never end.
 * `buffers`: `two` that are used again and again, for a reader to whom a chunk is only good until the next is asked for; or `fresh` ones.
 * The caller closes `fd`, once the iteration has ended.
 */
export async function* fileChunks(
  fd: number,
  size: number,
  buffers: 'two' | 'fresh',
): AsyncGenerator<Uint8Array> {
  const end = size === 0 ? mostOfUnsized : size;
  const two =
    buffers === 'two'
      ? [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)]
      : [];
  let turn = 0;
  const bufferFor = (bytes: number): Buffer => {
    turn = 1 - turn;
    return (two[turn] ?? Buffer.allocUnsafeSlow(bytes)).subarray(0, bytes);
  };
  const readFrom = (at: number) => readPart(fd, at, bufferFor(Math.min(chunkBytes, end - at)));
  // Reads on while the chunk before is worked on.
  let next = readFrom(0);
  for (let at = 0; at < end;) {
    const { bytes, error } = await next;
    if (error !== null) throw error;
    if (bytes.length === 0) return;
    at += bytes.length;
    next = readFrom(at);
    try {
      yield bytes;
    } finally {
      // Nobody closes what is being read from.
      await next;
    }
  }
}

const readPart = (fd: number, at: number, into: Buffer): Promise<Part> =>
  new Promise((resolve) => {
    if (into.length === 0) resolve({ bytes: into, error: null });
    else
      read(fd, into, 0, into.length, at, (error, count) =>
        resolve({ bytes: into.subarray(0, count ?? 0), error }),
      );
  });
