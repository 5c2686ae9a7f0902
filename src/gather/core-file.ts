import { defined } from '../model/defined.ts';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  readSync,
  rmSync,
  rmdirSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFile } from '../files/held-folder.ts';
import { anySize, isFileRefusal, openNamed } from '../files/open-safely.ts';
import type { SourceReport } from '../model/report.ts';
import { readCore, type CoreInput, type CoreReading } from '../parsers/formats/core.ts';
import { filesElsewhere, type BinaryPlaces } from '../python/process/binary-places.ts';
import { compressionOf, decompress } from '../machine/decompress.ts';
import { fileChunks } from './file-chunks.ts';
import type { Prose } from '../model/prose.ts';

export interface CoreFileOptions {
  readonly pythonStacks?: NonNullable<CoreInput['pythonStacks']>;
  /** Where the files lie that the process had mapped. */
  readonly places?: BinaryPlaces;
  /** Where a compressed core is unpacked to; default: TMPDIR, else /var/tmp, which is seldom in memory. */
  readonly temporaryFolder?: string;
  /** Unpacked bytes that are looked at, and those of them that may be stored (zeros are not). */
  readonly maxUnpackedBytes?: number;
  readonly maxStoredBytes?: number;
}

interface OpenFile {
  readonly fd: number;
  readonly size: number;
}

/** Reads a core from disk. A compressed one is unpacked to a temporary sparse file, as far as there is room. */
export async function readCoreFile(
  path: string,
  name: string,
  options: CoreFileOptions = {},
): Promise<CoreReading> {
  const opened = openRegular(path);
  if ('status' in opened) return unread(name, opened);
  try {
    const compression = compressionOf(head(opened.fd));
    if (compression === null) return readOpened(opened, name, options);
    return await readCoreStream(
      decompress(compression, fileChunks(opened.fd, opened.size, 'fresh')),
      name,
      options,
    );
  } finally {
    closeSync(opened.fd);
  }
}

/** A core that comes as a stream: it must be read here and there, so it is kept in a temporary sparse file. */
export async function readCoreStream(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  options: CoreFileOptions = {},
): Promise<CoreReading> {
  const stored = await store(chunks, options);
  if ('status' in stored) return unread(name, stored);
  try {
    const reading = readOpened(stored, name, options);
    return stored.note === null
      ? reading
      : { ...reading, source: { ...reading.source, status: 'truncated', detail: stored.note } };
  } finally {
    closeSync(stored.fd);
  }
}

function readOpened(
  { fd, size }: OpenFile,
  name: string,
  { pythonStacks, places = {} }: CoreFileOptions,
): CoreReading {
  const libraries: number[] = [];
  const elsewhere: (() => void)[] = [];
  try {
    return readCore({
      name,
      size,
      readAt: readAt(fd),
      openFile: (mapped) => {
        // A core names what files it likes: only regular ones are opened, and of those only ELF objects are used.
        const file = openRegular(mapped);
        if ('status' in file) return null;
        libraries.push(file.fd);
        return { size: file.size, readAt: readAt(file.fd) };
      },
      elsewhere: function* (mapped, isExecutable) {
        for (const file of filesElsewhere(places, mapped, isExecutable)) {
          elsewhere.push(file.close);
          yield file;
        }
      },
      ...defined({ pythonStacks }),
    });
  } finally {
    for (const library of libraries) closeSync(library);
    for (const close of elsewhere) close();
  }
}

type Refusal = {
  readonly status: SourceReport['status'];
  readonly why: Prose;
  readonly command?: string;
};

function unread(name: string, { status, why, command }: Refusal): CoreReading {
  return {
    evidence: [],
    source: {
      id: 'core',
      place: name,
      status,
      detail: why,
      ...defined({ command }),
    },
  };
}

function openRegular(path: string): OpenFile | Refusal {
  const opened = openNamed(path, anySize);
  if (!isFileRefusal(opened)) return { fd: opened.fd, size: opened.stat.size };
  const { code, message } = opened;
  switch (code) {
    case 'denied':
      return {
        status: 'denied',
        why: 'permission denied',
        command: `sudo coroner diagnose ${path}`,
      };
    case 'absent':
      return { status: 'absent', why: 'there is no such file' };
    case 'not-a-file':
      return { status: 'malformed', why: 'it is no regular file' };
    case 'link':
    case 'too-big':
    case 'owner':
    case 'failed':
      return { status: 'malformed', why: `it ${message}` };
  }
}

function readAt(fd: number): CoreInput['readAt'] {
  return (offset, into) => {
    let done = 0;
    while (done < into.length) {
      let count: number;
      try {
        count = readSync(fd, into, done, into.length - done, offset + done);
      } catch {
        break;
      }
      if (count === 0) break;
      done += count;
    }
    return done;
  };
}

function head(fd: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const count = readAt(fd)(0, bytes);
  return bytes.subarray(0, count);
}

const blockBytes = 64 << 10;
const zeros = Buffer.alloc(blockBytes);

/**
 * Writes the stream to a file that has no name any more (so nothing is left behind however this ends), with holes
 * where there are only zeros. What does not fit is left out: a core that was cut short is read as far as it goes.
 */
async function store(
  chunks: AsyncIterable<Uint8Array>,
  {
    temporaryFolder,
    maxUnpackedBytes = 64 * 2 ** 30,
    maxStoredBytes = 16 * 2 ** 30,
  }: CoreFileOptions,
): Promise<(OpenFile & { readonly note: string | null }) | Refusal> {
  const parent = temporaryFolder ?? process.env['TMPDIR'] ?? writableOf('/var/tmp') ?? tmpdir();
  let fd: number;
  let freeBytes: number;
  try {
    const about = statfsSync(parent);
    // A tenth stays free: a full disk would harm more than this core can tell.
    freeBytes = about.bavail * about.bsize - about.blocks * about.bsize * 0.1;
    const folder = mkdtempSync(join(parent, 'coroner-core-'));
    const path = join(folder, 'core');
    try {
      fd = createFile(folder, 'core', 'anywhere');
      unlinkSync(path);
      rmdirSync(folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  } catch (error) {
    return {
      status: 'malformed',
      why: `there is no room for a copy of it in ${parent}: ${(error as Error).message}`,
      command: `TMPDIR=/a/large/folder coroner diagnose …`,
    };
  }
  let size = 0;
  let storedBytes = 0;
  let note: string | null = null;
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += blockBytes) {
        const block = chunk.subarray(at, at + blockBytes);
        if (!zeros.subarray(0, block.length).equals(block)) {
          storedBytes += block.length;
          if (storedBytes > Math.min(maxStoredBytes, freeBytes)) {
            note = `only its first ${size} bytes were unpacked: there is no more room in ${parent}`;
            break;
          }
          writeSync(fd, block, 0, block.length, size);
        }
        size += block.length;
      }
      if (note !== null) break;
      if (size > maxUnpackedBytes) {
        note = `only its first ${size} bytes were unpacked: it is larger than any core should be`;
        break;
      }
    }
  } catch (error) {
    // Half a compressed core is still the first half of a core.
    note = `only its first ${size} bytes could be unpacked: ${(error as Error).message}`;
  }
  ftruncateSync(fd, size);
  return { fd, size, note };
}

function writableOf(folder: string): string | null {
  try {
    return statfsSync(folder).bavail > 0 ? folder : null;
  } catch {
    return null;
  }
}
