import { isMachineShort } from '../../model/shortage.ts';
import { nameWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import {
  levelsOf,
  limitOwner,
  peakOf,
  subjectOf,
  unknownKernelLog,
  victimOf,
} from '../shared/recorded.ts';

/**
 * The tracepoint oom:mark_victim names the very process: certain without a kernel log. Whose limit it was is not in it: the
 * counters tell, and where they do not, that part stays open.
 */
export const oomMarkVictim = defineRule({
  id: 'oom-mark-victim',
  title: 'A tracepoint saw the OOM killer choose a process',
  needs: ['process-exit'],
  uses: ['cgroup-counters', 'host-counters'],
  judge: (facts, context) =>
    facts['process-exit'].flatMap((exit): readonly Finding[] => {
      const mark = exit.markedVictim;
      if (mark === undefined || exit.signal !== 'SIGKILL') return [];
      const owner = limitOwner(levelsOf(exit, facts['cgroup-counters']));
      const host = facts['host-counters'][0];
      // A limit above what can be seen from a container is likelier than a machine that had room.
      const machineWasShort =
        isMachineShort({
          leftBytes: host?.minAvailableBytes,
          totalBytes: host?.totalBytes,
        }) === true;
      const ofMachine = owner === null && machineWasShort;
      const limitSays =
        owner !== null
          ? `: its cgroup ${owner.path} reached its ${formatBytes(owner.limitBytes ?? 0)} limit`
          : ofMachine
            ? ': the machine was out of memory'
            : ' for memory; whose limit was reached is not known';
      const { totalVmBytes, anonRssBytes, fileRssBytes, shmemRssBytes } = mark;
      return [
        {
          subject: subjectOf(exit),
          cause: ofMachine ? 'kernel-global-oom' : 'kernel-cgroup-oom',
          // A limit that was hit does not rule out a machine that was short as well.
          confidence: owner === null || machineWasShort ? 'strong' : 'certain',
          headline: `The kernel killed ${nameWithPid(exit)}${limitSays}`,
          because: [
            {
              says: `the kernel's OOM killer chose ${nameWithPid(exit)}${anonRssBytes === undefined ? '' : `, which held ${formatBytes(anonRssBytes)} of anonymous memory`}`,
              source: 'tracefs',
              place: mark.place,
              quote: mark.quote,
            },
            reason(exit, `${nameWithPid(exit)} was ended by SIGKILL`),
            ...(owner === null
              ? []
              : [
                  reason(
                    owner,
                    `cgroup ${owner.path} reached its limit of ${formatBytes(owner.limitBytes ?? 0)}`,
                  ),
                ]),
          ],
          victim: {
            ...victimOf(exit),
            ...defined({ totalVmBytes, anonRssBytes, fileRssBytes, shmemRssBytes }),
          },
          killer: { name: 'kernel' },
          limit:
            owner !== null
              ? { owner: 'cgroup', path: owner.path, bytes: owner.limitBytes }
              : ofMachine
                ? { owner: 'host', bytes: host?.totalBytes ?? null }
                : { owner: 'cgroup', bytes: null },
          memory: peakOf(exit),
          unknown: unknownKernelLog(context),
        },
      ];
    }),
});
