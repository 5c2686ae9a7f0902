import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  createFile,
  makeHeldFolder,
  othersMayRename,
  type HeldFolder,
} from '../files/held-folder.ts';
import { isFileRefusal, readBelow, type FileRefusal } from '../files/open-safely.ts';
import { unguessable } from '../files/random.ts';
import type { IncidentEnd, IncidentStart } from '../model/incident-folder.ts';
import { isoTime } from '../model/units.ts';
import { isSame, RunningSum, sumOf, type Sum } from './checksum.ts';
import { parseEnd, parseStart } from './recorded-lines.ts';

/** `${XDG_STATE_HOME:-~/.local/state}/coroner`: where incident folders lie unless `--output` says otherwise. */
export function storeRoot(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const state = env['XDG_STATE_HOME'];
  // The specification has relative paths ignored.
  return join(
    state !== undefined && state.startsWith('/') ? state : join(homedir(), '.local', 'state'),
    'coroner',
  );
}

/** `20260131-120000-4f2a9c`: sorts by time, cannot be guessed. */
export function newIncidentId(now: Date): string {
  const [date = '', time = ''] = (isoTime(now.getTime()) ?? '1970-01-01T00:00:00Z').split('T');
  return `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}-${unguessable(3).toString('hex')}`;
}

export const isIncidentId = (name: string): boolean => /^\d{8}-\d{6}-[0-9a-f]{6}$/.test(name);

/** What a file keeps in memory once the disk refuses it. */
const memoryBudgetBytes = 4 * 2 ** 20;

/**
 * An incident folder being written. Nothing here throws after `openIncident`: a full disk or a vanished folder is noted once,
 * what follows is kept in memory as far as it fits, and the command never learns of it.
 */
export interface IncidentWriter {
  readonly id: string;
  /** Its name, for people. null: no folder could be made. */
  readonly folder: string | null;
  /** What the recorder itself uses in place of the name, which may come to stand for another folder. null: as `folder`. */
  readonly held: string | null;
  /** What the command is told: the name, unless somebody who is neither root nor this user could change what it stands for. */
  readonly told: string | null;
  readonly append: (file: IncidentFile, text: string) => void;
  /** Bytes appended so far. */
  readonly size: (file: IncidentFile) => number;
  /**
   * What was appended, also when the folder has vanished meanwhile. Of what others are witnesses of (the kernel, the guards) a copy in
   * memory: the command may write into the folder. undefined: nothing was appended.
   */
  readonly text: (file: IncidentFile) => string | undefined;
  /** Sums of what was appended, by file. */
  readonly sums: () => Readonly<Record<string, Sum>>;
  /** Faults of the disk, in words. */
  readonly faults: () => readonly string[];
  readonly close: () => void;
}

export const incidentFiles = [
  'incident.json',
  'samples.ndjson',
  'events.ndjson',
  'kernel.log',
  'guards.log',
  'stderr.tail',
  'end.json',
  'sources.json',
  'report.json',
  'faults.log',
] as const;
export type IncidentFile = (typeof incidentFiles)[number];

interface OpenFile {
  fd: number | null;
  memory: string;
  size: number;
  /** null: none is kept, or it was too large. */
  copy: string | null;
  readonly sum: RunningSum;
}
/** They say who killed: the command may not have a say in them. Mostly empty. */
const copied: ReadonlySet<IncidentFile> = new Set(['kernel.log', 'guards.log']);

