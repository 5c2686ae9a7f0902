import {
  levelsOf,
  limitsOf,
  readCgroup,
  unreadableOf,
  type CgroupLimits,
  type CgroupMounts,
  type CgroupPlace,
  type CgroupReading,
} from '../machine/cgroup.ts';
import { keep, type KeptFile } from '../machine/read.ts';
import type { CgroupSample } from '../model/incident-folder.ts';
import type { Bytes } from '../model/units.ts';

/** A cgroup that a process of the run is in, or one above it. */
export interface WatchedCgroup {
  readonly id: number;
  readonly place: CgroupPlace;
  readonly parent: number | null;
  /** A process of the run is or was in this very cgroup. */
  leaf: boolean;
  limits: CgroupLimits;
  readonly first: CgroupReading;
  last: CgroupSample;
  readonly files: Map<string, KeptFile | null>;
  gone: boolean;
}

/**
 * Reads every cgroup level that limits a process of the run. Counters are differences since the cgroup was first seen: the kernel's totals
 * count from its creation, which may be years ago.
 */
export function cgroupWatch(mounts: CgroupMounts) {
  const watched: WatchedCgroup[] = [];
  const byFolder = new Map<string, WatchedCgroup>();
  const memberships = new Map<string, WatchedCgroup | null>();

  const add = (place: CgroupPlace, parent: WatchedCgroup | null): WatchedCgroup => {
    const known = byFolder.get(place.folder);
    if (known !== undefined && !known.gone) return known;
    const files = new Map<string, KeptFile | null>();
    const cgroup: WatchedCgroup = {
      id: watched.length,
      place,
      parent: parent?.id ?? null,
      leaf: false,
      limits: limitsOf(place),
      first: readCgroup(place.version, reader(place, files), true),
      last: { id: watched.length },
      files,
      gone: false,
    };
    watched.push(cgroup);
    byFolder.set(place.folder, cgroup);
    return cgroup;
  };

  return {
    all: watched as readonly WatchedCgroup[],
    /** Takes a process's /proc/PID/cgroup. Returns the levels that are new, and the process's own cgroup; null: none can be read. */
    follow: (
      membership: string,
    ): { readonly added: readonly WatchedCgroup[]; readonly own: WatchedCgroup | null } => {
      const known = memberships.get(membership);
      if (known !== undefined && known?.gone !== true) return { added: [], own: known };
      const before = watched.length;
      let parent: WatchedCgroup | null = null;
      for (const place of levelsOf(mounts, membership).toReversed()) parent = add(place, parent);
      if (parent !== null) parent.leaf = true;
      memberships.set(membership, parent);
      return { added: watched.slice(before), own: parent };
    },
    sample: sampleCgroup,
    unreadable: (cgroup: WatchedCgroup) => unreadableOf(cgroup.place),
    close: () => {
      for (const { files } of watched) for (const file of files.values()) file?.close();
    },
  };
}

/** What changed since the last reading; null: nothing. `detail`: also what costs more to read, and the limits. */
function sampleCgroup(cgroup: WatchedCgroup, detail: boolean): CgroupSample | null {
  const reading = readCgroup(cgroup.place.version, reader(cgroup.place, cgroup.files), detail);
  if (Object.keys(reading).length === 0) {
    cgroup.gone = true;
    for (const file of cgroup.files.values()) file?.close();
    cgroup.files.clear();
    return null;
  }
  if (detail) cgroup.limits = limitsOf(cgroup.place);
  const now = sinceFirst(cgroup, reading);
  const changed = Object.entries(now).some(
    ([key, value]) => cgroup.last[key as keyof CgroupSample] !== value,
  );
  if (!changed) return null;
  cgroup.last = { ...cgroup.last, ...now };
  return now;
}
export type CgroupWatch = ReturnType<typeof cgroupWatch>;

/** The smallest limit of any level; null: none has one. */
export function tightestLimitBytes(cgroups: readonly WatchedCgroup[]): Bytes | null {
  const limits = cgroups.map(({ limits }) => limits.limitBytes).filter((bytes) => bytes !== null);
  return limits.length === 0 ? null : Math.min(...limits);
}

function reader(place: CgroupPlace, files: Map<string, KeptFile | null>) {
  return (name: string): string | null => {
    let file = files.get(name);
    if (file === undefined) {
      file = keep(`${place.folder}/${name}`);
      files.set(name, file);
    }
    return file?.read() ?? null;
  };
}

const counters = [
  'limitHits',
  'highHits',
  'ooms',
  'oomKills',
  'localOoms',
  'localOomKills',
  'groupKills',
  'refaultsAnon',
  'refaultsFile',
] as const;

function sinceFirst(cgroup: WatchedCgroup, reading: CgroupReading): CgroupSample {
  const { pressure, killDisabled: _, ...values } = reading;
  const sample: Record<string, number | boolean> = { id: cgroup.id, ...values };
  for (const name of counters) {
    const [now, then] = [reading[name], cgroup.first[name]];
    if (now === undefined) continue;
    if (then === undefined) delete sample[name];
    else sample[name] = now - then;
  }
  // The kernel's high-water mark is as old as the cgroup: it is the run's own only once it has risen.
  if (reading.peakBytes !== undefined && reading.peakBytes <= (cgroup.first.peakBytes ?? 0))
    delete sample['peakBytes'];
  if (pressure !== undefined && cgroup.first.pressure !== undefined) {
    sample['psiSomeMs'] = Math.round(pressure.someMs - cgroup.first.pressure.someMs);
    sample['psiFullMs'] = Math.round(pressure.fullMs - cgroup.first.pressure.fullMs);
  }
  return sample as unknown as CgroupSample;
}
