import type { MisleadingMessage } from '../../model/evidence.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { subjectOf } from '../shared/subjects.ts';

export const misleadingMessages = defineRule({
  id: 'misleading-messages',
  title: 'Words that name memory and mean something else',
  needs: ['misleading-message'],
  judge: ({ 'misleading-message': words }) =>
    [...new Map(words.map((fact) => [fact.variant, fact])).values()].map(
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
