import type { Finding } from '../model/finding.ts';
import type { Reason } from '../model/report.ts';
import { formatBytes } from '../model/units.ts';
import { defineRule, reason } from './define-rule.ts';
import {
  isSame,
  levelsOf,
  limitOwner,
  localKills,
  subjectOf,
  unknownKernelLog,
  victimOf,
} from './recorded.ts';

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
      // Where the kernel log names it, the counters bear it out, and know the limit that a kill without its report lacks.
      const named = facts['kernel-oom-kill'].some(({ victim }) => isSame(victim.pid, exit));
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
        victim: victimOf(exit),
        killer: { name: 'kernel' },
        limit:
          owner === null
            ? { owner: 'host', bytes: facts['host-counters'][0]?.totalBytes ?? null }
            : { owner: 'cgroup', path: owner.path, bytes: owner.limitBytes },
        memory: exit.peakRssBytes === undefined ? {} : { peakRssBytes: exit.peakRssBytes },
        unknown: named ? [] : unknownKernelLog(context),
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
