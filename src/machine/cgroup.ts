import { realLimit } from '../model/no-limit.ts';
import { relativeToCgroup } from '../model/cgroup-path.ts';
import type { CgroupFigures } from '../model/incident-folder.ts';
import { textOf, numberOf, readText } from './read.ts';
import { parsePressure, type Pressure } from './pressure.ts';

/** Where the hierarchies that tell of memory are mounted. */
export interface CgroupMounts {
  /** The v1 memory controller. */
  readonly v1: Mount | null;
  /** The v2 hierarchy (it may lack the memory controller on hybrid hosts). */
  readonly v2: Mount | null;
}
export interface Mount {
  readonly folder: string;
  /** The cgroup at the mount's root: not `/` inside a container without a cgroup namespace. */
  readonly root: string;
}

/** One cgroup on disk. */
export interface CgroupPlace {
  readonly version: 1 | 2;
  readonly folder: string;
  /** As the kernel names it. */
  readonly path: string;
}

export function findMounts(procRoot: string, cgroupRoot?: string): CgroupMounts {
  let v1: Mount | null = null;
  let v2: Mount | null = null;
  for (const line of (textOf(`${procRoot}/self/mountinfo`) ?? '').split('\n')) {
    const [before, after] = line.split(' - ');
    if (before === undefined || after === undefined) continue;
    const [type, , options = ''] = after.split(' ');
    const fields = before.split(' ');
    const root = unescapeMount(fields[3] ?? '/');
    let folder = unescapeMount(fields[4] ?? '');
    if (cgroupRoot !== undefined && folder.startsWith('/sys/fs/cgroup'))
      folder = cgroupRoot + folder.slice('/sys/fs/cgroup'.length);
    const mount: Mount = { folder, root };
    if (type === 'cgroup' && options.split(',').includes('memory')) v1 = better(v1, mount);
    if (type === 'cgroup2') v2 = better(v2, mount);
  }
  return { v1, v2 };
}

/** The first of several, unless a later one lies over it or it is older than our cgroup namespace (root `/..`) and the later is not. */
const better = (known: Mount | null, mount: Mount): Mount =>
  known === null ||
  known.folder === mount.folder ||
  (known.root.startsWith('/..') && !mount.root.startsWith('/..'))
    ? mount
    : known;

/** mountinfo writes space, tab, newline and backslash as `\040`. */
const unescapeMount = (text: string) =>
  text.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );

/** Paths of a process in the hierarchies, from /proc/PID/cgroup. */
export function parseMembership(text: string): { v1Memory: string | null; v2: string | null } {
  let v1Memory: string | null = null;
  let v2: string | null = null;
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, id, controllers = '', path = '/'] = match;
    if (id === '0' && controllers === '') v2 = path;
    else if (controllers.split(',').includes('memory')) v1Memory = path;
  }
  return { v1Memory, v2 };
}

/**
 * The cgroups that bind a process's memory, its own first, the root last. The memory controller sits either in v1 or in v2;
 * the other hierarchy is of no interest.
 */
export function levelsOf(mounts: CgroupMounts, membership: string): readonly CgroupPlace[] {
  const { v1Memory, v2 } = parseMembership(membership);
  if (mounts.v1 !== null && v1Memory !== null) return chain(1, mounts.v1, v1Memory);
  if (mounts.v2 !== null && v2 !== null) return chain(2, mounts.v2, v2);
  return [];
}

function chain(version: 1 | 2, mount: Mount, path: string): readonly CgroupPlace[] {
  // A process outside our cgroup namespace shows as `/../..`: its folder cannot be reached from here.
  if (path.startsWith('/..')) return [];
  // The mount is older than our cgroup namespace and shows what is above it: which folder in it is ours cannot be told.
  if (mount.root.startsWith('/..')) return [];
  // Inside a container without a cgroup namespace the mount shows only a subtree: `/docker/ID` is mounted at its root.
  const inMount = relativeToCgroup(path, mount.root);
  let below = inMount ?? relativeToCgroup(path, '/')!;
  const prefix = inMount === null || mount.root === '/' ? '' : mount.root;
  const places: CgroupPlace[] = [];
  for (;;) {
    places.push({ version, folder: mount.folder + below, path: prefix + below || '/' });
    if (below === '') return places;
    below = below.slice(0, below.lastIndexOf('/'));
  }
}