/** As mkdir -p does. Node's own `recursive` never returns where a parent exists and refuses with ENOENT, as /proc does (Node 20). */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolders(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

export function openIncident(parent: string, id: string): IncidentWriter {
  const faults: string[] = [];
  let folder: string | null = null;
  let holder: HeldFolder | null = null;
  const make = (within: string): string => {
    // Not recursive: an existing folder of this name is not ours.
    const made = makeHeldFolder(join(within, id));
    holder = made;
    for (const name of ['python', 'looks', 'agent'])
      mkdirSync(join(made.path, name), { mode: 0o700 });
    return join(within, id);
  };
  try {
    makeFolders(parent);
    folder = make(parent);
  } catch (error) {
    faults.push(`cannot write to ${parent}: ${codeOf(error)}`);
    try {
      // The words of a dying Python and the agent's figures need some folder: a private one, its name not to be guessed.
      folder = make(mkdtempSync(join(tmpdir(), 'coroner-')));
    } catch (other) {
      faults.push(`cannot write to ${tmpdir()}: ${codeOf(other)}`);
    }
  }
  const held = folder === null ? null : (holder as HeldFolder | null);
  const files = new Map<IncidentFile, OpenFile>();
  const open = (name: IncidentFile) => {
    let file = files.get(name);
    if (file !== undefined) return file;
    let fd: number | null = null;
    if (held !== null) {
      try {
        fd = createFile(held.path, name);
      } catch (error) {
        faults.push(`cannot create ${name}: ${codeOf(error)}`);
      }
    }
    file = { fd, memory: '', size: 0, copy: copied.has(name) ? '' : null, sum: new RunningSum() };
    files.set(name, file);
    return file;
  };
  return {
    id,
    folder,
    held: held?.path ?? null,
    told: folder !== null && held !== null && isNameUnsafe(folder) ? held.pathForOthers : folder,
    append: (name, text) => {
      const file = open(name);
      file.sum.add(Buffer.from(text));
      if (file.copy !== null)
        file.copy = file.copy.length + text.length <= memoryBudgetBytes ? file.copy + text : null;
      if (file.fd !== null && file.memory === '') {
        try {
          writeSync(file.fd, text);
          file.size += Buffer.byteLength(text);
          return;
        } catch (error) {
          faults.push(`cannot write ${name}: ${codeOf(error)}`);
        }
      }
      if (file.memory.length + text.length <= memoryBudgetBytes) file.memory += text;
    },
    size: (name) => files.get(name)?.size ?? 0,
    text: (name) => {
      const file = files.get(name);
      if (file === undefined) return undefined;
      if (file.copy !== null) return file.copy;
      return (file.fd === null ? '' : readDescriptor(file.fd)) + file.memory;
    },
    sums: () => Object.fromEntries([...files].map(([name, { sum }]) => [name, sum.value])),
    faults: () => faults,
    close: () => {
      for (const { fd } of files.values()) {
        if (fd === null) continue;
        try {
          closeSync(fd);
        } catch {
          // The folder may be on a file system that is gone.
        }
      }
      held?.close();
    },
  };
}

/** Root's command would write wherever the name leads to by then. An ordinary user's own rights go no further than the one who renames has. */
const isNameUnsafe = (folder: string): boolean =>
  process.geteuid?.() === 0 && othersMayRename(folder);

function readDescriptor(fd: number): string {
  try {
    return readWhole(fd, fstatSync(fd).size);
  } catch {
    return '';
  }
}

/** As much as there is of `size` bytes. */
function readWhole(fd: number, size: number): string {
  const bytes = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const read = readSync(fd, bytes, length, size - length, length);
    if (read === 0) break;
    length += read;
  }
  return bytes.toString('utf8', 0, length);
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);

/** The text files of an incident folder by their path in it (`python/4711.ndjson`), as parsers want them; the agent's by name alone. */
export type IncidentTexts = ReadonlyMap<string, string>;

const isText = (name: string) => /\.(?:json|ndjson|log|tail|fault)$/.test(name);
const readLimitBytes = 64 * 2 ** 20;

/** A file of an incident folder that is there and cannot be read: `EACCES`, `too large`, `not a plain file`. */
export interface Unread {
  readonly name: string;
  readonly why: string;
}

/**
 * Whom the files of an incident folder must belong to where root reads somebody else's: by a hard link it could hold a file that its
 * owner may not read. Any where the reader is the owner, or not root.
 */
function limitsIn(folder: string): { readonly mostBytes: number; readonly owners?: number[] } {
  const limits = { mostBytes: readLimitBytes };
  if (process.geteuid?.() !== 0) return limits;
  try {
    const { uid } = statSync(folder);
    return uid === 0 ? limits : { ...limits, owners: [uid] };
  } catch {
    return limits;
  }
}

/** The text of a file of an incident folder. Whatever lies there may have been put there by others. */
export function readIncidentFile(folder: string, name: string): string | FileRefusal {
  const bytes = readBelow(folder, name, limitsIn(folder));
  return isFileRefusal(bytes) ? bytes : bytes.toString('utf8');
}

const textOrNull = (text: string | FileRefusal): string | null =>
  typeof text === 'string' ? text : null;

