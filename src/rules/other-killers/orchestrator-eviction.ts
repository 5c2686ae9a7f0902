import { defineRule } from '../shared/define-rule.ts';
import { capital, killerFindings } from '../shared/killer-records.ts';
import { remedy } from '../shared/remedies.ts';

export const orchestratorEviction = defineRule({
  id: 'orchestrator-eviction',
  title: 'The orchestrator evicted it because the node was low on memory',
  needs: ['killer-record'],
  judge: ({ 'killer-record': records }) =>
    killerFindings(records, {
      cause: 'orchestrator-eviction',
      headline: ({ by, who, figures }) =>
        `${capital(by)} evicted ${who ?? 'the pod'}: the node was low on memory${figures}`,
      remedies: () => [remedy('request-what-it-uses'), remedy('find-what-filled-node')],
    }),
});
