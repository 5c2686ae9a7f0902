import { nameWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { KernelNotice } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { defineRule, reason } from '../shared/define-rule.ts';

interface Reading {
  readonly variant: string;
  readonly headline: (name: string) => string;
  readonly says: string;
}

/** Lines that look like a memory death and are none. */
const readings: Partial<Record<KernelNotice['what'], Reading>> = {
  'page-allocation-failure': {
    variant: 'page-allocation-failure',
    headline: (name) =>
      `An allocation of the kernel failed on behalf of ${name}; nobody died of it`,
    says: 'the kernel could not get free pages in one piece (a driver or network buffer) and went on: usually harmless',
  },
  'hung-task': {
    variant: 'hung-task',
    headline: (name) =>
      `${name} hung in the kernel: waiting for a disk, a lock or a file system, not killed`,
    says: 'the kernel reports a task that waits for long; it says nothing about a shortage of memory',
  },
  'fork-rejected-pids': {
    variant: 'pids-limit',
    headline: () => 'A fork was refused: the pids limit of the cgroup was reached, not memory',
    says: 'the limit on the number of tasks was reached',
  },
  'hardware-poison': {
    variant: 'hardware-memory-error',
    headline: (name) => `${name} was killed for a hardware memory error, not a shortage`,
    says: 'a memory module or its bus is faulty',
  },
  'soft-lockup': {
    variant: 'soft-lockup',
    headline: (name) => `A CPU was stuck in ${name}: not memory`,
    says: 'a CPU did not schedule for a long time (overloaded host, stuck loop)',
  },
  'gpu-fault': {
    variant: 'gpu-fault',
    headline: () => "The GPU's driver reported a fault: not the host's memory",
    says: 'an Xid record of the NVIDIA driver',
  },
  'panic-other': {
    variant: 'kernel-panic',
    headline: () => 'The kernel panicked for a reason other than memory',
    says: 'the whole machine stopped',
  },
};

export const kernelNotice = defineRule({
  id: 'kernel-notice',
  title: 'A line of the kernel that is mistaken for a memory death',
  needs: ['kernel-notice'],
  uses: ['kernel-oom-kill', 'kernel-oom-without-kill', 'metrics'],
  judge: (facts) => {
    // Beside a real kill these lines are its surroundings, not deaths of their own.
    if (facts['kernel-oom-kill'].length + facts['kernel-oom-without-kill'].length > 0) return [];
    const seen = new Map<string, Finding>();
    // What stands on its stack says that it was memory after all that a task hung for.
    const starved = new Set(
      facts.metrics.flatMap(({ reading, pid }) =>
        reading === 'thrashing' && pid !== undefined ? [pid] : [],
      ),
    );
    for (const notice of facts['kernel-notice']) {
      const reading = readings[notice.what];
      if (reading === undefined) continue;
      if (notice.what === 'hung-task' && starved.has(notice.pid ?? -1)) continue;
      const key = `${notice.what}|${notice.name ?? ''}|${notice.pid ?? ''}`;
      if (seen.has(key)) continue;
      const name = nameWithPid(notice);
      seen.set(key, {
        subject: {
          ...defined({ pid: notice.pid, name: notice.name, when: notice.when }),
          position: notice.origin.line ?? 0,
        },
        cause: 'not-memory',
        variant: reading.variant,
        confidence: 'strong',
        headline: reading.headline(name),
        because: [reason(notice, reading.says)],
        ...(notice.name === undefined
          ? {}
          : {
              victim: {
                ...defined({ pid: notice.pid }),
                name: notice.name,
              },
            }),
      });
    }
    return [...seen.values()];
  },
});
