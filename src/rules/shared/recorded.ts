/** What rules about recordings share. */
import { plainCgroup, withAncestors } from '../../model/cgroup-path.ts';
import { defined } from '../../model/defined.ts';
import type { CgroupCounters, ProcessExit, ProcessLimits } from '../../model/evidence.ts';
import type { Question, Finding } from '../../model/finding.ts';
import type { MemoryPicture, ProcessRole } from '../../model/report.ts';
import { childrenOf } from './by-pid.ts';
import type { RuleContext } from './define-rule.ts';

export const subjectOf = (exit: ProcessExit): Finding['subject'] => ({
  pid: exit.pid,
  ...defined({ otherPids: exit.otherPids }),
  name: exit.name,
  ...defined({ cgroup: exit.cgroup, when: exit.when }),
  position: exit.origin.line ?? 0,
});

/** The cgroups that bind a process, its own first. */
export function levelsOf(
  exit: ProcessExit,
  counters: readonly CgroupCounters[],
): readonly CgroupCounters[] {
  const { deepestFirst, byPath } = indexed(counters);
  const { cgroup } = exit;
  // Not known (it died at once): every cgroup that the run was seen in.
  if (cgroup === undefined) return deepestFirst;
  return withAncestors(cgroup).flatMap((path) => byPath.get(path) ?? []);
}

interface IndexedCounters {
  readonly deepestFirst: readonly CgroupCounters[];
  readonly byPath: ReadonlyMap<string, readonly CgroupCounters[]>;
}
/** A run may have as many cgroups as processes: to go through all of them for each process would take minutes. */
const indexes = new WeakMap<readonly CgroupCounters[], IndexedCounters>();
function indexed(counters: readonly CgroupCounters[]): IndexedCounters {
  const known = indexes.get(counters);
  if (known !== undefined) return known;
  const byPath = new Map<string, CgroupCounters[]>();
  for (const one of counters) {
    const path = plainCgroup(one.path);
    const same = byPath.get(path);
    if (same === undefined) byPath.set(path, [one]);
    else same.push(one);
  }
  const index = {
    deepestFirst: counters.toSorted((a, b) => b.path.length - a.path.length),
    byPath,
  };
  indexes.set(counters, index);
  return index;
}

/** Kills counted in this very cgroup. v1 counts only there; on v2 the hierarchical counter tells of descendants too. */
export const localKills = (counters: CgroupCounters): number | undefined =>
  counters.localOomKills ?? (counters.version === 1 ? counters.oomKills : undefined);

/**
 * Whose limit fired: on v2 the level whose own `oom` moved, else the innermost level that was hit and has a limit.
 * On v1 failcnt stays 0 where the limit on memory plus swap is the same (seen on 6.18): there a peak at the limit tells.
 */
export function limitOwner(levels: readonly CgroupCounters[]): CgroupCounters | null {
  const limited = levels.filter(({ limitBytes }) => limitBytes !== null);
  return (
    limited.find(({ version, localOoms }) => version === 2 && (localOoms ?? 0) > 0) ??
    limited.find(
      ({ version, limitHits, peakBytes, limitBytes }) =>
        (limitHits ?? 0) > 0 ||
        (version === 1 && (peakBytes ?? 0) >= (limitBytes ?? Number.POSITIVE_INFINITY) * 0.99),
    ) ??
    null
  );
}

/** What a readable kernel log would have told, with the command; nothing where it was read. */
export function unknownKernelLog({ sources }: RuleContext): readonly Question[] {
  const log = sources.find(({ id }) => id === 'kernel-log');
  if (log?.status === 'read') return [];
  return [
    {
      id: 'kernel-record',
      what: "the kernel's own record of the kill",
      why:
        log === undefined
          ? 'the kernel log was not asked'
          : `the kernel log (${log.place}) could not be read: ${log.status}${log.detail === undefined ? '' : ` (${log.detail})`}`,
      command: log?.command ?? 'sudo dmesg -T | grep -iE "killed process|out of memory"',
    },
  ];
}

export const victimOf = (exit: ProcessExit): ProcessRole => ({
  pid: exit.pid,
  name: exit.name,
  ...defined({ cgroup: exit.cgroup, command: exit.command }),
});

/** What a process held at its peak, as a report tells it. */
export const peakOf = (
  read: Pick<ProcessExit | ProcessLimits, 'peakRssBytes' | 'peakIsLeast'> | undefined,
): Pick<MemoryPicture, 'peakRssBytes' | 'peakIsLeast'> =>
  read?.peakRssBytes === undefined
    ? {}
    : defined({ peakRssBytes: read.peakRssBytes, peakIsLeast: read.peakIsLeast });

/** Within this time of the end of its command a wrapper has ended itself. */
const duplicateReportMs = 1000;

/**
 * `timeout` and `sudo` end themselves with the signal that ended their command: the process that went with its parent in one moment, was
 * not seen to end otherwise, and was larger by far. undefined: it died for itself.
 */
export function duplicateReportedBy(
  exit: ProcessExit,
  exits: readonly ProcessExit[],
): ProcessExit | undefined {
  const at = Date.parse(exit.when?.wall ?? '');
  return childrenOf(exit, exits).find(
    (child) =>
      child.exitCode === null &&
      (child.signal === null || child.signal === exit.signal) &&
      !(Math.abs(at - Date.parse(child.when?.wall ?? '')) > duplicateReportMs) &&
      (child.peakRssBytes ?? 0) > 8 * (exit.peakRssBytes ?? Number.POSITIVE_INFINITY),
  );
}

/** Whether the kernel log was read over the whole run: only then does its silence mean something. */
export const kernelLogRead = ({ sources }: RuleContext): boolean =>
  sources.some(({ id, status }) => id === 'kernel-log' && status === 'read');
