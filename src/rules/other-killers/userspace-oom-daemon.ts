import type { Advice } from '../../model/finding.ts';
import type { KillerRecord } from '../../model/evidence.ts';
import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';
import { supervisorSetting } from '../shared/supervisors.ts';
import { remedy } from '../shared/remedies.ts';

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
        headline: ({ record, who, by, figures }) =>
          supervisorSetting[record.reporter] !== undefined
            ? `${by} ended ${who ?? 'the process'} at the memory limit that it watches${figures}`
            : // Ray's early monitor raised an exception in the task: nobody was killed
              `${by} ${record.death === 'obvious' ? 'ended' : 'killed'} ${who ?? 'the process'} to free memory${figures}`,
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

function remedies({ reporter, variant, limit }: KillerRecord): readonly Advice[] {
  const watch = remedy('find-what-filled-memory');
  switch (reporter) {
    case 'earlyoom':
      return [remedy('tune-earlyoom'), watch];
    case 'systemd-oomd':
      return [remedy('tune-systemd-oomd', variant === 'swap'), watch];
    case 'dask nanny':
      return [remedy('raise-dask-worker-limit'), remedy('look-at-unmanaged-memory')];
    case 'ray':
      return [remedy('reserve-ray-memory')];
    default:
      return supervisorSetting[reporter] === undefined
        ? [watch]
        : [
            remedy('raise-supervisor-limit', supervisorSetting[reporter], limit?.bytes),
            remedy('record-leak-or-peak'),
          ];
  }
}