/** What one cgroup says at one moment. Counters are totals since it was made. */
export interface CgroupReading extends CgroupFigures {
  readonly killDisabled?: boolean;
  readonly pressure?: Pressure;
}
export interface CgroupLimits {
  readonly limitBytes: number | null;
  readonly highBytes?: number | null;
  readonly swapLimitBytes?: number | null;
}

export function limitsOf({ version, folder }: CgroupPlace): CgroupLimits {
  const limit = (name: string) => realLimit(numberOf(`${folder}/${name}`));
  return version === 1
    ? {
        limitBytes: limit('memory.limit_in_bytes'),
        swapLimitBytes: limit('memory.memsw.limit_in_bytes'),
      }
    : {
        limitBytes: limit('memory.max'),
        highBytes: limit('memory.high'),
        swapLimitBytes: limit('memory.swap.max'),
      };
}

/** `detail`: statistics and pressure too, which cost more. `read` gives a file's text, null where there is none. */
export function readCgroup(
  version: 1 | 2,
  read: (name: string) => string | null,
  detail: boolean,
): CgroupReading {
  const known: { -readonly [Key in keyof CgroupReading]: CgroupReading[Key] | undefined } = {};
  const flat = (name: string) => parseFlat(read(name) ?? '');
  const number = (name: string) => {
    const value = Number.parseInt(read(name) ?? '', 10);
    return Number.isFinite(value) ? value : undefined;
  };
  if (version === 1) {
    known.currentBytes = number('memory.usage_in_bytes');
    known.limitHits = number('memory.failcnt');
    const control = flat('memory.oom_control');
    // The counter exists since 4.13; v1 counts a kill only in the victim's own cgroup.
    known.oomKills = control.get('oom_kill');
    known.localOomKills = control.get('oom_kill');
    const under = control.get('under_oom');
    if (under !== undefined) known.underOom = under === 1;
    const disabled = control.get('oom_kill_disable');
    if (disabled !== undefined) known.killDisabled = disabled === 1;
    if (detail) {
      known.peakBytes = number('memory.max_usage_in_bytes');
      const stat = flat('memory.stat');
      known.swapBytes = stat.get('total_swap') ?? stat.get('swap');
      known.anonBytes = stat.get('total_rss') ?? stat.get('rss');
      known.shmemBytes = stat.get('total_shmem') ?? stat.get('shmem');
      const cache = stat.get('total_cache') ?? stat.get('cache');
      // v1 counts shared memory in `cache`.
      known.fileBytes = cache === undefined ? undefined : cache - (known.shmemBytes ?? 0);
      known.refaultsAnon = stat.get('total_workingset_refault_anon');
      known.refaultsFile = stat.get('total_workingset_refault_file');
    }
  } else {
    known.currentBytes = number('memory.current');
    const events = flat('memory.events');
    known.limitHits = events.get('max');
    known.highHits = events.get('high');
    known.ooms = events.get('oom');
    known.oomKills = events.get('oom_kill');
    known.groupKills = events.get('oom_group_kill');
    const local = flat('memory.events.local');
    known.localOoms = local.get('oom');
    known.localOomKills = local.get('oom_kill');
    if (detail) {
      known.peakBytes = number('memory.peak');
      known.swapBytes = number('memory.swap.current');
      const stat = flat('memory.stat');
      known.anonBytes = stat.get('anon');
      known.fileBytes = stat.get('file');
      known.shmemBytes = stat.get('shmem');
      known.refaultsAnon = stat.get('workingset_refault_anon');
      known.refaultsFile = stat.get('workingset_refault_file');
    }
  }
  if (detail) {
    const pressure = read('memory.pressure');
    known.pressure = pressure === null ? undefined : (parsePressure(pressure) ?? undefined);
  }
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

/** Which of the files that a verdict lives on may not be read, with the error. */
export function unreadableOf({ version, folder }: CgroupPlace): readonly string[] {
  const names =
    version === 1
      ? ['memory.usage_in_bytes', 'memory.limit_in_bytes', 'memory.oom_control', 'memory.failcnt']
      : // The root of v2 has none of these: only what is denied counts.
        ['memory.current', 'memory.max', 'memory.events'];
  return names.flatMap((name) => {
    const reading = readText(`${folder}/${name}`);
    return 'error' in reading && reading.error !== 'ENOENT' ? [`${name}: ${reading.error}`] : [];
  });
}

/** `name value` lines. */
export function parseFlat(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space <= 0) continue;
    const value = Number(line.slice(space + 1));
    if (Number.isFinite(value)) values.set(line.slice(0, space), value);
  }
  return values;
}
