/**
 * How much the store may hold, and how its folders go. What each folder takes on the disk is noted once, in `sizes` beside the folders,
 * so that the end of a run reads one file and a list of names, however many incidents there are.
 */
import { closeSync, lstatSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createFile, removeFolder, replaceFile } from '../files/held-folder.ts';
import { isFileRefusal, openBelow, readBelow } from '../files/open-safely.ts';
import { parseSize } from '../model/units.ts';
import { listIncidentFolders, readEnd, readStart } from './incidents.ts';

/** Bytes that the files of an incident folder take on the disk. What cannot be read counts as nothing. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      try {
        bytes += lstatSync(join(entry.parentPath, entry.name)).blocks * 512;
      } catch {
        // Gone meanwhile.
      }
    }
  } catch {
    // Not ours to read.
  }
  return bytes;
}

/** Whether it is gone now. */
export function removeIncident(folder: string): boolean {
  try {
    removeFolder(folder);
    return true;
  } catch {
    return false;
  }
}

/** Of folders, the newest first: those that must go so that the rest holds at most `mostBytes`. The newest always stays. */
export function beyondSize(
  folders: readonly string[],
  mostBytes: number,
  bytesOf: (folder: string) => number = folderBytes,
): readonly string[] {
  let bytes = 0;
  return folders.filter((folder, index) => {
    bytes += bytesOf(folder);
    return index > 0 && bytes > mostBytes;
  });
}

export interface StoreLimits {
  readonly incidents: number;
  readonly bytes: number;
}
export const defaultStoreLimits: StoreLimits = { incidents: 200, bytes: 500 * 2 ** 20 };

/** `CORONER_STORE_MAX`: `2G`, `2G,1000` (bytes, incidents) or `none`. null: it says nothing of the kind. */
export function parseStoreLimits(text: string | undefined): StoreLimits | null {
  if (text === undefined || text === '') return defaultStoreLimits;
  if (text === 'none') return { incidents: Infinity, bytes: Infinity };
  const [, size = '', count] = /^([^,]+)(?:,(\d{1,6}))?$/.exec(text) ?? [];
  const bytes = parseSize(size);
  if (bytes === null) return null;
  return { bytes, incidents: count === undefined ? defaultStoreLimits.incidents : Number(count) };
}

/** What one call does at most: it stands between a command's end and its exit status. The rest is left to the next run. */
const mostMeasured = 32;
const mostRemoved = 64;

/** Of the limits, what is left of a store that was beyond one: not every run of a full store shall remove something. */
const keptShare = 0.9;

/**
 * Removes the oldest incidents of a store beyond its limits, until it is well within them, never one that is still written, and never the newest. `own` is the folder of the run
 * that has just ended: its size is noted anew.
 */
export function keepWithin(root: string, limits: StoreLimits, own: string | null): void {
  const folders = listIncidentFolders(root);
  if (folders.length === 0) return;
  const noted = readSizes(root);
  const lines = noted.lines;
  const added = new Map<string, number>();
  let left = mostMeasured;
  const bytesOf = (folder: string): number => {
    const id = basename(folder);
    const known = folder === own ? undefined : noted.sizes.get(id);
    if (known !== undefined) return known;
    if (left === 0) return 0;
    left -= 1;
    const bytes = folderBytes(folder);
    if (folder === own || !isBeingWritten(folder)) added.set(id, bytes);
    return bytes;
  };
  // Own first: of many that are not known yet it is the one that must be noted.
  if (own !== null && folders.includes(own)) bytesOf(own);
  const beyond = ({ incidents, bytes }: StoreLimits): readonly string[] => [
    ...folders.slice(Math.max(1, incidents)),
    ...beyondSize(folders, bytes, (folder) => added.get(basename(folder)) ?? bytesOf(folder)),
  ];
  const kept = {
    incidents: Math.floor(limits.incidents * keptShare),
    bytes: limits.bytes * keptShare,
  };
  const going = beyond(limits).length === 0 ? [] : [...new Set(beyond(kept))].toSorted();
  let removed = 0;
  for (const folder of going) {
    if (removed === mostRemoved) break;
    if (folder === own || isBeingWritten(folder)) continue;
    if (removeIncident(folder)) removed += 1;
  }
  if (lines + added.size > 2 * folders.length + 100)
    rewriteSizes(root, folders, new Map([...noted.sizes, ...added]));
  else appendSizes(root, added);
}

/** A recorder that is starting has made its folder and not yet its `incident.json`. */
const startingMs = 86_400_000;
const judgingMs = 600_000;

/** Whether its recorder, or a process of the run that outlived it, may still write there. Who cannot tell keeps the folder. */
export function isBeingWritten(folder: string): boolean {
  const start = readStart(folder);
  if (start === null) return ageMs(folder) < startingMs;
  const end = readEnd(folder);
  if (end?.survivors?.some(isAlive) === true) return true;
  // After the end there is only the report to write. Its pid may be another process's by now, and is in every container.
  if (end?.endedAt != null && Date.now() - Date.parse(end.endedAt) > judgingMs) return false;
  return start.recorderPid === undefined ? end === null : isAlive(start.recorderPid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function ageMs(folder: string): number {
  try {
    return Date.now() - lstatSync(folder).mtimeMs;
  } catch {
    return 0;
  }
}

/** `<id> <bytes>` a line, appended; the last line of an id counts. */
const sizesFile = 'sizes';
const largestSizesBytes = 2 ** 20;

function readSizes(root: string): {
  readonly sizes: ReadonlyMap<string, number>;
  readonly lines: number;
} {
  const bytes = readBelow(root, sizesFile, { mostBytes: largestSizesBytes });
  const lines = isFileRefusal(bytes) ? [] : bytes.toString('latin1').split('\n');
  const sizes = new Map<string, number>();
  for (const line of lines) {
    const [, id, size] = /^(\d{8}-\d{6}-[0-9a-f]{6}) (\d{1,15})$/.exec(line) ?? [];
    if (id !== undefined) sizes.set(id, Number(size));
  }
  return { sizes, lines: lines.length };
}

const linesOf = (sizes: ReadonlyMap<string, number>): string =>
  [...sizes].map(([id, bytes]) => `${id} ${bytes}\n`).join('');

/** What is no plain file of ours stays as it is, and so does a store that cannot be written to: every folder is measured again. */
function appendSizes(root: string, sizes: ReadonlyMap<string, number>): void {
  if (sizes.size === 0) return;
  try {
    const fd = openToAppend(root);
    if (fd === null) return;
    try {
      writeSync(fd, linesOf(sizes));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Nothing was recorded there either.
  }
}

function openToAppend(root: string): number | null {
  const opened = openBelow(root, sizesFile, { mostBytes: largestSizesBytes, write: 'append' });
  if (!isFileRefusal(opened)) return opened.fd;
  return opened.code === 'absent' ? createFile(root, sizesFile) : null;
}

/** What another run appends in this very moment is lost, and measured again by the next one. */
function rewriteSizes(
  root: string,
  folders: readonly string[],
  sizes: ReadonlyMap<string, number>,
): void {
  const ids = new Set(folders.map((folder) => basename(folder)));
  const fresh = `${sizesFile}.${process.pid}`;
  const kept = new Map([...sizes].filter(([id]) => ids.has(id)));
  try {
    replaceFile(root, fresh, linesOf(kept));
    renameSync(join(root, fresh), join(root, sizesFile));
  } catch {
    rmSync(join(root, fresh), { force: true });
  }
}
