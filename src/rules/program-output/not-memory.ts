import { defined } from '../../model/defined.ts';
import type {
  DeathNotice,
  MisleadingMessage,
  ProgramAbort,
  ProgramError,
} from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { atUsersLine, groupRepeated, nameOf, subjectOf } from '../shared/subjects.ts';
import { remedy, type OtherResource } from '../shared/remedies.ts';

/** Resources whose shortage is mistaken for one of memory. */
const others: Readonly<Record<OtherResource, string>> = {
  disk: 'the disk was full',
  descriptors: 'too many files were open or watched',
  threads: 'no thread or process could be started',
  stack: 'calls were nested too deeply',
  none: 'the words only sound like memory',
};
const isOther = (resource: ProgramError['resource']): resource is OtherResource =>
  resource in others;

export const notMemoryErrors = defineRule({
  id: 'not-memory-errors',
  title: 'Errors that are mistaken for a lack of memory (P9, E12, E19, E22)',
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
    const known = errors.filter(
      (error) =>
        isOther(error.resource) && (error.resource !== 'none' || error.actualMeaning !== undefined),
    );
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

export const notMemoryMessages = defineRule({
  id: 'not-memory-messages',
  title: 'Last words that are mistaken for a lack of memory (E18)',
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
      aborts.filter(
        (abort) =>
          isOther(abort.resource) &&
          (abort.resource !== 'none' || abort.actualMeaning !== undefined) &&
          !(isMoreTold && isWarning(abort)),
      ),
    ).map(([abort, ...again]) => mistaken(abort, again.length));
  },
});

/** tcmalloc notes each large allocation as it makes it: beside what did end the process that is no second end. */
const isWarning = ({ reporter, message }: ProgramAbort): boolean =>
  reporter === 'tcmalloc' && message.includes('large alloc');

export const misleadingMessages = defineRule({
  id: 'misleading-messages',
  title: 'Words that name memory and mean something else',
  needs: ['misleading-message'],
  judge: ({ 'misleading-message': words }) =>
    [...new Map(words.map((fact) => [fact.meaning, fact])).values()].map(
      (fact: MisleadingMessage) => ({
        subject: subjectOf(fact, fact),
        cause: 'not-memory',
        confidence: 'strong',
        headline: `Not memory: ${fact.meaning}`,
        because: [reason(fact, fact.meaning)],
        remedies: [],
      }),
    ),
});

export const killedForOtherReason = defineRule({
  id: 'killed-for-other-reason',
  title: 'Killed, and whoever did it gives a reason that is not memory (L2)',
  needs: ['death-notice'],
  judge: ({ 'death-notice': notices }) => {
    const deaths: DeathNotice[][] = [];
    for (const notice of notices) {
      if (notice.otherReason === undefined) continue;
      const death = deaths
        .slice(-mostOpen)
        .find((told) =>
          [...told.slice(0, mostTold), ...told.slice(-mostTold)].every((other) =>
            isSameDeath(other, notice),
          ),
        );
      if (death === undefined) deaths.push([notice]);
      else death.push(notice);
    }
    // The one that knows most of it speaks for all: `Killing process 7 (x) of unit.service` before `unit.service failed`.
    return deaths.map((told) =>
      otherReason(
        told.find(({ pid, name }) => pid !== undefined && name !== undefined) ??
          told.find(({ pid }) => pid !== undefined) ??
          told.find(({ name }) => name !== undefined) ??
          told[0]!,
      ),
    );
  },
});

/** Of a storm of notices each is compared with so many deaths, the last ones, and in each with so many notices at either end. */
const [mostOpen, mostTold] = [100, 4];

/** Within this time what systemd says of one unit (timed out, killing, exited, failed) is one stop of it. */
const oneStopMs = 5 * 60_000;

function isSameDeath(a: DeathNotice, b: DeathNotice): boolean {
  if (a.pid !== undefined && b.pid !== undefined && a.pid !== b.pid) return false;
  if (a.pid !== undefined && a.pid === b.pid) return true;
  const [left, right] = [a.when?.wall, b.when?.wall];
  if (left !== undefined && right !== undefined)
    if (Math.abs(Date.parse(left) - Date.parse(right)) > oneStopMs) return false;
  if (a.reporter === 'systemd' && b.reporter === 'systemd')
    return a.name === undefined || b.name === undefined || a.name === b.name;
  return (
    a.reporter === b.reporter &&
    a.resource === b.resource &&
    a.name === b.name &&
    (a.pid === undefined) === (b.pid === undefined)
  );
}

function otherReason(notice: DeathNotice): Finding {
  const shm = notice.resource === 'shm';
  return {
    subject: subjectOf(notice, notice),
    cause: shm ? 'shm-exhausted' : 'not-memory',
    variant: shm ? 'bus-error' : 'killed-by-other',
    confidence: 'strong',
    headline: shm
      ? `${nameOf(notice, 'A worker')} died of a bus error: shared memory (/dev/shm) was full`
      : `${nameOf(notice)} was ended for another reason than memory: ${notice.otherReason}`,
    because: [reason(notice, `${notice.reporter} gives the reason: ${notice.otherReason}`)],
    ruledOut: [
      {
        cause: 'undetermined',
        because: `${notice.reporter} itself says why it ended: ${notice.otherReason}`,
      },
    ],
    ...(notice.pid === undefined && notice.name === undefined
      ? {}
      : {
          victim: {
            ...defined({ pid: notice.pid, name: notice.name }),
          },
        }),
    remedies: [
      shm
        ? remedy('more-shared-memory', false)
        : notice.reporter === 'multiprocessing'
          ? remedy('guard-the-main-module')
          : remedy('look-at-what-it-did'),
    ],
  };
}

function mistaken(fact: ProgramError | ProgramAbort, again: number): Finding {
  const resource = isOther(fact.resource) ? fact.resource : 'none';
  const other = others[resource];
  const means = fact.actualMeaning ?? other;
  const who = fact.kind === 'program-error' ? fact.type.split('.').at(-1)! : fact.reporter;
  return {
    subject: subjectOf(fact, fact),
    cause: 'not-memory',
    variant: fact.variant ?? fact.resource,
    confidence: 'strong',
    headline: `Not memory${atUsersLine(fact.stack)}: ${means}`,
    because: [reason(fact, `${who}: ${other}${again === 0 ? '' : ` (${again + 1} times)`}`)],
    ruledOut: [{ cause: 'alloc-failure-exception', because: means }],
    ...(fact.stack.length === 0 ? {} : { stack: fact.stack }),
    ...(fact.pid === undefined ? {} : { victim: { pid: fact.pid } }),
    remedies: [remedy('what-helps', resource)],
  };
}

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
