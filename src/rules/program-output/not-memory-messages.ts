import type { ProgramAbort } from '../../model/evidence.ts';
import { defineRule } from '../shared/define-rule.ts';
import { isMistaken, mistaken } from '../shared/mistaken-words.ts';
import { groupRepeated } from '../shared/subjects.ts';

export const notMemoryMessages = defineRule({
  id: 'not-memory-messages',
  title: 'Last words that are mistaken for a lack of memory',
  needs: ['program-abort'],
  uses: ['program-error', 'kernel-oom-kill', 'killer-record'],
  judge: ({
    'program-abort': aborts,
    'program-error': errors,
    'kernel-oom-kill': kills,
    'killer-record': records,
  }) => {
    const isMoreTold =
      aborts.some((abort) => !isWarning(abort)) ||
      errors.some(({ resource }) => resource !== 'none') ||
      kills.length + records.length > 0;
    return groupRepeated(
      aborts.filter((abort) => isMistaken(abort) && !(isMoreTold && isWarning(abort))),
    ).map(([abort, ...again]) => mistaken(abort, again.length));
  },
});

/** tcmalloc notes each large allocation as it makes it: beside what did end the process that is no second end. */
const isWarning = ({ reporter, message }: ProgramAbort): boolean =>
  reporter === 'tcmalloc' && message.includes('large alloc');
