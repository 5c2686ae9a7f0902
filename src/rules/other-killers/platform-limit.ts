import { formatBytes } from '../../model/units.ts';
import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';

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
          {
            title: `Give it more memory${limit?.bytes == null ? '' : ` than ${formatBytes(limit.bytes)}`}, or a larger plan`,
            detail: `The setting of ${reporter} that sizes the instance or container.`,
            command: null,
          },
          {
            title: 'Use less at a time',
            detail:
              'Fewer workers or threads in the process, streaming instead of whole files, smaller batches.',
            command: null,
          },
        ],
      },
      { limits },
    ),
});
