import { nameWithPid } from '../../model/name-with-pid.ts';
import type { Finding } from '../../model/finding.ts';
import { killsOf } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { subjectOf } from '../shared/recorded.ts';

/** What became of the parent when the kernel had killed its child: pools wait for ever, and nobody sees why. */
export const killedChild = defineRule({
  id: 'killed-child',
  title: 'The killed process was a child, and its parent went on or hung',
  needs: ['kernel-oom-kill', 'process-exit'],
  judge: (facts) =>
    facts['process-exit'].flatMap((exit): readonly Finding[] => {
      const [kill] = killsOf(exit, facts['kernel-oom-kill']);
      const { parent, parentAfterwards } = exit;
      if (kill === undefined || parent === undefined || parentAfterwards === undefined) return [];
      if (parentAfterwards === 'ended') return [];
      const hangs = parentAfterwards === 'hangs';
      return [
        {
          subject: subjectOf(exit),
          cause: kill.constraint === 'memcg' ? 'kernel-cgroup-oom' : 'kernel-global-oom',
          confidence: 'likely',
          headline: `The kernel killed ${nameWithPid(exit)}, a child of ${nameWithPid(parent)}`,
          because: [
            reason(
              exit,
              hangs
                ? `its parent ${nameWithPid(parent)} lived on and hardly computed`
                : `its parent ${nameWithPid(parent)} went on`,
            ),
          ],
          related: [
            {
              pid: parent.pid,
              name: parent.name,
              relation: 'parent',
              how: hangs
                ? 'its parent, which lived on and hardly computed'
                : 'its parent, which went on',
            },
          ],
        },
      ];
    }),
});
