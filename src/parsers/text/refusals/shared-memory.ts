/** /dev/shm and other shared memory. */
import type { Refusal } from './refusal.ts';

export const sharedMemory: readonly Refusal[] = [
  {
    reporter: 'PostgreSQL',
    literal: 'could not resize shared memory segment',
    resource: 'shm',
    raises: true,
    pattern:
      /could not resize shared memory segment ".{1,80}" to \d+ bytes: No space left on device/,
  },
  {
    reporter: 'PyTorch',
    literal: 'insufficient shared memory',
    resource: 'shm',
    raises: true,
    pattern:
      /Unexpected bus error encountered in worker\. This might be caused by insufficient shared memory \(shm\)/,
  },
  {
    reporter: 'NCCL',
    literal: 'shared memory segment',
    resource: 'shm',
    raises: true,
    pattern: /Error while (?:creating|attaching to) shared memory segment .{0,80}/,
  },
  {
    reporter: 'Chrome',
    literal: 'disable-dev-shm-usage',
    resource: 'shm',
    raises: true,
    pattern:
      /(?:\/dev\/shm.{0,120}--disable-dev-shm-usage|--disable-dev-shm-usage.{0,80}\/dev\/shm).{0,40}(?:full|space|small|crash)/,
  },
  {
    reporter: 'df',
    literal: '/dev/shm',
    resource: 'shm',
    raises: true,
    pattern:
      /(?:shm|tmpfs|none) {1,12}\S{1,16} {1,12}\S{1,16} {1,12}\S{1,16} {1,12}(?:9[89]|100)% {1,12}\/dev\/shm/,
  },
  {
    reporter: 'NCCL',
    literal: '/dev/shm/nccl-',
    resource: 'shm',
    raises: true,
    pattern:
      /(?:failed to extend|Error: failed to|posix_fallocate failed).{0,60}\/dev\/shm\/nccl-.{0,80}/,
  },
];
