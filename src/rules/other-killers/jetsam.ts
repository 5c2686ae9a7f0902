import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';
import { remedy } from '../shared/remedies.ts';

export const jetsam = defineRule({
  id: 'jetsam',
  title: 'macOS or iOS ended it when swap and compressor were full',
  needs: ['killer-record'],
  judge: ({ 'killer-record': records }) =>
    killerFindings(records, {
      cause: 'jetsam',
      headline: ({ record: { variant }, who, limit, figures }) =>
        variant === 'per-process-limit' || variant === 'highwater' || limit?.bytes != null
          ? `The kernel of macOS or iOS killed ${who ?? 'the process'} (jetsam): it was over its own memory limit${figures}`
          : variant === undefined
            ? `macOS or iOS killed ${who ?? 'a process'} for want of memory (jetsam); why just then is not in this text${figures}`
            : `macOS killed ${who ?? 'the process'} (jetsam): swap and compressor were full${figures}`,
      remedies: ({ usedBytes, variant, limit }) => [
        variant === 'per-process-limit' || variant === 'highwater' || limit?.bytes != null
          ? remedy('stay-below-jetsam-limit')
          : variant === undefined
            ? remedy('find-the-jetsam-reason')
            : remedy('free-disk-for-swap'),
        remedy('watch-the-footprint', usedBytes),
      ],
    }),
});
