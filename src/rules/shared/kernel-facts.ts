/** What the rules about the kernel's records share. */
import { nameWithPid } from '../../model/name-with-pid.ts';
import type { Advice } from '../../model/finding.ts';
import { defined } from '../../model/defined.ts';
import type { Cause } from '../../model/causes.ts';
import type { KernelOomKill, OomConstraint, OomReport, Origin } from '../../model/evidence.ts';
import type { CulpritRole, Limit, ProcessRole, Reason, Task } from '../../model/report.ts';
import { limitCommand } from './limit-command.ts';
import { remedy } from './remedies.ts';

export const causeOf = (constraint: OomConstraint | null): Cause => {
  switch (constraint) {
    case 'memcg':
      return 'kernel-cgroup-oom';
    case 'cpuset':
    case 'memory-policy':
      return 'kernel-cpuset-oom';
    case 'none':
    case null:
      return 'kernel-global-oom';
  }
};

export const at = (origin: Origin, says: string): Reason => ({
  says,
  source: origin.source,
  place: origin.place,
  ...defined({ quote: origin.quote }),
});

/**
 * Whether the text leaves open whose limit it was. Up to 5.0 or so the line of the kill is the same for the whole machine and for a
 * cgroup; the figures of the machine are printed in a report of the whole machine alone.
 */
export const isLimitOpen = (constraint: OomConstraint | null, report: OomReport | null): boolean =>
  constraint === null && report?.hostBytes === undefined;

export function limitOf(
  constraint: OomConstraint | null,
  report: OomReport | null,
  oomMemcg: string | undefined,
): Limit {
  if (constraint === 'memcg')
    return {
      owner: 'cgroup',
      ...defined({ path: oomMemcg }),
      bytes: report?.limitBytes ?? null,
    };
  if (constraint === 'cpuset' || constraint === 'memory-policy')
    return { owner: 'numa-node', bytes: null };
  if (isLimitOpen(constraint, report)) return { owner: 'unknown', bytes: null };
  return { owner: 'host', bytes: report?.hostBytes?.['totalRam'] ?? null };
}

/** Statistics of a cgroup by one name, although v1 calls the hierarchy's figure `total_…` and v2 does not. */
export const stat = (report: OomReport, key: string): number | undefined =>
  report.statBytes?.[`total_${key}`] ?? report.statBytes?.[key];

const held = (task: Task): number | undefined => {
  const resident =
    task.anonRssBytes === undefined ? task.rssBytes : task.anonRssBytes + (task.shmemRssBytes ?? 0);
  return resident === undefined ? undefined : resident + (task.swapBytes ?? 0);
};

/** Memory without a process: where less than this share of the usage belongs to the tasks of the table. */
const ownedShare = 0.5;

/**
 * Who or what held the memory: the biggest process, or, where the whole table
 * explains less than half of the usage, what the statistics name instead.
 */
export function culpritOf(victim: ProcessRole, report: OomReport | null): CulpritRole | null {
  if (report === null) return null;
  const tasks = report.tasks
    .map((task) => ({ task, bytes: held(task) }))
    .filter((entry): entry is { task: Task; bytes: number } => entry.bytes !== undefined)
    .sort((a, b) => b.bytes - a.bytes);
  const byTasks = tasks.reduce((sum, { bytes }) => sum + bytes, 0);
  const usage = report.usageBytes;
  const victimBytes =
    victim.anonRssBytes === undefined
      ? undefined
      : victim.anonRssBytes + (victim.shmemRssBytes ?? 0);
  const known = tasks.length > 0 ? byTasks : victimBytes;
  if (usage !== undefined && usage > 0 && known !== undefined && known < usage * ownedShare) {
    const without = withoutProcess(report, usage);
    if (without !== null) return without;
  }
  const biggest = tasks[0];
  if (biggest !== undefined) {
    const { task, bytes } = biggest;
    const alike = tasks.filter(({ task: other }) => other.name === task.name);
    const total = alike.reduce((sum, entry) => sum + entry.bytes, 0);
    // Many small ones of one name (workers) can together be the hog.
    if (alike.length > 3 && total > bytes * 3)
      return { what: 'processes', name: task.name, bytes: total };
    return { what: 'process', pid: task.pid, name: task.name, bytes };
  }
  if (usage !== undefined && victimBytes !== undefined && victimBytes >= usage * ownedShare)
    return { what: 'process', ...pidAndName(victim), bytes: victimBytes };
  return null;
}

function withoutProcess(report: OomReport, usage: number): CulpritRole | null {
  const shares: readonly [CulpritRole['what'], number | undefined][] = [
    ['tmpfs', stat(report, 'shmem')],
    ['slab', stat(report, 'slab_unreclaimable')],
    ['sockets', stat(report, 'sock')],
    ['kernel', stat(report, 'kernel') ?? report.statBytes?.['kmem_usage']],
    ['page-cache', stat(report, 'cache') ?? stat(report, 'file')],
  ];
  for (const [what, bytes] of shares)
    if (bytes !== undefined && bytes >= usage * ownedShare) return { what, bytes };
  return null;
}

const pidAndName = ({ pid, name }: ProcessRole) => ({
  ...defined({ pid, name }),
});

const without: Partial<Record<CulpritRole['what'], string>> = {
  tmpfs: 'files on tmpfs or /dev/shm (shared memory)',
  slab: "the kernel's own structures (slab)",
  sockets: 'socket buffers',
  kernel: 'the kernel on behalf of the cgroup',
  'page-cache': 'cached files that could not be written back',
};
export const holderWords = (culprit: CulpritRole): string =>
  without[culprit.what] ??
  (culprit.what === 'processes' ? `the processes named ${culprit.name}` : nameWithPid(culprit));

/** Where it was killed at its limit the need is not known: only that it was more. */
function moreForCgroup(path: string | undefined, report: OomReport | null): Advice {
  const limitBytes = report?.limitBytes ?? report?.usageBytes;
  if (limitBytes === undefined) return remedy('raise-unknown-cgroup-limit');
  const twice = limitBytes * 2;
  const command = path === undefined ? null : limitCommand(path, twice);
  return remedy('raise-cgroup-limit', path, limitBytes, twice, command);
}

export function remediesFor(
  kill: Pick<KernelOomKill, 'victim' | 'constraint' | 'oomMemcg'>,
  report: OomReport | null,
  culprit: CulpritRole | null,
): Advice[] {
  const remedies: Advice[] = [];
  if (culprit?.what === 'tmpfs') remedies.push(remedy('free-tmpfs'));
  if (kill.constraint === 'memcg') remedies.push(moreForCgroup(kill.oomMemcg, report));
  else if (kill.constraint === 'cpuset' || kill.constraint === 'memory-policy')
    remedies.push(remedy('more-numa-nodes'));
  else if (isLimitOpen(kill.constraint, report)) remedies.push(remedy('find-whose-limit'));
  else remedies.push(remedy('own-limit-for-the-hungry'));
  remedies.push(remedy('record-where-it-goes'));
  return remedies;
}
