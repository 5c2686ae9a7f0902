import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';
import { remedy } from '../shared/remedies.ts';

export const platformLimit = defineRule({
  id: 'platform-limit',
  title: "The platform's memory limit ended it",
  needs: ['killer-record'],
  uses: ['stated-limit'],
  judge: ({ 'killer-record': records, 'stated-limit': limits }) =>
    killerFindings(
      records,
      {
        cause: 'platform-limit',
        limitOf: ['function', 'container', 'platform'],
        remedies: ({ reporter, limit }) => [
          remedy('raise-platform-limit', reporter, limit?.bytes),
          remedy('fewer-workers'),
        ],
      },
      { limits },
    ),
});
