/** Limits that a process may reach, each read afresh through a kept descriptor: near a limit a thousand times a second. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { totalmem } from 'node:os';
import { passesThroughCgroup } from '../../model/cgroup-path.ts';
import type { Bytes } from '../../model/units.ts';
import {
  headroomOf,
  memoryRlimits,
  parseStatm,
  type Headroom,
  type LimitKind,
} from '../headroom.ts';
import type { CgroupLimit, ProcessLimit } from './messages.ts';

/** A limit that is being read. */
export interface Gauge {
  /** The cgroup's folder, `address-space:PID`, `data:PID`, `host`. */
  readonly id: string;
  readonly kind: LimitKind;
  readonly limitBytes: Bytes;
  /** The process that a rlimit limits; null: a limit of several. */
  readonly pid: number | null;
  /** null: not readable any more, or not known yet. */
  readonly read: () => Headroom | null;
  /** Memory that the kernel takes back before it kills (page cache): read only near the limit. */
  readonly reclaimableBytes: () => Bytes;
  readonly close: () => void;
}

/** More than a third of it is used. */
export function isFilling({ read, limitBytes }: Gauge): boolean {
  const headroom = read();
  return headroom !== null && headroom.freeBytes < (limitBytes * 2) / 3;
}

/** What is free; all of the limit where it cannot be read. */
export const freeBytesOf = ({ read, limitBytes }: Gauge): Bytes => read()?.freeBytes ?? limitBytes;

/** Whether the limit is a cgroup's in which coroner itself lives. */
export const isInside = ({ id, kind }: Gauge): boolean => kind === 'cgroup' && isWithin(id);

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

const buffer = Buffer.alloc(256);
function readSmall(descriptor: number): string | null {
  try {
    return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0));
  } catch {
    return null;
  }
}

function open(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

/** null: the cgroup cannot be read. */
export function cgroupGauge({ folder, version, limitBytes }: CgroupLimit): Gauge | null {
  const file = version === 2 ? 'memory.current' : 'memory.usage_in_bytes';
  const descriptor = open(`${folder}/${file}`);
  if (descriptor === null) return null;
  return {
    id: folder,
    kind: 'cgroup',
    limitBytes,
    pid: null,
    read: () => {
      const usedBytes = Number.parseInt(readSmall(descriptor) ?? '', 10);
      return Number.isFinite(usedBytes) ? headroomOf('cgroup', limitBytes, usedBytes) : null;
    },
    reclaimableBytes: () => fileBytesOf(folder, version),
    close: () => closeSync(descriptor),
  };
}

/** Pages of files in a cgroup and below it: they go before anything is killed. 0 where not readable. */
function fileBytesOf(folder: string, version: 1 | 2): Bytes {
  try {
    const text = readFileSync(`${folder}/memory.stat`, 'latin1');
    const prefix = version === 2 ? '' : 'total_';
    const of = (name: string) =>
      Number(new RegExp(`^${prefix}${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return of('inactive_file') + of('active_file');
  } catch {
    return 0;
  }
}

export const rlimitId = (pid: number, { kind }: ProcessLimit): string => `${kind}:${pid}`;

/** null: the process is gone. */
export function rlimitGauge(pid: number, limit: ProcessLimit, pageSizeBytes: Bytes): Gauge | null {
  const descriptor = open(`/proc/${pid}/statm`);
  if (descriptor === null) return null;
  const { kind, limitBytes } = limit;
  const { used } = memoryRlimits.find((one) => one.kind === kind)!;
  return {
    id: rlimitId(pid, limit),
    kind,
    limitBytes,
    pid,
    read: () => {
      const statm = parseStatm(readSmall(descriptor) ?? '', pageSizeBytes);
      return statm === null ? null : headroomOf(kind, limitBytes, statm[used]);
    },
    reclaimableBytes: () => 0,
    close: () => closeSync(descriptor),
  };
}

/** The whole machine. `availableBytes` comes with the recorder's samples; null: not known yet. */
export function hostGauge(availableBytes: () => Bytes | null): Gauge {
  const limitBytes = totalmem();
  return {
    id: 'host',
    kind: 'host',
    limitBytes,
    pid: null,
    read: () => {
      const available = availableBytes();
      return available === null ? null : headroomOf('host', limitBytes, limitBytes - available);
    },
    reclaimableBytes: () => 0,
    close: () => {},
  };
}

/** null: the process is gone. */
export function residentBytes(pid: number, pageSizeBytes: Bytes): Bytes | null {
  try {
    return (
      parseStatm(readFileSync(`/proc/${pid}/statm`, 'latin1'), pageSizeBytes)?.rssBytes ?? null
    );
  } catch {
    return null;
  }
}
