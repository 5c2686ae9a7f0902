import { nameWithPid } from '../../model/name-with-pid.ts';
import type {
  FailedAllocation,
  HostCounters,
  KernelRefusal,
  ProcessLimits,
  ProgramError,
} from '../../model/evidence.ts';
import type { Advice, Finding } from '../../model/finding.ts';
import type { Limit, Reason } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { ofPid } from '../shared/by-pid.ts';
import { endedWell } from '../shared/ended-well.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { requestOf } from '../shared/kernel-crashes.ts';
import { kernelLogRead, peakOf } from '../shared/recorded.ts';
import { atUsersLine, subjectOf } from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';

/**
 * Which limit stood behind a MemoryError or ENOMEM of a watched process: the process knows only that it was refused, its
 * limits and figures at that moment tell why.
 */
export const refusingLimit = defineRule({
  id: 'refusing-limit',
  title: 'The limit that refused an allocation',
  needs: ['program-error', 'process-limits'],
  uses: ['host-counters', 'kernel-refusal', 'failed-allocation', 'process-exit'],
  judge: (facts, context) => {
    const findings: Finding[] = [];
    const explained = new Set<number | undefined>();
    const errors = facts['program-error'].filter(
      ({ resource, pid }) => resource === 'memory' && !endedWell(pid, facts['process-exit']),
    );
    for (const error of errors) {
      const [limits] = ofPid(error.pid, facts['process-limits']);
      if (limits === undefined || explained.has(error.pid)) continue;
      const refusals = ofPid(error.pid, facts['kernel-refusal']);
      const asked = askedFor(error, facts['failed-allocation']);
      const found =
        limitOf(error, facts) ?? (kernelLogRead(context) ? elimination(limits, asked) : null);
      if (found === null) continue;
      explained.add(error.pid);
      findings.push({
        subject: subjectOf(error, error),
        // What an rlimit refuses is the rlimit's doing; other refusals are told by the exception.
        cause: found.limit.owner === 'rlimit' ? 'rlimit' : 'alloc-failure-exception',
        death: 'obvious',
        variant: found.variant,
        confidence: 'strong',
        headline: `${nameWithPid(limits)} was refused memory${atUsersLine(error.stack)}: ${found.headline}`,
        because: found.because,
        victim: { pid: limits.pid, name: limits.name },
        trigger: { pid: limits.pid, name: limits.name },
        limit: found.limit,
        request: { bytes: error.requestBytes ?? requestOf(refusals) },
        stack: error.stack,
        memory: peakOf(limits),
        ruledOut: [
          {
            cause: 'kernel-cgroup-oom',
            because:
              'a cgroup limit kills, it does not refuse: the process was told no and ended itself',
          },
        ],
        remedies: found.remedies,
      });
    }
    return findings;
  },
});

/** The limit behind a failure of a watched process; null: it was not watched, or none of them explains it. */
export function limitOf(
  error: ProgramError,
  facts: {
    readonly 'process-limits': readonly ProcessLimits[];
    readonly 'host-counters': readonly HostCounters[];
    readonly 'kernel-refusal': readonly KernelRefusal[];
  },
): Found | null {
  const [process] = ofPid(error.pid, facts['process-limits']);
  if (process === undefined) return null;
  const refusals = ofPid(error.pid, facts['kernel-refusal']);
  return whichLimit(error, process, refusals, facts['host-counters'][0]);
}

/** What the error says, else the largest refusal that the agent saw in this process. */
const askedFor = (
  { requestBytes, pid }: ProgramError,
  refused: readonly FailedAllocation[],
): number =>
  requestBytes ?? Math.max(0, ...ofPid(pid, refused).map(({ failure }) => failure.bytes));

/** Less than this was never refused for its size alone: the largest gap of a 47-bit address space is tens of TiB. */
const hugeBytes = 2 ** 43;

/**
 * No rlimit, few mappings, and the kernel log has no refusal by overcommit: only the size itself is left, where it is
 * known to have been huge. A MemoryError without a size may as well have been raised by the program itself.
 */
function elimination(process: ProcessLimits, askedBytes: number): Found | null {
  if (askedBytes < hugeBytes) return null;
  if (process.limits.some(({ path }) => path === 'RLIMIT_AS' || path === 'RLIMIT_DATA'))
    return null;
  return {
    limit: { owner: 'address-space', bytes: null },
    variant: 'address-space',
    headline: 'it asked for more than a process can address',
    because: [
      reason(
        process,
        'it had no limit of address space or data, and the kernel log, which names what overcommit refuses, is silent: the request was beyond the address space itself',
      ),
    ],
    remedies: [],
  };
}

interface Found {
  readonly limit: Limit;
  readonly variant: string;
  readonly headline: string;
  readonly because: readonly Reason[];
  readonly remedies: readonly Advice[];
}

/** What a full address space leaves free: an arena (1 MiB since 3.10), glibc's heaps, a thread's stack. */
const slackBytes = 16 * 2 ** 20;
const bitsOfAddressSpace = 2 ** 47;

