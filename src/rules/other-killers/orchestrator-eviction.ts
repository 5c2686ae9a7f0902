import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';
import { remedy } from '../shared/remedies.ts';

export const orchestratorEviction = defineRule({
  id: 'orchestrator-eviction',
  title: 'The orchestrator evicted it because the node was low on memory',
  needs: ['killer-record'],
  judge: ({ 'killer-record': records }) =>
    killerFindings(records, {
      cause: 'orchestrator-eviction',
      remedies: () => [remedy('request-what-it-uses'), remedy('find-what-filled-node')],
    }),
});
