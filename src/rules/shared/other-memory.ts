/** Words about memory that is not the host's: the GPU's, /dev/shm's, a runtime's own heap. */
import { defined } from '../../model/defined.ts';
import type { Cause } from '../../model/causes.ts';
import type { ProgramAbort, ProgramError, Resource } from '../../model/evidence.ts';
import type { Advice, Finding } from '../../model/finding.ts';
import type { Prose } from '../../model/prose.ts';
import type { LimitOwner } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason, type Rule } from './define-rule.ts';
import { atUsersLine, groupRepeated, subjectOf } from './subjects.ts';

type Words = ProgramError | ProgramAbort;

/** Another memory than the host's, and how to speak of it. */
export interface OtherMemory {
  readonly resource: Resource;
  readonly title: string;
  readonly cause: Cause;
  readonly owner: LimitOwner;
  readonly headline: (size: string, place: string, words: Words) => string;
  readonly says: Prose | ((words: Words) => Prose);
  readonly remedies: (words: Words) => readonly Advice[];
  /** Where some of these words say less, or more. */
  readonly refine?: (finding: Finding, words: Words, place: string) => Finding;
}

/** By exceptions. Either kind of words may be there alone, so each has a rule. */
export const ruleOnErrors = (id: string, kind: OtherMemory): Rule =>
  defineRule({
    id,
    title: kind.title,
    needs: ['program-error'],
    judge: ({ 'program-error': errors }) => judge(errors, kind),
  });

/** By last words. */
export const ruleOnAborts = (id: string, kind: OtherMemory): Rule =>
  defineRule({
    id,
    title: kind.title,
    needs: ['program-abort'],
    judge: ({ 'program-abort': aborts }) => judge(aborts, kind),
  });

function judge(facts: readonly Words[], kind: OtherMemory): readonly Finding[] {
  return groupRepeated(facts.filter((fact) => fact.resource === kind.resource)).map(
    ([fact, ...again]) => {
      const size = fact.requestBytes === undefined ? 'memory' : formatBytes(fact.requestBytes);
      const place = atUsersLine(fact.stack);
      const says = typeof kind.says === 'function' ? kind.says(fact) : kind.says;
      const limitBytes = fact.kind === 'program-error' ? fact.limitBytes : undefined;
      const finding: Finding = {
        subject: subjectOf(fact, fact),
        cause: kind.cause,
        ...defined({ variant: fact.variant }),
        confidence: 'strong',
        headline: kind.headline(size, place, fact),
        because: [
          reason(fact, `${says}${again.length === 0 ? '' : ` (${again.length + 1} times)`}`),
        ],
        ruledOut: [
          {
            cause: 'alloc-failure-exception',
            because: `${says}; nothing says that the host was short of memory`,
          },
        ],
        request: { bytes: fact.requestBytes ?? null },
        ...(limitBytes === undefined ? {} : { limit: { owner: kind.owner, bytes: limitBytes } }),
        ...(fact.stack.length === 0 ? {} : { stack: fact.stack }),
        ...(fact.pid === undefined ? {} : { victim: { pid: fact.pid } }),
        remedies: kind.remedies(fact),
      };
      return kind.refine?.(finding, fact, place) ?? finding;
    },
  );
}