export function whichLimit(
  error: Pick<ProgramError, 'requestBytes' | 'variant'>,
  process: ProcessLimits,
  refusals: readonly KernelRefusal[],
  host: HostCounters | undefined,
): Found | null {
  const request = error.requestBytes ?? 0;
  if (error.variant === 'rlimit-memlock') return lockedMemory(process);
  const { maxMapCount, peakMapCount } = process;
  if (maxMapCount !== undefined && peakMapCount !== undefined && peakMapCount >= 0.98 * maxMapCount)
    return {
      limit: { owner: 'map-count', path: 'vm.max_map_count', bytes: null },
      variant: 'max-map-count',
      headline: `it had ${peakMapCount} memory mappings, and vm.max_map_count allows ${maxMapCount}`,
      because: [
        reason(
          process,
          `it held ${peakMapCount} mappings; vm.max_map_count is ${maxMapCount}: the next mmap fails however much memory is free`,
        ),
      ],
      remedies: [remedy('allow-more-mappings')],
    };
  for (const [name, used, option] of [
    ['RLIMIT_AS', process.peakVmBytes, 'ulimit -v'],
    ['RLIMIT_DATA', process.peakDataBytes, 'ulimit -d'],
  ] as const) {
    const limit = process.limits.find(({ path }) => path === name);
    if (limit?.bytes == null || used === undefined) continue;
    // The kernel looks at the rlimit first: where overcommit refused, the rlimit had let it pass.
    const overcommit = refusals.some(({ reporter }) => reporter === 'overcommit');
    if (overcommit || used + Math.max(request, slackBytes) < limit.bytes) continue;
    const what = name === 'RLIMIT_AS' ? 'address space' : 'data';
    return {
      limit: { owner: 'rlimit', path: name, bytes: limit.bytes },
      variant: name === 'RLIMIT_AS' ? 'rlimit-as' : 'rlimit-data',
      headline: `its limit of ${what} (${name}, ${option}) is ${formatBytes(limit.bytes)}`,
      because: [
        reason(
          process,
          `${name} was ${limit.bytes} bytes, and it had used ${used} of them${request > 0 ? ` when it asked for ${request} more` : ''}`,
        ),
      ],
      remedies: [remedy('raise-full-rlimit', name, option)],
    };
  }
  const refused = refusals.find(({ reporter }) => reporter === 'overcommit');
  const { totalBytes, swapTotalBytes = 0, overcommitMode, commitLimitBytes } = host ?? {};
  if (overcommitMode === 2 && (refused !== undefined || tight(host)))
    return {
      limit: {
        owner: 'overcommit',
        path: 'vm.overcommit_memory=2',
        bytes: commitLimitBytes ?? null,
      },
      variant: 'overcommit',
      headline: `the machine promises no more than its commit limit${commitLimitBytes === undefined ? '' : ` of ${formatBytes(commitLimitBytes)}`}`,
      because: [
        ...(refused === undefined
          ? []
          : [
              reason(
                refused,
                'the kernel refused the memory: all that is promised would exceed the commit limit',
              ),
            ]),
        ...(host === undefined
          ? []
          : [
              reason(
                host,
                `vm.overcommit_memory is 2, the commit limit ${commitLimitBytes ?? '?'} bytes`,
              ),
            ]),
      ],
      remedies: [remedy('let-the-kernel-promise')],
    };
  const asked = request > 0 ? request : (requestOf(refusals) ?? 0);
  if (asked >= bitsOfAddressSpace)
    return {
      limit: { owner: 'address-space', bytes: bitsOfAddressSpace },
      variant: 'address-space',
      headline: 'no process can address so much',
      because: [
        reason(
          process,
          `${asked} bytes were asked for; a process has ${bitsOfAddressSpace} bytes of addresses`,
        ),
      ],
      remedies: [],
    };
  const most = totalBytes === undefined ? undefined : totalBytes + swapTotalBytes;
  if (overcommitMode !== 1 && most !== undefined && (refused !== undefined || asked > most))
    return {
      limit: { owner: 'overcommit', path: 'vm.overcommit_memory=0', bytes: most },
      variant: 'overcommit',
      headline: `the machine has ${formatBytes(most)} of RAM and swap together`,
      because: [
        ...(refused === undefined
          ? []
          : [reason(refused, 'the kernel refused the memory as obviously more than there is')]),
        ...(host === undefined
          ? []
          : [
              reason(
                host,
                `RAM and swap together are ${formatBytes(most)}${asked > most ? `, ${formatBytes(asked)} were asked for at once` : ''}`,
              ),
            ]),
      ],
      remedies: [],
    };
  return null;
}

/**
 * How much was locked is not watched, so that a limit that was set after the last look at it cannot be told by its use:
 * the figure is evidence, not the verdict's. mlock gives ENOMEM as well where a part of the range is not mapped.
 */
function lockedMemory(process: ProcessLimits): Found | null {
  const seen = process.limits.find(({ path }) => path === 'RLIMIT_MEMLOCK');
  if (seen?.bytes == null) return null;
  return {
    limit: { owner: 'rlimit', path: 'RLIMIT_MEMLOCK', bytes: null },
    variant: 'rlimit-memlock',
    headline: 'its limit of locked memory (RLIMIT_MEMLOCK, ulimit -l)',
    because: [
      reason(
        process,
        `RLIMIT_MEMLOCK was ${seen.bytes} bytes when it was last looked at: mlock fails beyond it, however much memory is free`,
      ),
    ],
    remedies: [remedy('raise-locked-memory')],
  };
}

const tight = (host: HostCounters | undefined) =>
  host?.commitLimitBytes !== undefined &&
  host.peakCommittedBytes !== undefined &&
  host.peakCommittedBytes > 0.9 * host.commitLimitBytes;