/** Reads an incident folder; what cannot be read is left out and named in `unread`. Links are not followed. */
export function readIncidentFolder(folder: string): {
  readonly texts: IncidentTexts;
  readonly unread: readonly Unread[];
} {
  const texts = new Map<string, string>();
  const unread: Unread[] = [];
  const limits = limitsIn(folder);
  const take = (name: string) => {
    const bytes = readBelow(folder, name, limits);
    if (isFileRefusal(bytes)) unread.push({ name, why: whyOf(bytes) });
    else texts.set(name, bytes.toString('utf8'));
  };
  const unpack = (name: string) => {
    const bytes = readBelow(folder, `${name}.gz`, limits);
    const text = isFileRefusal(bytes) ? whyOf(bytes) : unpacked(bytes);
    if (typeof text === 'string') unread.push({ name: `${name}.gz`, why: text });
    else texts.set(name, text.toString('utf8'));
  };
  const entries = list(folder);
  for (const entry of entries)
    if (isText(entry)) take(entry);
    // Somebody packed the long ones, to send the folder along.
    else if (entry.endsWith('.gz') && isText(entry.slice(0, -3)))
      if (!entries.includes(entry.slice(0, -3))) unpack(entry.slice(0, -3));
  for (const sub of ['python', 'looks', 'agent'])
    for (const entry of list(join(folder, sub)))
      if (isText(entry)) take(`${sub}/${entry}`);
      else if (entry.endsWith('.mem')) texts.set(`${sub}/${entry}`, '');
  return { texts, unread };
}

/** The content, or why there is none. */
function unpacked(bytes: Buffer): Buffer | string {
  const { gunzipSync } = process.getBuiltinModule('node:zlib');
  try {
    return gunzipSync(bytes, { maxOutputLength: readLimitBytes });
  } catch (error) {
    return codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? 'too large' : 'it cannot be unpacked';
  }
}

function whyOf({ code, message }: FileRefusal): string {
  switch (code) {
    case 'link':
    case 'not-a-file':
      return 'not a plain file';
    case 'too-big':
      return 'too large';
    case 'denied':
      return 'EACCES';
    case 'absent':
      return 'ENOENT';
    case 'owner':
    case 'failed':
      return message;
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

/** Whether a folder is an incident folder: it holds an `incident.json` of ours. */
export function isIncidentFolder(folder: string): boolean {
  return readStart(folder) !== null;
}

export function readStart(folder: string): IncidentStart | null {
  return (
    parseStart(textOrNull(readIncidentFile(folder, 'incident.json')) ?? undefined)?.start ?? null
  );
}

/** null: there is none, it was cut off, or it says nothing. */
export function readEnd(folder: string): IncidentEnd | null {
  return parseEnd(textOrNull(readIncidentFile(folder, 'end.json')) ?? undefined)?.end ?? null;
}

/** The text of `report.json`, where the run left one. */
export function readStoredReport(folder: string): string | null {
  return textOrNull(readIncidentFile(folder, 'report.json'));
}

/** Incident folders under a store's root, the newest first. */
export function listIncidentFolders(root: string): readonly string[] {
  return list(root)
    .filter(isIncidentId)
    .toReversed()
    .map((id) => join(root, id));
}

/**
 * The files of a folder that are not what its recorder wrote, as far as the sums in `end.json` tell. Folders of a coroner that wrote
 * no sums are not judged. Without `end.json` (the recorder was killed) nothing vouches for what others are witnesses of.
 */
export function changedFiles(texts: IncidentTexts): ReadonlySet<string> {
  if (parseStart(texts.get('incident.json'))?.start.sums !== true) return new Set();
  if (!texts.has('end.json')) return new Set([...copied].filter((name) => texts.has(name)));
  const sums = parseEnd(texts.get('end.json'))?.end.sums ?? {};
  return new Set(
    summedFiles.filter((name) => {
      const text = texts.get(name);
      const sum = sums[name];
      return text !== undefined && (sum === undefined || !isSame(sum, sumOf(text)));
    }),
  );
}
/** Written before the sums are. */
const summedFiles = [
  'incident.json',
  'samples.ndjson',
  'events.ndjson',
  'kernel.log',
  'guards.log',
  'stderr.tail',
] as const satisfies readonly IncidentFile[];

/** The same of the files of a run that has just ended, by the sums that its writer holds. */
export function changedSince(
  texts: IncidentTexts,
  sums: Readonly<Record<string, Sum>>,
): ReadonlySet<string> {
  return new Set(
    summedFiles.filter((name) => {
      const text = texts.get(name);
      const sum = sums[name];
      return text !== undefined && sum !== undefined && !isSame(sum, sumOf(text));
    }),
  );
}
