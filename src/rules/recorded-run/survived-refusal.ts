import { nameWithPid } from '../../model/name-with-pid.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { ofProcess } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { subjectOf, victimOf } from '../shared/recorded.ts';
import { requestOf } from '../shared/kernel-crashes.ts';
import { atUsersLine } from '../shared/subjects.ts';

/** Memory was refused, the program dealt with it and ended well: no death, worth a word. */
export const survivedRefusal = defineRule({
  id: 'survived-refusal',
  title: 'Memory was refused and the program went on',
  needs: ['process-exit'],
  uses: ['kernel-refusal', 'failed-allocation', 'program-error'],
  judge: (facts) =>
    facts['process-exit'].flatMap((exit): readonly Finding[] => {
      if (exit.exitCode !== 0) return [];
      const refusals = ofProcess(exit, facts['kernel-refusal']);
      const failures = ofProcess(exit, facts['failed-allocation']);
      // A thread that died of it is a death of its own, told by its exception.
      const died = ofProcess(exit, facts['program-error']).some(
        ({ fate, resource }) => resource === 'memory' && (fate === 'thread' || fate === 'uncaught'),
      );
      if (died || refusals.length + failures.length === 0) return [];
      const largest = failures.toSorted((a, b) => b.failure.bytes - a.failure.bytes)[0];
      const request = largest?.failure.bytes ?? requestOf(refusals);
      const stack = largest?.failure.stack ?? [];
      return [
        {
          subject: subjectOf(exit),
          cause: 'not-memory',
          variant: 'survived',
          death: 'none',
          outOfMemory: false,
          confidence: 'certain',
          headline: `${nameWithPid(exit)} was refused ${request === null ? 'memory' : formatBytes(request)}${atUsersLine(stack)}, dealt with it and ended well`,
          because: [
            ...refusals.map((refusal) => reason(refusal, 'the kernel refused it memory')),
            ...failures
              .slice(0, 3)
              .map((failed) =>
                reason(failed, `an allocation of ${failed.failure.bytes} bytes failed`),
              ),
            reason(exit, 'it exited with status 0'),
          ],
          request: { bytes: request },
          stack,
          victim: victimOf(exit),
        },
      ];
    }),
});
