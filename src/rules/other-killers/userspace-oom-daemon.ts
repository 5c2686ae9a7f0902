import type { KillerRecord } from '../../model/evidence.ts';
import type { Remedy } from '../../model/report.ts';
import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';

export const userspaceOomDaemon = defineRule({
  id: 'userspace-oom-daemon',
  title: 'A memory guard in user space ended it',
  needs: ['killer-record'],
  uses: ['stated-limit'],
  judge: ({ 'killer-record': records, 'stated-limit': limits }) =>
    killerFindings(
      records,
      {
        cause: 'userspace-oom-daemon',
        remedies,
        ruledOut: ({ reporter }) => [
          {
            cause: 'kernel-global-oom',
            because: `${reporter} acts before the kernel has to: its own record names the victim`,
          },
        ],
        limitOf: ({ reporter }) => (reporter === 'dask nanny' ? ['worker'] : []),
      },
      { limits },
    ),
});

function remedies({ reporter, variant }: KillerRecord): readonly Remedy[] {
  const watch: Remedy = {
    title: 'Find what really filled the memory',
    detail: 'A guard ends the process with the highest score, which need not be the one that grew.',
    command: 'ps -eo pid,rss,swap,comm --sort=-rss | head',
  };
  switch (reporter) {
    case 'earlyoom':
      return [
        {
          title: 'Tell earlyoom what to spare and when to act',
          detail:
            '--avoid REGEX spares names, --prefer REGEX offers others, -m and -s set the thresholds (10 % by default); it sends SIGTERM first, so the program may save its work in a handler.',
          command: 'systemctl cat earlyoom; cat /etc/default/earlyoom',
        },
        watch,
      ];
    case 'systemd-oomd':
      return [
        {
          title:
            variant === 'swap'
              ? 'Give it more swap or a higher threshold'
              : 'Raise the pressure limit or its duration, or spare the unit',
          detail:
            'It ends a whole cgroup (a terminal with all that runs in it). ManagedOOMPreference=avoid spares a unit; run the job in a scope of its own: systemd-run --user --scope COMMAND.',
          command:
            'oomctl; systemctl show -p ManagedOOMSwap -p ManagedOOMMemoryPressure -p ManagedOOMMemoryPressureLimit UNIT',
        },
        watch,
      ];
    case 'dask nanny':
      return [
        {
          title: 'Give each worker more memory, or smaller partitions',
          detail:
            'memory_limit= per worker, fewer workers or threads per worker, smaller chunks. The nanny restarts a worker at distributed.worker.memory.terminate (95 %).',
          command: null,
        },
        {
          title: 'Look at the unmanaged memory',
          detail:
            'Memory that dask does not know of (leaks, other libraries, memory not returned to the system): MALLOC_TRIM_THRESHOLD_=65536 often helps.',
          command: null,
        },
      ];
    case 'ray':
      return [
        {
          title: 'Reserve memory for the task, or run fewer at a time',
          detail:
            '@ray.remote(memory=…) or num_cpus=… bounds how many run together; RAY_memory_usage_threshold moves the limit (0.95).',
          command: 'ray memory',
        },
      ];
    default:
      return [watch];
  }
}
