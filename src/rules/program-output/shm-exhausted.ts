import { ruleOnErrors, type OtherMemory } from '../shared/other-memory.ts';

export const sharedMemory: OtherMemory = {
  resource: 'shm',
  title: '/dev/shm was full',
  cause: 'shm-exhausted',
  owner: 'shm',
  headline: (_, place) =>
    `Shared memory (/dev/shm) was full${place}: a limit of that file system, not of the memory`,
  says: 'The words name shared memory, which is a file system with a size of its own (64 MB by default in Docker)',
  remedies: () => [
    {
      title: 'Give the container more shared memory',
      detail:
        'docker run --shm-size=8g or --ipc=host; in Kubernetes an emptyDir with medium: Memory on /dev/shm. It counts towards the memory limit.',
      command: 'df -h /dev/shm',
    },
    {
      title: 'Or use less of it',
      detail:
        "Fewer DataLoader workers, a smaller prefetch_factor, or torch.multiprocessing.set_sharing_strategy('file_system').",
      command: null,
    },
  ],
};

export const shmExhausted = ruleOnErrors('shm-exhausted', sharedMemory);
