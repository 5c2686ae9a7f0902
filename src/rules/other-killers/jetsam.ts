import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';

export const jetsam = defineRule({
  id: 'jetsam',
  title: 'macOS or iOS ended it when swap and compressor were full',
  needs: ['killer-record'],
  judge: ({ 'killer-record': records }) =>
    killerFindings(records, {
      cause: 'jetsam',
      remedies: ({ usedBytes, variant, limit }) => [
        ...(variant === 'per-process-limit' || variant === 'highwater' || limit?.bytes != null
          ? [
              {
                title: 'Stay below the limit of this kind of process',
                detail:
                  'The system sets it by kind: an extension may use far less than an app. os_proc_available_memory() tells what is left; read and write in pieces, and free caches at a memory warning.',
                command: null,
              },
            ]
          : [
              {
                title: 'Free space on the disk',
                detail:
                  'macOS pages to files on the system volume: it runs out of swap when the disk is full.',
                command: 'df -h /System/Volumes/Data; sysctl vm.swapusage',
              },
            ]),
        {
          title: 'Watch the footprint, not the resident size',
          detail: `${usedBytes === undefined ? '' : 'The size in the kernel’s line is the uncompressed size of what was compressed: it may be many times the RAM. '}RSS leaves out compressed memory.`,
          command: 'footprint PID; top -stats pid,command,mem,cmprs',
        },
      ],
    }),
});
