import { isAncestorCgroup } from '../../model/cgroup-path.ts';
import type { KernelOomKill, StandingCgroup } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { remedy } from '../shared/remedies.ts';

/**
 * Counters of a cgroup that still stands: kills happened in it, when and of whom they do not tell.
 * Silent where the kernel log names the kills of that cgroup.
 */
export const standingCgroup = defineRule({
  id: 'standing-cgroup',
  title: 'Counters of cgroups that still stand',
  needs: ['standing-cgroup'],
  uses: ['kernel-oom-kill', 'killer-record'],
  judge: (facts, { sources }) =>
    facts['standing-cgroup']
      .filter((cgroup) => unexplained(cgroup, facts['kernel-oom-kill']) > 0)
      .map((cgroup, index) =>
        judgeCgroup(
          cgroup,
          unexplained(cgroup, facts['kernel-oom-kill']),
          index,
          facts['standing-cgroup'],
          sources.some(({ id, status }) => id === 'kernel-log' && status !== 'read'),
        ),
      ),
});

/** Kills that no line of the kernel log names. */
function unexplained({ path, oomKills }: StandingCgroup, kills: readonly KernelOomKill[]): number {
  const named = kills.filter(
    ({ taskMemcg, victim }) => (taskMemcg ?? victim.cgroup) === path,
  ).length;
  return oomKills - named;
}

function judgeCgroup(
  cgroup: StandingCgroup,
  kills: number,
  index: number,
  all: readonly StandingCgroup[],
  logUnreadable: boolean,
): Finding {
  const { path, limitBytes, ooms, limitHits, version } = cgroup;
  // v2 counts `oom` where the limit was hit and `oom_kill` where the victim lived; in v1 a limit that was never hit brought no kill.
  const elsewhere = version === 2 ? ooms === 0 : limitHits === 0;
  const above = all.find(
    (other) =>
      other.version === version &&
      isAncestorCgroup(other.path, path) &&
      (version === 2 ? (other.ooms ?? 0) > 0 : (other.limitHits ?? 0) > 0),
  );
  const limit = limitBytes === null ? '' : `: its limit is ${formatBytes(limitBytes)}`;
  return {
    subject: { label: path, cgroup: path, position: index },
    cause: elsewhere && above === undefined ? 'kernel-global-oom' : 'kernel-cgroup-oom',
    confidence: elsewhere ? 'weak' : 'likely',
    headline: `The OOM killer has killed ${kills === 1 ? 'a process' : `${kills} processes`} of the cgroup ${path} since it was made${elsewhere ? (above === undefined ? ', and not for its own limit' : `, for the limit of ${above.path} above it`) : limit}`,
    because: [
      reason(
        cgroup,
        `the cgroup counts ${cgroup.oomKills} kills by the OOM killer; the log names ${cgroup.oomKills - kills} of them`,
      ),
      ...(cgroup.limitHits === undefined || cgroup.limitHits === 0
        ? []
        : [reason(cgroup, `it has hit its own limit ${cgroup.limitHits} times`)]),
    ],
    victim: { cgroup: path },
    ...(elsewhere
      ? above === undefined
        ? {}
        : { limit: { owner: 'cgroup' as const, path: above.path, bytes: above.limitBytes } }
      : { limit: { owner: 'cgroup' as const, path, bytes: limitBytes } }),
    unknown: [
      {
        id: 'which-process-and-when',
        what: 'Which process it was, and when',
        why: `counters have no names and no times, and the kernel log ${logUnreadable ? 'could not be read' : 'that is left does not mention it'}`,
        command: 'sudo journalctl _TRANSPORT=kernel | grep -A1 oom-kill',
      },
    ],
    remedies: [remedy('record-the-next-kill')],
  };
}
