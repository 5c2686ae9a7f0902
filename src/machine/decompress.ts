import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';

/** Compressions recognised by their first bytes, as they lie in /var/log and /var/lib/systemd/coredump. */
export type Compression = 'gzip' | 'zstd' | 'xz' | 'lz4' | 'bzip2';

const magics: readonly [Compression, readonly number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

export const compressionOf = (head: Uint8Array): Compression | null =>
  magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte))?.[0] ?? null;

/** What could not be unpacked, in words a person can act on. */
export class CannotDecompress extends Error {
  readonly command: string | null;

  constructor(message: string, command: string | null = null) {
    super(message);
    this.command = command;
  }
}

/**
 * Unpacks a stream. gzip and (from Node 22.15 on) zstd are Node's own; the others go through the system's
 * command, which every machine has that writes such files.
 */
export async function* decompress(
  compression: Compression,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (compression === 'gzip') return yield* through(chunks, zlib.createGunzip());
  if (compression === 'zstd') {
    const native = (zlib as { createZstdDecompress?: () => NodeJS.ReadWriteStream })
      .createZstdDecompress;
    if (native !== undefined) return yield* through(chunks, native());
    // systemd-coredump writes zstd with its library: the command need not be there.
    if (!isInstalled('zstd')) return yield* zstdInScript(chunks);
  }
  yield* throughCommand(chunks, compression);
}

const isInstalled = (command: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)));

/** Slower than the command by far, and needs nothing. */
async function* zstdInScript(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd');
  const unpacked: Uint8Array[] = [];
  let ended = false;
  const unpacker = new Decompress((chunk, final) => {
    unpacked.push(chunk);
    ended ||= final === true;
  });
  try {
    for await (const chunk of chunks) {
      unpacker.push(chunk);
      yield* unpacked.splice(0);
    }
    unpacker.push(new Uint8Array(0), true);
  } catch (error) {
    throw new CannotDecompress(`the compressed data is damaged (${wordsOf(error)})`);
  }
  yield* unpacked;
  if (!ended) throw new CannotDecompress('the compressed data is damaged (it ends too early)');
}

async function* through(
  chunks: AsyncIterable<Uint8Array>,
  unpacker: NodeJS.ReadWriteStream,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks);
  source.on('error', (error) => (unpacker as unknown as Readable).destroy(error));
  source.pipe(unpacker);
  try {
    for await (const chunk of unpacker) yield chunk as unknown as Uint8Array;
  } catch (error) {
    throw new CannotDecompress(`the compressed data is damaged (${wordsOf(error)})`);
  } finally {
    source.destroy();
  }
}

async function* throughCommand(
  chunks: AsyncIterable<Uint8Array>,
  command: Exclude<Compression, 'gzip'>,
): AsyncGenerator<Uint8Array> {
  const child = spawn(command, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => {
    complaint = (complaint + String(data)).slice(0, 200);
  });
  const ended = new Promise<number | null | Error>((resolve) => {
    child.on('error', resolve);
    child.on('close', resolve);
  });
  child.stdin.on('error', () => {});
  const source = Readable.from(chunks);
  source.on('error', () => child.stdin.end());
  source.pipe(child.stdin);
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const status = await ended;
    if (status instanceof Error)
      throw new CannotDecompress(
        `it is compressed with ${command}, and there is no command \`${command}\` here to unpack it`,
        `apt-get install ${command === 'xz' ? 'xz-utils' : command}`,
      );
    if (status !== 0)
      throw new CannotDecompress(`the compressed data is damaged (${complaint.trim()})`);
  } finally {
    source.destroy();
    child.kill();
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
