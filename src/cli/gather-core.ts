import { closeSync, openSync, readSync, fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStream } from '../machine/read-input.ts';
import type { Gathered } from '../model/gathered.ts';
import { readCore } from '../parsers/core.ts';

/** A core file straight from disk, in bounded memory. */
export function gatherCore(path: string, name: string): Gathered {
  const fd = openSync(path, 'r');
  try {
    const { evidence, source } = readCore({
      name,
      size: fstatSync(fd).size,
      readAt: (offset, into) => {
        try {
          return readSync(fd, into, 0, into.length, offset);
        } catch {
          return 0;
        }
      },
    });
    return { evidence, sources: [source] };
  } finally {
    closeSync(fd);
  }
}

/** A core must be read here and there: a compressed one is unpacked to a temporary file first. */
export async function gatherCompressedCore(path: string, name: string): Promise<Gathered> {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-core-'));
  const unpacked = join(folder, 'core');
  try {
    const packed = await open(path);
    const opened = await openStream(packed.createReadStream({ highWaterMark: 1 << 20 }));
    if (opened.kind !== 'bytes') throw new Error('a stream is always bytes');
    const out = await open(unpacked, 'wx', 0o600);
    try {
      for await (const chunk of opened.chunks) await out.write(chunk);
    } finally {
      await out.close();
    }
    return gatherCore(unpacked, name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
