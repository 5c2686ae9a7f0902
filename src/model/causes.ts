/** Every cause a verdict may name. The ids are a contract: page `docs/causes/<id>.md`, `coroner explain <id>`. */
export const causes = {
  'kernel-global-oom': {
    death: 'assassination',
    outOfMemory: true,
    title: 'The kernel killed it: the whole machine was out of memory',
  },
  'kernel-cgroup-oom': {
    death: 'assassination',
    outOfMemory: true,
    title: 'The kernel killed it: a cgroup reached its memory limit',
  },
  'kernel-cpuset-oom': {
    death: 'assassination',
    outOfMemory: true,
    title: 'The kernel killed it: its NUMA nodes were out of memory',
  },
  'userspace-oom-daemon': {
    death: 'assassination',
    outOfMemory: true,
    title: 'A memory guard in user space killed it',
  },
  'orchestrator-eviction': {
    death: 'assassination',
    outOfMemory: true,
    title: 'The orchestrator evicted it: the node was low on memory',
  },
  'job-scheduler-limit': {
    death: 'assassination',
    outOfMemory: true,
    title: "The job scheduler's memory limit ended it",
  },
  'platform-limit': {
    death: 'assassination',
    outOfMemory: true,
    title: "The platform's memory limit ended it",
  },
  jetsam: { death: 'assassination', outOfMemory: true, title: 'macOS or iOS jetsam killed it' },
  'alloc-failure-exception': {
    death: 'obvious',
    outOfMemory: true,
    memoryRefused: true,
    title: 'An allocation failed and the program said so',
  },
  'alloc-failure-abort': {
    death: 'obvious',
    outOfMemory: true,
    memoryRefused: true,
    title: 'An allocation failed and the program aborted',
  },
  'alloc-failure-segfault': {
    death: 'disguised',
    outOfMemory: true,
    memoryRefused: true,
    title: 'An allocation failed, nobody looked, and the program crashed',
  },
  rlimit: {
    death: 'obvious',
    outOfMemory: true,
    memoryRefused: true,
    title: 'A resource limit of the process refused memory',
  },
  'swap-thrash': {
    death: 'slow',
    outOfMemory: true,
    title: 'It was swapping and reclaiming instead of working',
  },
  'gpu-oom': {
    death: 'none',
    outOfMemory: false,
    title: "The GPU's memory ran out, not the host's",
  },
  'shm-exhausted': {
    death: 'none',
    outOfMemory: false,
    title: '/dev/shm (shared memory) was full, not the memory',
  },
  'language-heap-limit': {
    death: 'none',
    outOfMemory: false,
    title: "A language runtime's own heap limit was reached",
  },
  'not-memory': { death: 'none', outOfMemory: false, title: 'It was not memory' },
  undetermined: { death: 'none', outOfMemory: null, title: 'It cannot be told from this evidence' },
} as const satisfies Record<string, CauseInfo>;

interface CauseInfo {
  /** The death this cause most often is; a finding may say otherwise. */
  readonly death: Death;
  readonly outOfMemory: boolean | null;
  /**
   * Memory was refused, and the process ended by itself. Kernel and program may tell of one refusal under different causes, so two
   * findings of such causes may be one death.
   */
  readonly memoryRefused?: true;
  readonly title: string;
}

export type Cause = keyof typeof causes;

/** Whether it is a cause by which memory was refused. */
export const memoryRefused = (cause: Cause): boolean =>
  (causes[cause] as CauseInfo).memoryRefused === true;

export type Death = 'slow' | 'obvious' | 'disguised' | 'assassination' | 'none';
