/** Limits that a process may reach, each with what is free below it. */
import { passesThroughCgroup } from '../../model/cgroup-path.ts';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { Bytes, Ms } from '../../model/units.ts';

const pageBytes = 4096;

export interface WatchedProcess {
  readonly pid: number;
  readonly name: string;
  readonly rssBytes: Bytes;
  readonly addressSpaceBytes: Bytes | null;
}
export interface WatchedLimit {
  readonly folder: string;
  readonly version: 1 | 2;
  readonly limitBytes: Bytes;
}

/** A limit with what is free below it, read afresh. */
export interface LimitWatcher {
  readonly id: string;
  readonly limitBytes: Bytes;
  readonly usedBytes: () => Bytes | null;
  /** Memory that can be given back, e.g. page cache: read only near the limit. */
  readonly reclaimableBytes: () => Bytes;
  readonly pid: number | null;
  readonly close: () => void;
  /** Index of the next level. */
  level: number;
  lastUsedBytes: Bytes;
  /** For the rate of growth: a reading some time ago. */
  before?: { readonly usedBytes: Bytes; readonly at: Ms };
  bytesPerMs?: number;
  /** Past the last level it may live on, in reclaim: then it is looked at again after this time, seldomer and seldomer. */
  again?: { readonly at: Ms; readonly afterMs: Ms };
  /** It was page cache that filled it: not asked again before. */
  quietUntil?: Ms;
}

/** More than a third of it is used. */
export const isFilling = (watcher: LimitWatcher): boolean =>
  (watcher.usedBytes() ?? 0) > watcher.limitBytes / 3;

/** Whether the limit is a cgroup's in which coroner itself lives. */
export const isInside = ({ id, pid }: LimitWatcher): boolean =>
  id !== 'host' && pid === null && isWithin(id);

/** Whether this very process is in the cgroup. */
function isWithin(folder: string): boolean {
  try {
    return readFileSync('/proc/self/cgroup', 'utf8')
      .split('\n')
      .some((line) => {
        const path = line.split(':').slice(2).join(':');
        return passesThroughCgroup(path, folder.split('/').at(-1)!);
      });
  } catch {
    return true;
  }
}

const buffer = Buffer.alloc(4096);
function readNumber(descriptor: number): Bytes | null {
  try {
    const length = readSync(descriptor, buffer, 0, 64, 0);
    const value = Number.parseInt(buffer.toString('latin1', 0, length), 10);
    return Number.isFinite(value) ? value : null;
  } catch {
    return null;
  }
}

export function cgroupWatcher({ folder, version, limitBytes }: WatchedLimit): LimitWatcher | null {
  let descriptor: number;
  try {
    descriptor = openSync(
      `${folder}/${version === 2 ? 'memory.current' : 'memory.usage_in_bytes'}`,
      'r',
    );
  } catch {
    return null;
  }
  const prefix = version === 2 ? '' : 'total_';
  return {
    id: folder,
    limitBytes,
    pid: null,
    level: 0,
    lastUsedBytes: 0,
    usedBytes: () => readNumber(descriptor),
    reclaimableBytes: () => {
      // File pages go before anything is killed.
      try {
        const text = readFileSync(`${folder}/memory.stat`, 'latin1');
        const of = (name: string) =>
          Number(new RegExp(`^${prefix}${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
        return of('inactive_file') + of('active_file');
      } catch {
        return 0;
      }
    },
    close: () => closeSync(descriptor),
  };
}

export function addressSpaceWatcher({
  pid,
  addressSpaceBytes,
}: WatchedProcess): LimitWatcher | null {
  let descriptor: number;
  try {
    descriptor = openSync(`/proc/${pid}/statm`, 'r');
  } catch {
    return null;
  }
  return {
    id: `as:${pid}`,
    limitBytes: addressSpaceBytes!,
    pid,
    level: 0,
    lastUsedBytes: 0,
    usedBytes: () => {
      const pages = readNumber(descriptor);
      return pages === null ? null : pages * pageBytes;
    },
    reclaimableBytes: () => 0,
    close: () => closeSync(descriptor),
  };
}

/** The whole machine. `availableBytes` is asked each time: it comes with the recorder's samples. */
export const hostWatcher = (availableBytes: () => Bytes | null): LimitWatcher => {
  const limitBytes = totalmem();
  return {
    id: 'host',
    limitBytes,
    usedBytes: () => {
      const available = availableBytes();
      return available === null ? null : limitBytes - available;
    },
    reclaimableBytes: () => 0,
    pid: null,
    close: () => {},
    // A host is short of memory later than at 30 %.
    level: 2,
    lastUsedBytes: 0,
  };
};

export function residentBytes(pid: number): Bytes | null {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
    return Number.isFinite(pages) ? pages * pageBytes : null;
  } catch {
    return null;
  }
}
