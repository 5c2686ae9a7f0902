import type { KillerRecord } from '../../model/evidence.ts';
import type { Remedy } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule } from '../shared/define-rule.ts';
import { killerFindings, type Context } from '../shared/killer-records.ts';

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
      metrics: facts.metrics,
      kernelKills: facts['kernel-oom-kill'],
    };
    const spec = { remedies, limitOf: ['container', 'unit'] as const };
    const cgroup = killerFindings(records, { cause: 'kernel-cgroup-oom', ...spec }, context);
    const others = (['kernel-global-oom', 'kernel-cpuset-oom'] as const).flatMap((cause) =>
      killerFindings(
        records,
        // A machine of fly.io's is a virtual machine for one app: what was asked for is all it has.
        { cause, remedies, limitOf: ({ reporter }) => (reporter === 'fly.io' ? ['platform'] : []) },
        context,
      ),
    );
    // The kernel's own report without its kill line tells more than the flag that echoes it.
    const silent =
      facts['kernel-oom-kill'].length === 0 && facts['kernel-oom-without-kill'].length > 0;
    return silent ? others : [...cgroup, ...others];
  },
});

function remedies({ limit, reporter, cause }: KillerRecord): readonly Remedy[] {
  if (cause === 'kernel-global-oom' && reporter === 'fly.io')
    return [
      {
        title: `Give the machine more memory${limit?.bytes == null ? '' : ` than ${formatBytes(limit.bytes)}`}, or use less`,
        detail:
          'It is a virtual machine of its own: its kernel kills when all of its memory is in use. A swap file (swap_size_mb) softens short peaks.',
        command: 'fly scale show; fly scale memory 2048',
      },
    ];
  if (cause === 'kernel-global-oom' && (reporter === 'FreeBSD' || reporter === 'NetBSD'))
    return [
      {
        title: 'Find what filled the machine',
        detail:
          'The kernel killed the largest process it could; others, the ZFS cache (vfs.zfs.arc_max) or a tmpfs may have held the memory. Swap softens short peaks.',
        command: 'top -b -o res 20; swapinfo -h',
      },
    ];
  if (cause === 'kernel-global-oom')
    return [
      {
        title: 'Find what filled the machine',
        detail:
          'The whole machine was out of memory, not this container: its limit would not have helped.',
        command: 'kubectl top pod -A --sort-by=memory | head',
      },
    ];
  return [
    {
      title: `Raise the memory limit${limit?.bytes == null ? '' : ` above ${formatBytes(limit.bytes)}`}, or use less`,
      detail:
        reporter === 'docker'
          ? 'docker run --memory=…; mem_limit or deploy.resources.limits.memory in Compose.'
          : reporter === 'systemd'
            ? 'MemoryMax= of the unit; OOMPolicy=continue keeps the unit alive when only a child was killed.'
            : 'resources.limits.memory of the container; kubectl top pod --containers shows the working set.',
      command: null,
    },
    {
      title: 'See whether it is a leak or a peak',
      detail: 'A limit only moves the death of a leak. Record one run.',
      command: 'coroner run COMMAND …',
    },
  ];
}
