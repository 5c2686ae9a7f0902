import type { Advice } from '../../model/finding.ts';
import type { KillerRecord } from '../../model/evidence.ts';
import { defineRule } from '../shared/define-rule.ts';
import { killerFindings, type Context, type Told } from '../shared/killer-records.ts';
import { remedy } from '../shared/remedies.ts';

/** Kubernetes, Docker, containerd and systemd report kills of the kernel: second-hand, but their own record. */
export const kernelKillReportedByOthers = defineRule({
  id: 'kernel-kill-reported-by-others',
  title: 'A container runtime, orchestrator or service manager tells of a kill by the kernel',
  needs: ['killer-record'],
  uses: ['stated-limit', 'metrics', 'kernel-oom-kill', 'kernel-oom-without-kill'],
  judge: (facts) => {
    const records = facts['killer-record'];
    const context: Context = {
      limits: facts['stated-limit'],
      kernelKills: facts['kernel-oom-kill'],
    };
    const cgroup = killerFindings(
      records,
      {
        cause: 'kernel-cgroup-oom',
        killer: 'kernel',
        headline: cgroupHeadline,
        bareLimit: true,
        remedies,
        limitOf: ['container', 'unit'],
      },
      { ...context, metrics: facts.metrics },
    );
    const others = (['kernel-global-oom', 'kernel-cpuset-oom'] as const).flatMap((cause) =>
      killerFindings(
        records,
        {
          cause,
          killer: 'kernel',
          headline: machineHeadline,
          remedies,
          // A machine of fly.io's is a virtual machine for one app: what was asked for is all it has.
          limitOf: ({ reporter }) => (reporter === 'fly.io' ? ['platform'] : []),
        },
        context,
      ),
    );
    // The kernel's own report without its kill line tells more than the flag that echoes it.
    const silent =
      facts['kernel-oom-kill'].length === 0 && facts['kernel-oom-without-kill'].length > 0;
    return silent ? others : [...cgroup, ...others];
  },
});

function cgroupHeadline({ record, who, by, limit, figures }: Told): string {
  // systemd counts kills in the unit: whose limit it was, or the machine's end, it does not say
  if (record.reporter === 'systemd' && limit?.bytes == null)
    return `The kernel's OOM killer killed a process${who === null ? '' : ` of ${who}`}${figures}, says systemd`;
  return `The kernel killed ${who ?? 'a process of the container'} at its memory limit${figures}, says ${by}`;
}

const machineHeadline = ({ who, by, figures }: Told): string =>
  `The kernel killed ${who ?? 'a process'}: the whole machine was out of memory${figures}, says ${by}`;

function remedies({ limit, reporter, cause }: KillerRecord): readonly Advice[] {
  if (cause === 'kernel-global-oom') {
    if (reporter === 'fly.io') return [remedy('raise-virtual-machine', limit?.bytes)];
    const isBsd = reporter === 'FreeBSD' || reporter === 'NetBSD';
    return [remedy('find-what-filled-machine', isBsd ? 'bsd' : 'node')];
  }
  // systemd counts kills in the unit, by whatever limit.
  if (reporter === 'systemd' && limit?.bytes == null)
    return [remedy('find-whose-limit'), remedy('record-leak-or-peak')];
  return [remedy('raise-container-limit', reporter, limit?.bytes), remedy('record-leak-or-peak')];
}
