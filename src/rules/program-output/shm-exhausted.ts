import { ruleOnErrors, type OtherMemory } from '../shared/other-memory.ts';
import { remedy } from '../shared/remedies.ts';

export const sharedMemory: OtherMemory = {
  resource: 'shm',
  title: '/dev/shm was full',
  cause: 'shm-exhausted',
  owner: 'shm',
  headline: (_, place) =>
    `Shared memory (/dev/shm) was full${place}: a limit of that file system, not of the memory`,
  says: 'The words name shared memory, which is a file system with a size of its own (64 MB by default in Docker)',
  remedies: () => [remedy('more-shared-memory', true), remedy('less-shared-memory')],
};

export const shmExhausted = ruleOnErrors('shm-exhausted', sharedMemory);
