import type { ProgramError } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { isMistaken, mistaken } from '../shared/mistaken-words.ts';
import { atUsersLine, groupRepeated, subjectOf } from '../shared/subjects.ts';

export const notMemoryErrors = defineRule({
  id: 'not-memory-errors',
  title: 'Errors that are mistaken for a lack of memory',
  needs: ['program-error'],
  uses: [
    'program-abort',
    'kernel-oom-kill',
    'kernel-oom-without-kill',
    'killer-record',
    'death-notice',
    'metrics',
  ],
  judge: (facts) => {
    const errors = facts['program-error'];
    const known = errors.filter(isMistaken);
    const findings = groupRepeated(known).map(([error, ...again]) => mistaken(error, again.length));
    const nothingElse =
      findings.length === 0 &&
      errors.every(
        ({ resource, actualMeaning }) => resource === 'none' && actualMeaning === undefined,
      ) &&
      facts['program-abort'].length +
        facts['kernel-oom-kill'].length +
        facts['kernel-oom-without-kill'].length +
        facts['killer-record'].length +
        facts['death-notice'].length +
        facts.metrics.length ===
        0;
    const last = errors.at(-1)!;
    return nothingElse ? [ordinary(last)] : findings;
  },
});

function ordinary(error: ProgramError): Finding {
  const type = error.type.split('.').at(-1)!;
  return {
    subject: subjectOf(error, error),
    cause: 'not-memory',
    variant: 'other-exception',
    exception: type,
    confidence: 'likely',
    headline: `It ended with ${type}${atUsersLine(error.stack)}, which does not speak of memory`,
    because: [reason(error, `The last exception is ${error.type}`)],
    ...(error.stack.length === 0 ? {} : { stack: error.stack }),
    remedies: [],
  };
}
