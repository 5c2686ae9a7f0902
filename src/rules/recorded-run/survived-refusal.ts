import { nameWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type {
  FailedAllocation,
  KernelRefusal,
  ProcessExit,
  ProgramAbort,
  ProgramError,
} from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { ofProcess } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { peakOf, subjectOf, victimOf } from '../shared/recorded.ts';
import { requestOf } from '../shared/kernel-crashes.ts';
import { atUsersLine } from '../shared/subjects.ts';
import { limitOf } from './refusing-limit.ts';

/** Memory was refused, or an exception says so, and the process ended well: no death, worth a word. */
export const survivedRefusal = defineRule({
  id: 'survived-refusal',
  title: 'Memory was refused and the program went on',
  needs: ['process-exit'],
  uses: [
    'kernel-refusal',
    'failed-allocation',
    'program-error',
    'program-abort',
    'process-limits',
    'host-counters',
  ],
  judge: (facts) =>
    facts['process-exit'].flatMap((exit): readonly Finding[] => {
      if (exit.exitCode !== 0) return [];
      const seen: Seen = {
        refusals: ofProcess(exit, facts['kernel-refusal']),
        failures: ofProcess(exit, facts['failed-allocation']),
        words: [
          ...ofProcess(exit, facts['program-error']),
          ...ofProcess(exit, facts['program-abort']),
        ].filter(({ resource }) => resource === 'memory'),
      };
      if (seen.refusals.length + seen.failures.length + seen.words.length === 0) return [];
      const error = seen.words.find((word) => word.kind === 'program-error');
      const limit =
        largestOf(seen)?.limit ?? (error === undefined ? undefined : limitOf(error, facts)?.limit);
      return [{ ...finding(exit, seen), ...defined({ limit }) }];
    }),
});

interface Seen {
  readonly refusals: readonly KernelRefusal[];
  readonly failures: readonly FailedAllocation[];
  readonly words: readonly (ProgramError | ProgramAbort)[];
}

const largestOf = ({ failures }: Seen): FailedAllocation | undefined =>
  failures.toSorted((a, b) => b.failure.bytes - a.failure.bytes)[0];

function finding(exit: ProcessExit, seen: Seen): Finding {
  const { refusals, failures, words } = seen;
  const thread = words.find((word) => word.kind === 'program-error' && word.fate === 'thread');
  const [word] = thread === undefined ? words : [thread];
  const largest = largestOf(seen);
  const request = word?.requestBytes ?? largest?.failure.bytes ?? requestOf(refusals);
  const stack =
    word !== undefined && word.stack.length > 0 ? word.stack : (largest?.failure.stack ?? []);
  return {
    subject: subjectOf(exit),
    cause: 'not-memory',
    variant: 'survived',
    death: 'none',
    outOfMemory: false,
    confidence: 'certain',
    headline: `${nameWithPid(exit)} ${whatHappened(seen, request, word)}${inThread(thread)}${atUsersLine(stack)}${exit.role === 'command' ? '' : ' and ended well'}`,
    because: [
      reason(exit, 'it exited with status 0'),
      ...words.slice(0, 3).map((one) => reason(one, saysOf(one))),
      ...refusals.map((refusal) => reason(refusal, 'the kernel refused it memory')),
      ...failures
        .slice(0, 3)
        .map((failed) => reason(failed, `an allocation of ${failed.failure.bytes} bytes failed`)),
    ],
    request: { bytes: request },
    stack,
    victim: victimOf(exit),
    memory: peakOf(exit),
  };
}

/** An exception without a size, and nobody who saw a refusal, may have been raised by hand. */
function whatHappened(
  { refusals, failures }: Seen,
  request: number | null,
  word: ProgramError | ProgramAbort | undefined,
): string {
  if (request !== null) return `was refused ${formatBytes(request)}`;
  if (refusals.length + failures.length > 0) return 'was refused memory';
  return word?.kind === 'program-error'
    ? `raised ${word.type.split('.').at(-1)}`
    : 'reported a failed allocation';
}

const inThread = (word: ProgramError | ProgramAbort | undefined): string =>
  word?.kind !== 'program-error'
    ? ''
    : ` in ${word.threadName === undefined ? 'a thread' : `thread ${word.threadName}`}`;

function saysOf(word: ProgramError | ProgramAbort): string {
  if (word.kind === 'program-abort') return `${word.reporter} says that an allocation failed`;
  switch (word.fate) {
    case 'thread':
      return `${word.type} ended the thread ${word.threadName ?? ''}`.trimEnd();
    case 'ignored':
      return `${word.type} was swallowed`;
    case 'uncaught':
      return `${word.type} was printed, and the process went on`;
    default:
      return `${word.type} was caught and printed`;
  }
}
