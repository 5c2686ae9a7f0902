import { isMachineShort } from '../../model/shortage.ts';
import { nameWithPid } from '../../model/name-with-pid.ts';
import type { CgroupCounters, ProcessExit } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import type { Reason } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { killsOf } from '../shared/by-pid.ts';
import { killsLeft, oomBudget, wentWith, type OomBudget } from '../shared/oom-budget.ts';
import { defineRule, reason, type RuleContext } from '../shared/define-rule.ts';
import {
  kernelLogRead,
  levelsOf,
  limitOwner,
  localKills,
  subjectOf,
  unknownKernelLog,
  peakOf,
  victimOf,
} from '../shared/recorded.ts';

/**
 * SIGKILL while the OOM killer's counter of its cgroup moved: no record names the process, so at most `strong`.
 * Where the kernel log was readable the log's own rule speaks, with certainty.
 */
export const oomKillCounter = defineRule({
  id: 'oom-kill-counter',
  title: 'A SIGKILL while an OOM counter moved',
  needs: ['process-exit'],
  uses: ['cgroup-counters', 'host-counters', 'kernel-oom-kill'],
  judge: (facts, context) => {
    const findings: Finding[] = [];
    const budget = oomBudget(facts);
    for (const [exit, { own, sure }] of budget.deaths) {
      // Where the kernel log names it, the counters bear it out, and know the limit that a kill without its report lacks.
      const named = killsOf(exit, facts['kernel-oom-kill']).length > 0;
      const levels = levelsOf(exit, facts['cgroup-counters']);
      const hostKills = facts['host-counters'][0]?.oomKills;
      const owner = limitOwner(levels);
      const host = facts['host-counters'][0];
      // In a container the limit may be that of a cgroup above, which cannot be seen from inside: the machine only where it was short.
      const machineWasShort =
        isMachineShort({
          leftBytes: host?.minAvailableBytes,
          totalBytes: host?.totalBytes,
        }) ?? true;
      const because: Reason[] = [
        reason(exit, `${nameWithPid(exit)} was ended by SIGKILL`),
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
        cause: owner === null && machineWasShort ? 'kernel-global-oom' : 'kernel-cgroup-oom',
        ...((own.groupKills ?? 0) > 0 ? { variant: 'group-kill' } : {}),
        confidence: sure && owner !== null ? 'strong' : 'likely',
        headline:
          owner === null
            ? `The kernel killed ${nameWithPid(exit)} for memory; no limit of its cgroups was hit, so ${machineWasShort ? 'the machine was out of memory' : 'it was one above them that cannot be seen from here'}`
            : `The kernel killed ${nameWithPid(exit)}: its cgroup ${owner.path} reached its ${formatBytes(owner.limitBytes ?? 0)} limit`,
        because,
        victim: victimOf(exit),
        killer: { name: 'kernel' },
        limit:
          owner === null
            ? machineWasShort
              ? { owner: 'host', bytes: host?.totalBytes ?? null }
              : { owner: 'cgroup', bytes: null }
            : { owner: 'cgroup', path: owner.path, bytes: owner.limitBytes },
        memory: peakOf(exit),
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
    return [...findings, ...unseen(facts, budget, context)];
  },
});

function byCgroup(
  exits: readonly ProcessExit[],
): ReadonlyMap<string | undefined, readonly ProcessExit[]> {
  const groups = new Map<string | undefined, ProcessExit[]>();
  for (const exit of exits) {
    const group = groups.get(exit.cgroup);
    if (group === undefined) groups.set(exit.cgroup, [exit]);
    else group.push(exit);
  }
  return groups;
}

/**
 * A cgroup's counter rose, and nobody saw the status of who died: its parent had reaped it before the next sample (a pool's worker).
 * The largest of those that vanished there is the likeliest. The kernel log, where it was read, has the name.
 */
function unseen(
  facts: {
    readonly 'process-exit': readonly ProcessExit[];
    readonly 'cgroup-counters': readonly CgroupCounters[];
    readonly 'kernel-oom-kill': readonly unknown[];
  },
  budget: OomBudget,
  context: RuleContext,
): readonly Finding[] {
  if (kernelLogRead(context) || facts['kernel-oom-kill'].length > 0) return [];
  const exitsIn = byCgroup(facts['process-exit']);
  return facts['cgroup-counters'].flatMap((own): readonly Finding[] => {
    if (killsLeft(budget, own) === 0) return [];
    const [exit, next] = wentWith(exitsIn.get(own.path) ?? [], budget, own).toSorted(
      (a, b) => (b.peakRssBytes ?? 0) - (a.peakRssBytes ?? 0),
    );
    if (exit === undefined) return [];
    const owner = limitOwner(levelsOf(exit, facts['cgroup-counters']));
    if (owner === null) return [];
    const clear = (exit.peakRssBytes ?? 0) >= 2 * (next?.peakRssBytes ?? 0);
    return [
      {
        subject: subjectOf(exit),
        cause: 'kernel-cgroup-oom',
        confidence: clear ? 'likely' : 'weak',
        headline: `The kernel killed a process of cgroup ${own.path}, ${clear ? 'most likely' : 'perhaps'} ${nameWithPid(exit)}: cgroup ${owner.path} reached its ${formatBytes(owner.limitBytes ?? 0)} limit`,
        because: [
          reason(
            own,
            `the OOM killer's counter of cgroup ${own.path} rose by ${localKills(own)} during the run`,
          ),
          reason(
            exit,
            `${nameWithPid(exit)} vanished from it, and nobody saw how it ended${exit.peakRssBytes === undefined ? '' : `; it had held ${exit.peakIsLeast === true ? 'at least' : 'up to'} ${formatBytes(exit.peakRssBytes)}`}`,
          ),
        ],
        victim: victimOf(exit),
        killer: { name: 'kernel' },
        limit: { owner: 'cgroup', path: owner.path, bytes: owner.limitBytes },
        memory: peakOf(exit),
        unknown: unknownKernelLog(context),
      },
    ];
  });
}
