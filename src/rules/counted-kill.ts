import type { CgroupCounters, ProcessExit } from '../model/evidence.ts';
import type { Finding } from '../model/finding.ts';
import type { Reason, Unknown } from '../model/report.ts';
import { formatBytes } from '../model/units.ts';
import { defineRule, reason, type RuleContext } from './define-rule.ts';

/**
 * SIGKILL while the OOM killer's counter of its cgroup moved (K2, K2b, K3): no record names the process, so at most `strong`.
 * Where the kernel log was readable the log's own rule speaks, with certainty.
 */
export const countedKill = defineRule({
  id: 'counted-kill',
  title: 'A SIGKILL while an OOM counter moved',
  needs: ['process-exit'],
  uses: ['cgroup-counters', 'host-counters', 'kernel-oom-kill'],
  judge: (facts, context) => {
    const findings: Finding[] = [];
    const killed = facts['process-exit'].filter(({ signal }) => signal === 'SIGKILL');
    for (const exit of killed) {
      if (facts['kernel-oom-kill'].some(({ victim }) => isSame(victim.pid, exit))) continue;
      const levels = levelsOf(exit, facts['cgroup-counters']);
      const own = levels.find((counters) => (localKills(counters) ?? 0) > 0);
      const hostKills = facts['host-counters'][0]?.oomKills;
      if (own === undefined) continue;
      // Kills by others in the same cgroup make it less sure that this one was it.
      const alone =
        killed.filter(({ cgroup }) => cgroup === exit.cgroup).length <= (localKills(own) ?? 0);
      const owner = limitOwner(levels);
      const because: Reason[] = [
        reason(exit, `${exit.name} (pid ${exit.pid}) was ended by SIGKILL`),
        reason(
          own,
          `the OOM killer's counter of cgroup ${own.path} rose by ${localKills(own)} during the run`,
        ),
      ];
      if (owner !== null && owner !== own)
        because.push(
          reason(
            owner,
            `cgroup ${owner.path} reached its limit of ${formatBytes(owner.limitBytes ?? 0)}`,
          ),
        );
      findings.push({
        subject: subjectOf(exit),
        cause: owner === null ? 'kernel-global-oom' : 'kernel-cgroup-oom',
        ...((own.groupKills ?? 0) > 0 ? { variant: 'group-kill' } : {}),
        confidence: alone && owner !== null ? 'strong' : 'likely',
        headline:
          owner === null
            ? `The kernel killed ${exit.name} (pid ${exit.pid}) for memory; no limit of its cgroups was hit, so the machine was out of memory`
            : `The kernel killed ${exit.name} (pid ${exit.pid}): its cgroup ${owner.path} reached its ${formatBytes(owner.limitBytes ?? 0)} limit`,
        because,
        victim: {
          pid: exit.pid,
          name: exit.name,
          ...(exit.cgroup === undefined ? {} : { cgroup: exit.cgroup }),
          ...(exit.command === undefined ? {} : { command: exit.command }),
        },
        killer: { name: 'kernel' },
        limit:
          owner === null
            ? { owner: 'host', bytes: facts['host-counters'][0]?.totalBytes ?? null }
            : { owner: 'cgroup', path: owner.path, bytes: owner.limitBytes },
        memory: exit.peakRssBytes === undefined ? {} : { peakRssBytes: exit.peakRssBytes },
        unknown: unknownKernelLog(context),
        ...(hostKills === 0
          ? {
              against: [
                { says: 'the host counted no OOM kill', source: 'proc', place: '/proc/vmstat' },
              ],
            }
          : {}),
      });
    }
    return findings;
  },
});

const isSame = (pid: number | undefined, exit: ProcessExit) =>
  pid !== undefined && (pid === exit.pid || (exit.otherPids ?? []).includes(pid));

export const subjectOf = (exit: ProcessExit): Finding['subject'] => ({
  pid: exit.pid,
  ...(exit.otherPids === undefined ? {} : { otherPids: exit.otherPids }),
  name: exit.name,
  ...(exit.cgroup === undefined ? {} : { cgroup: exit.cgroup }),
  ...(exit.when === undefined ? {} : { when: exit.when }),
  position: exit.origin.line ?? 0,
});

/** The cgroups that bind a process, its own first. */
export function levelsOf(
  exit: ProcessExit,
  counters: readonly CgroupCounters[],
): readonly CgroupCounters[] {
  const { cgroup } = exit;
  if (cgroup === undefined) return [];
  return counters
    .filter(({ path }) => path === cgroup || path === '/' || cgroup.startsWith(`${path}/`))
    .toSorted((a, b) => b.path.length - a.path.length);
}

/** Kills counted in this very cgroup. v1 counts only there; on v2 the hierarchical counter tells of descendants too. */
export const localKills = (counters: CgroupCounters): number | undefined =>
  counters.localOomKills ?? (counters.version === 1 ? counters.oomKills : undefined);

/**
 * Whose limit fired: on v2 the level whose own `oom` moved, else the innermost level that was hit and has a limit (K2b, K4).
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
export function unknownKernelLog({ sources }: RuleContext): readonly Unknown[] {
  const log = sources.find(({ id }) => id === 'kernel-log');
  if (log?.status === 'read') return [];
  return [
    {
      what: "the kernel's own record of the kill",
      why:
        log === undefined
          ? 'the kernel log was not asked'
          : `the kernel log (${log.place}) could not be read: ${log.status}${log.detail === undefined ? '' : ` (${log.detail})`}`,
      command: log?.command ?? 'sudo dmesg -T | grep -iE "killed process|out of memory"',
    },
  ];
}
