import type { Limit } from '../model/report.ts';
import { signalName } from '../model/signals.ts';
import { textOf } from './read.ts';

/** What /proc/PID/stat says. Times in ticks, as the kernel gives them. */
export interface ProcStat {
  readonly pid: number;
  /** comm: 15 characters, may hold spaces and parentheses. */
  readonly name: string;
  readonly state: string;
  readonly parentPid: number;
  readonly processGroup: number;
  readonly session: number;
  /** PF_* of include/linux/sched.h. */
  readonly flags: number;
  readonly majorFaults: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly threads: number;
  readonly startTicks: number;
  readonly vmBytes: number;
  readonly rssPages: number;
  /** Wait status of a zombie; null where the kernel hides it (needs the same uid). */
  readonly exitStatus: number | null;
}

/** USER_HZ is 100 on every architecture that Node runs on. */
export const msPerTick = 10;

export function parseStat(text: string): ProcStat | null {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return null;
  const rest = text.slice(close + 2).split(' ');
  if (rest.length < 22) return null;
  const number = (field: number) => Number(rest[field - 3]);
  const state = rest[0] ?? '?';
  return {
    pid: Number.parseInt(text, 10),
    name: text.slice(open + 1, close),
    state,
    parentPid: number(4),
    processGroup: number(5),
    session: number(6),
    flags: number(9),
    majorFaults: number(12),
    userTicks: number(14),
    systemTicks: number(15),
    threads: number(20),
    startTicks: number(22),
    vmBytes: number(23),
    rssPages: number(24),
    exitStatus: rest.length >= 50 && (state === 'Z' || state === 'X') ? number(52) : null,
  };
}

/** PF_DUMPCORE of the thread that crashed; PF_POSTCOREDUMP (from 5.16 on) of the others, the first thread among them. */
const dumpingFlags = 0x200 | 0x8;

/** The kernel writes its core, to a file or through a pipe: it is dead and cannot be reaped yet. */
export const isDumping = ({ flags }: ProcStat): boolean => (flags & dumpingFlags) !== 0;

/** `Name:\tvalue kB` lines of /proc/PID/status and /proc/meminfo: bytes where the unit is kB, else the number. */
export function parseKeyed(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    const colon = text.indexOf(':', start);
    if (colon > 0 && colon < end) {
      const value = Number.parseInt(text.slice(colon + 1, end), 10);
      if (Number.isFinite(value))
        values.set(
          text.slice(start, colon),
          text.charCodeAt(end - 2) === 0x6b && text.charCodeAt(end - 1) === 0x42
            ? value * 1024
            : value,
        );
    }
    start = end + 1;
  }
  return values;
}

/** NSpid: the pid in each namespace, outermost (that we may see) first. */
export function namespacePids(status: string): readonly number[] {
  const match = /^NSpid:\s*([\d\t ]+)$/m.exec(status);
  return match?.[1] === undefined ? [] : match[1].trim().split(/\s+/).map(Number);
}

const limitNames: Readonly<Record<string, string>> = {
  'Max address space': 'RLIMIT_AS',
  'Max data size': 'RLIMIT_DATA',
  'Max stack size': 'RLIMIT_STACK',
  'Max resident set': 'RLIMIT_RSS',
  'Max locked memory': 'RLIMIT_MEMLOCK',
  'Max processes': 'RLIMIT_NPROC',
  'Max cpu time': 'RLIMIT_CPU',
};

/** Soft limits of /proc/PID/limits that are finite. `bytes` is the figure in the limit's own unit. */
export function parseLimits(text: string): readonly Limit[] {
  const limits: Limit[] = [];
  for (const line of text.split('\n')) {
    const match = /^(Max [a-z ]+?)\s{2,}(\S+)\s+(\S+)/.exec(line);
    const path = match?.[1] === undefined ? undefined : limitNames[match[1]];
    const soft = match?.[2];
    if (path === undefined || soft === undefined || soft === 'unlimited') continue;
    const bytes = Number(soft);
    if (Number.isFinite(bytes)) limits.push({ owner: 'rlimit', path, bytes });
  }
  return limits;
}

/** A wait status as the kernel packs it. */
export function decodeWaitStatus(status: number): {
  exitCode: number | null;
  signal: string | null;
} {
  const signal = status & 0x7f;
  if (signal === 0) return { exitCode: (status >> 8) & 0xff, signal: null };
  return { exitCode: null, signal: signalName(signal) ?? `SIG${signal}` };
}

/** The command line as a person would type it; null for a kernel thread or where it may not be read. */
export function commandLine(text: string): string | null {
  const words = text.split('\0');
  if (words.at(-1) === '') words.pop();
  return words.length === 0 ? null : words.join(' ');
}

/** A /proc tree, the real one or a test's. */
export function procAt(root: string) {
  const path = (pid: number | string, file: string) => `${root}/${pid}/${file}`;
  return {
    root,
    path,
    stat: (pid: number | string): ProcStat | null => {
      const text = textOf(path(pid, 'stat'));
      return text === null ? null : parseStat(text);
    },
    text: (pid: number | string, file: string) => textOf(path(pid, file)),
  };
}
export type Proc = ReturnType<typeof procAt>;
