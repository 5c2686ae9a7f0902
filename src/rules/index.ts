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
import {
  kernelAllocFailureSegfault,
  kernelRefusal,
  kernelSegfault,
} from './kernel-log/kernel-crash.ts';
import { kernelKillReportedByOthers } from './other-killers/kernel-kill-reported-by-others.ts';
import { kernelNotice } from './kernel-log/kernel-notice.ts';
import { kernelOomKill } from './kernel-log/kernel-oom-kill.ts';
import { kernelOomWithoutKill } from './kernel-log/kernel-oom-without-kill.ts';
import {
  killedForOtherReason,
  misleadingMessages,
  notMemoryErrors,
  notMemoryMessages,
} from './program-output/not-memory.ts';
import { orchestratorEviction } from './other-killers/orchestrator-eviction.ts';
import { gpuOom, languageHeapLimit, shmExhausted } from './program-output/other-resources.ts';
import { platformLimit } from './other-killers/platform-limit.ts';
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
  ...gpuOom,
  ...shmExhausted,
  ...languageHeapLimit,
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
