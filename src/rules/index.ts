import { allocFailureAbort } from './program-output/alloc-failure-abort.ts';
import { allocFailureException } from './program-output/alloc-failure-exception.ts';
import { coreAllocFailureAbort } from './core-dump/core-alloc-failure-abort.ts';
import { coreAllocFailureSegfault } from './core-dump/core-alloc-failure-segfault.ts';
import { coreNotMemory } from './core-dump/core-not-memory.ts';
import { oomKillCounter } from './recorded-run/oom-kill-counter.ts';
import type { Rule } from './shared/define-rule.ts';
import { oomMarkVictim } from './recorded-run/oom-mark-victim.ts';
import { signalTrace } from './recorded-run/signal-trace.ts';
import { failedAllocation } from './recorded-run/failed-allocation.ts';
import { jetsam } from './other-killers/jetsam.ts';
import { jobSchedulerLimit } from './other-killers/job-scheduler-limit.ts';
import { kernelAllocFailureSegfault } from './kernel-log/kernel-alloc-failure-segfault.ts';
import { kernelRefusal } from './kernel-log/kernel-refusal.ts';
import { kernelSegfault } from './kernel-log/kernel-segfault.ts';
import { kernelKillReportedByOthers } from './other-killers/kernel-kill-reported-by-others.ts';
import { kernelNotice } from './kernel-log/kernel-notice.ts';
import { kernelOomKill } from './kernel-log/kernel-oom-kill.ts';
import { kernelOomWithoutKill } from './kernel-log/kernel-oom-without-kill.ts';
import { killedForOtherReason } from './program-output/killed-for-other-reason.ts';
import { misleadingMessages } from './program-output/misleading-messages.ts';
import { notMemoryErrors } from './program-output/not-memory-errors.ts';
import { notMemoryMessages } from './program-output/not-memory-messages.ts';
import { orchestratorEviction } from './other-killers/orchestrator-eviction.ts';
import { gpuOom } from './program-output/gpu-oom.ts';
import { gpuOomAbort } from './program-output/gpu-oom-abort.ts';
import { shmExhausted } from './program-output/shm-exhausted.ts';
import { shmExhaustedAbort } from './program-output/shm-exhausted-abort.ts';
import { languageHeapLimit } from './program-output/language-heap-limit.ts';
import { languageHeapLimitAbort } from './program-output/language-heap-limit-abort.ts';
import { platformLimit } from './other-killers/platform-limit.ts';
import { machineFreeze } from './recorded-run/machine-freeze.ts';
import { killedChild } from './recorded-run/killed-child.ts';
import { recordedCrash } from './recorded-run/recorded-crash.ts';
import { refusingLimit } from './recorded-run/refusing-limit.ts';
import { slowDeathMetrics } from './other-killers/slow-death-metrics.ts';
import { standingCgroup } from './other-killers/standing-cgroup.ts';
import { survivedRefusal } from './recorded-run/survived-refusal.ts';
import { swapThrash } from './recorded-run/swap-thrash.ts';
import { undeterminedKill } from './program-output/undetermined-kill.ts';
import { unattributedSigkill } from './recorded-run/unattributed-sigkill.ts';
import { userspaceOomDaemon } from './other-killers/userspace-oom-daemon.ts';

/** Every rule, the most specific explanation of a death first: of equally sure findings the earlier wins. */
export const rules: readonly Rule[] = [
  kernelOomKill,
  kernelOomWithoutKill,
  kernelAllocFailureSegfault,
  coreAllocFailureSegfault,
  coreAllocFailureAbort,
  coreNotMemory,
  failedAllocation,
  signalTrace,
  oomMarkVictim,
  oomKillCounter,
  killedChild,
  survivedRefusal,
  swapThrash,
  machineFreeze,
  userspaceOomDaemon,
  orchestratorEviction,
  jobSchedulerLimit,
  platformLimit,
  jetsam,
  kernelKillReportedByOthers,
  allocFailureException,
  allocFailureAbort,
  refusingLimit,
  recordedCrash,
  unattributedSigkill,
  gpuOom,
  gpuOomAbort,
  shmExhausted,
  shmExhaustedAbort,
  languageHeapLimit,
  languageHeapLimitAbort,
  notMemoryErrors,
  notMemoryMessages,
  misleadingMessages,
  killedForOtherReason,
  slowDeathMetrics,
  undeterminedKill,
  kernelRefusal,
  kernelSegfault,
  kernelNotice,
  standingCgroup,
];
