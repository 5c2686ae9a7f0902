/** Words that are mistaken for a lack of memory, and what ran out instead. */
import type { ProgramAbort, ProgramError, Resource } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { reason } from './define-rule.ts';
import { remedy, type ShortResource } from './remedies.ts';
import { atUsersLine, subjectOf } from './subjects.ts';

/** Resources whose shortage is mistaken for one of memory. */
const others: Readonly<Record<ShortResource | 'none', string>> = {
  disk: 'the disk was full',
  descriptors: 'too many files were open or watched',
  threads: 'no thread or process could be started',
  stack: 'calls were nested too deeply',
  none: 'the words only sound like memory',
};
const isOther = (resource: Resource): resource is ShortResource | 'none' => resource in others;

/** Words that are known to mean something else. */
export const isMistaken = ({ resource, actualMeaning }: ProgramError | ProgramAbort): boolean =>
  isOther(resource) && (resource !== 'none' || actualMeaning !== undefined);

/** A thread's EAGAIN may be a stack that found no room. fork() says ENOMEM then. */
const mayBeMemory = (fact: ProgramError | ProgramAbort): boolean =>
  fact.resource === 'threads' &&
  (fact.kind === 'program-error' ? fact.type !== 'BlockingIOError' : fact.reporter !== 'fork');

export function mistaken(fact: ProgramError | ProgramAbort, again: number): Finding {
  const resource = isOther(fact.resource) ? fact.resource : 'none';
  const other = others[resource];
  const means = fact.actualMeaning ?? other;
  const who = fact.kind === 'program-error' ? fact.type.split('.').at(-1)! : fact.reporter;
  return {
    subject: subjectOf(fact, fact),
    cause: 'not-memory',
    variant: fact.variant ?? fact.resource,
    confidence: mayBeMemory(fact) ? 'likely' : 'strong',
    headline: `Not memory${atUsersLine(fact.stack)}: ${means}`,
    because: [reason(fact, `${who}: ${other}${again === 0 ? '' : ` (${again + 1} times)`}`)],
    ruledOut: [{ cause: 'alloc-failure-exception', because: means }],
    ...(fact.stack.length === 0 ? {} : { stack: fact.stack }),
    ...(fact.pid === undefined ? {} : { victim: { pid: fact.pid } }),
    remedies:
      resource !== 'none'
        ? [remedy('what-helps', resource)]
        : fact.variant === 'impossible-size'
          ? [remedy('find-the-size')]
          : fact.variant === 'heap-corrupted'
            ? [remedy('find-the-write')]
            : [],
  };
}
