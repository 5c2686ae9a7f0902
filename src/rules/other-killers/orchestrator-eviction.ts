import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';

export const orchestratorEviction = defineRule({
  id: 'orchestrator-eviction',
  title: 'The orchestrator evicted it because the node was low on memory',
  needs: ['killer-record'],
  judge: ({ 'killer-record': records }) =>
    killerFindings(records, {
      cause: 'orchestrator-eviction',
      remedies: () => [
        {
          title: 'Request what it uses',
          detail:
            'Pods that use more than they request are evicted first: set resources.requests.memory to the real working set, and limits equal to it for the Guaranteed class.',
          command: 'kubectl top pod --containers; kubectl describe node NODE',
        },
        {
          title: 'Find what filled the node',
          detail: 'The evicted pod need not be the one that grew.',
          command: 'kubectl top pod -A --sort-by=memory | head',
        },
      ],
    }),
});
