import { allocFailureAbort } from './alloc-failure-abort.ts';
import { allocFailureException } from './alloc-failure-exception.ts';
import { coreAllocFailureAbort } from './core-alloc-failure-abort.ts';
import { coreAllocFailureSegfault } from './core-alloc-failure-segfault.ts';
import { coreNotMemory } from './core-not-memory.ts';
import { countedKill } from './counted-kill.ts';
import type { Rule } from './define-rule.ts';
import { markedVictim } from './marked-victim.ts';
import { tracedKill } from './traced-kill.ts';
import { failedAllocation } from './failed-allocation.ts';
import { jetsam } from './jetsam.ts';
import { jobSchedulerLimit } from './job-scheduler-limit.ts';
import { kernelAllocFailureSegfault, kernelRefusal, kernelSegfault } from './kernel-crash.ts';
import { kernelKillToldByOthers } from './kernel-kill-told-by-others.ts';
import { kernelLookAlike } from './kernel-notice.ts';
import { kernelOomKill } from './kernel-oom-kill.ts';
import { kernelOomWithoutKill } from './kernel-oom-without-kill.ts';
import {
  killedForOtherReason,
  misleadingWords,
  notMemoryErrors,
  notMemoryWords,
} from './not-memory.ts';
import { orchestratorEviction } from './orchestrator-eviction.ts';
import { gpuOom, languageHeapLimit, shmExhausted } from './other-resources.ts';
import { platformLimit } from './platform-limit.ts';
import { killedChild } from './killed-child.ts';
import { recordedCrash } from './recorded-crash.ts';
import { refusingLimit } from './refusing-limit.ts';
import { slowDeathMetrics } from './slow-death-metrics.ts';
import { standingCgroup } from './standing-cgroup.ts';
import { survivedRefusal } from './survived-refusal.ts';
import { swapThrash } from './swap-thrash.ts';
import { undeterminedKill } from './undetermined-kill.ts';
import { unwitnessedKill } from './unwitnessed-kill.ts';
import { userspaceOomDaemon } from './userspace-oom-daemon.ts';

/** Every rule, the most specific explanation of a death first: of equally sure findings the earlier wins. */
export const rules: readonly Rule[] = [
  kernelOomKill,
  kernelOomWithoutKill,
  kernelAllocFailureSegfault,
  coreAllocFailureSegfault,
  coreAllocFailureAbort,
  coreNotMemory,
  failedAllocation,
  tracedKill,
  markedVictim,
  countedKill,
  killedChild,
  survivedRefusal,
  swapThrash,
  userspaceOomDaemon,
  orchestratorEviction,
  jobSchedulerLimit,
  platformLimit,
  jetsam,
  kernelKillToldByOthers,
  allocFailureException,
  allocFailureAbort,
  refusingLimit,
  recordedCrash,
  unwitnessedKill,
  ...gpuOom,
  ...shmExhausted,
  ...languageHeapLimit,
  notMemoryErrors,
  notMemoryWords,
  misleadingWords,
  killedForOtherReason,
  slowDeathMetrics,
  undeterminedKill,
  kernelRefusal,
  kernelSegfault,
  kernelLookAlike,
  standingCgroup,
];
