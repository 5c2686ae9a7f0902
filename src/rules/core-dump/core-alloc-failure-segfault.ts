import { subjectWithPid } from '../../model/name-with-pid.ts';
import type { CoreDump, FailedAllocation, KernelRefusal } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import type { Limit, Reason } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import {
  access,
  addressSpaceLimit,
  atMapLimit,
  commonParts,
  ENOMEM,
  isMemoryFault,
  isNullAccess,
  isOffsetFromNull,
  place,
  samePid,
  usedMemory,
} from '../shared/core-facts.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { remedy } from '../shared/remedies.ts';

export const coreAllocFailureSegfault = defineRule({
  id: 'core-alloc-failure-segfault',
  title: 'A core: an allocation failed, nobody looked, and the program crashed',
  needs: ['core-dump'],
  uses: ['kernel-refusal', 'failed-allocation'],
  judge: (facts) =>
    facts['core-dump'].flatMap((core) => {
      const finding = failedAllocationSegfault(
        core,
        samePid(core, facts['kernel-refusal']),
        samePid(core, facts['failed-allocation']),
      );
      return finding === null ? [] : [finding];
    }),
});

/** null: the core does not say so. */
export function failedAllocationSegfault(
  core: CoreDump,
  refusals: readonly KernelRefusal[],
  failures: readonly FailedAllocation[],
): Finding | null {
  if (!isMemoryFault(core) || core.stackOverflow === true || core.sender !== undefined) return null;
  const refused = core.errno === ENOMEM;
  const nullAccess = isNullAccess(core);
  const limit = addressSpaceLimit(core);
  const mapLimit = atMapLimit(core);
  const noRegisters = core.record !== undefined && core.record !== 'core';
  const named = refusals.length > 0 || failures.length > 0;
  const confidence =
    nullAccess && named
      ? 'certain'
      : nullAccess && refused
        ? 'strong'
        : // A record without registers or errno: the limit speaks, or the refusal of the same process.
          named ||
            ((nullAccess || noRegisters) && (limit !== null || mapLimit)) ||
            (refused && (limit !== null || mapLimit || isOffsetFromNull(core)))
          ? 'likely'
          : null;
  if (confidence === null) return null;

  const request = requestOf(core, refusals, failures);
  const because: Reason[] = [];
  for (const failure of failures.slice(0, 2))
    because.push(
      reason(
        failure,
        `the same process had asked for ${formatBytes(failure.failure.bytes)} and got nothing`,
      ),
    );
  const smallest = refusals.toSorted((a, b) => (a.bytes ?? Infinity) - (b.bytes ?? Infinity))[0];
  if (smallest !== undefined)
    because.push(
      reason(
        smallest,
        smallest.bytes === undefined
          ? 'the kernel refused memory to this very process'
          : `the kernel refused ${formatBytes(smallest.bytes)} to this very process`,
      ),
    );
  because.push(
    reason(
      core,
      noRegisters
        ? `it died of ${core.signal}${place(core)}, as ${core.record} noted`
        : `${core.signal} on ${access(core)}${nullAccess ? ': a NULL pointer, or an offset from one' : isOffsetFromNull(core) ? ': nothing lies that low; it looks like an offset from NULL' : ''}`,
    ),
  );
  if (refused)
    because.push(
      reason(
        core,
        'errno of the thread that crashed was 12 (ENOMEM): its last failure was a refused allocation',
      ),
    );
  if (core.reraised === true)
    because.push(
      reason(
        core,
        'a signal handler had caught the signal and raised it again (faulthandler does): the fault is from the signal frame',
      ),
    );
  if (limit !== null && limit.bytes !== null)
    because.push(
      reason(
        core,
        `its address space had reached ${formatBytes(core.peakVmBytes ?? core.totalVmBytes ?? limit.bytes)} of the limit of ${formatBytes(limit.bytes)}`,
      ),
    );
  if (mapLimit)
    because.push(
      reason(
        core,
        `it had ${core.mapCount} mappings: the default of vm.max_map_count is 65530, beyond which every mmap fails`,
      ),
    );

  const owner: Limit | null =
    limit ?? (mapLimit ? { owner: 'map-count', path: 'vm.max_map_count', bytes: null } : null);
  return {
    ...commonParts(core),
    cause: 'alloc-failure-segfault',
    confidence,
    headline: `${subjectWithPid(core)} crashed${place(core)}: ${request === null ? 'an allocation' : `an allocation of ${formatBytes(request)}`} had failed, and ${noRegisters ? 'the program went on without it' : 'the program used the NULL pointer it got'}`,
    because,
    request: { bytes: request },
    ...(owner === null ? {} : { limit: owner }),
    ...(mapLimit ? { variant: 'max-map-count' } : {}),
    against: named
      ? []
      : refused
        ? [
            {
              says: 'errno may be left over from an earlier failure that the program had handled',
              source: core.origin.source,
              place: core.origin.place,
            },
          ]
        : [],
    ruledOut: [
      ...(noRegisters
        ? []
        : [
            {
              cause: 'not-memory' as const,
              variant: 'stack-overflow',
              because: 'the fault address is not next to the stack pointer',
            },
          ]),
      {
        cause: 'kernel-cgroup-oom',
        because: 'the OOM killer sends SIGKILL, and SIGKILL leaves no core',
      },
    ],
    unknown:
      owner === null && refusals.length === 0
        ? [
            {
              id: 'which-limit',
              what: 'Which limit refused the allocation',
              why: `a core holds no rlimits (it had ${usedMemory(core)})`,
              command:
                core.pid === undefined
                  ? 'journalctl -k | grep __vm_enough_memory; ulimit -v'
                  : `journalctl -k | grep '__vm_enough_memory: pid: ${core.pid}'; ulimit -v`,
            },
          ]
        : [],
    remedies: [
      remedy('check-the-return'),
      mapLimit
        ? remedy('allow-more-mappings-of-core')
        : limit !== null
          ? remedy('raise-address-space')
          : remedy('ask-for-less-at-once', request, 'limit'),
      remedy('record-next-time'),
    ],
  };
}

/** The kernel's smallest refusal, less its page of rounding; else what was still on the stack. */
function requestOf(
  core: CoreDump,
  refusals: readonly KernelRefusal[],
  failures: readonly FailedAllocation[],
): number | null {
  const last = failures.at(-1);
  if (last !== undefined) return last.failure.bytes;
  const refused = refusals.map(({ bytes }) => bytes).filter((bytes) => bytes !== undefined);
  if (core.requestBytes !== undefined) return core.requestBytes;
  return refused.length === 0 ? null : Math.min(...refused);
}
