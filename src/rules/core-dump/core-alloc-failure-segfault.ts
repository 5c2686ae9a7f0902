import { subjectWithPid } from '../../model/name-with-pid.ts';
import type { Confidence } from '../../model/confidence.ts';
import type { CoreDump, FailedAllocation, KernelRefusal } from '../../model/evidence.ts';
import type { Finding, Question } from '../../model/finding.ts';
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

/** What the core says of the crash, with what else is known of the same process. */
interface Signs {
  readonly core: CoreDump;
  readonly refusals: readonly KernelRefusal[];
  readonly failures: readonly FailedAllocation[];
  /** Somebody named a refused request of this process. */
  readonly named: boolean;
  /** errno was ENOMEM. */
  readonly refused: boolean;
  readonly nullAccess: boolean;
  /** Only a note about a core: no registers, no errno. */
  readonly noRegisters: boolean;
  /** The limit of the address space that it had reached. */
  readonly limit: Limit | null;
  readonly mapLimit: boolean;
}

/** null: the core does not say so. */
export function failedAllocationSegfault(
  core: CoreDump,
  refusals: readonly KernelRefusal[],
  failures: readonly FailedAllocation[],
): Finding | null {
  if (!isMemoryFault(core) || core.stackOverflow === true || core.sender !== undefined) return null;
  const signs: Signs = {
    core,
    refusals,
    failures,
    named: refusals.length > 0 || failures.length > 0,
    refused: core.errno === ENOMEM,
    nullAccess: isNullAccess(core),
    noRegisters: core.record !== undefined && core.record !== 'core',
    limit: addressSpaceLimit(core),
    mapLimit: atMapLimit(core),
  };
  const confidence = confidenceOf(signs);
  if (confidence === null) return null;

  const { limit, mapLimit } = signs;
  const request = requestOf(core, refusals, failures);
  const owner: Limit | null =
    limit ?? (mapLimit ? { owner: 'map-count', path: 'vm.max_map_count', bytes: null } : null);
  return {
    ...commonParts(core),
    cause: 'alloc-failure-segfault',
    confidence,
    headline: headlineOf(signs, request),
    because: [...reasonsOfRequests(signs), ...reasonsOfCore(signs)],
    request: { bytes: request },
    ...(owner === null ? {} : { limit: owner }),
    ...(mapLimit ? { variant: 'max-map-count' } : {}),
    against: againstIt(signs),
    ruledOut: ruledOut(signs),
    unknown: owner === null && refusals.length === 0 ? [whichLimit(core)] : [],
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

/** null: too little speaks for it. */
function confidenceOf(signs: Signs): Confidence | null {
  const { core, named, refused, nullAccess, noRegisters } = signs;
  if (nullAccess && named) return 'certain';
  if (nullAccess && refused) return 'strong';
  const atLimit = signs.limit !== null || signs.mapLimit;
  // A record without registers or errno: the limit speaks, or the refusal of the same process.
  return named ||
    ((nullAccess || noRegisters) && atLimit) ||
    (refused && (atLimit || isOffsetFromNull(core)))
    ? 'likely'
    : null;
}

function headlineOf({ core, noRegisters }: Signs, request: number | null): string {
  const what = request === null ? 'an allocation' : `an allocation of ${formatBytes(request)}`;
  const then = noRegisters
    ? 'the program went on without it'
    : 'the program used the NULL pointer it got';
  return `${subjectWithPid(core)} crashed${place(core)}: ${what} had failed, and ${then}`;
}

/** What others say that the process had asked for in vain. */
function reasonsOfRequests({ refusals, failures }: Signs): readonly Reason[] {
  const because = failures
    .slice(0, 2)
    .map((failure) =>
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
  return because;
}

function reasonsOfCore({ core, refused, limit, mapLimit, ...signs }: Signs): readonly Reason[] {
  const says = [howItDied(core, signs)];
  if (refused)
    says.push(
      'errno of the thread that crashed was 12 (ENOMEM): its last failure was a refused allocation',
    );
  if (core.reraised === true)
    says.push(
      'a signal handler had caught the signal and raised it again (faulthandler does): the fault is from the signal frame',
    );
  if (limit !== null && limit.bytes !== null)
    says.push(
      `its address space had reached ${formatBytes(core.peakVmBytes ?? core.totalVmBytes ?? limit.bytes)} of the limit of ${formatBytes(limit.bytes)}`,
    );
  if (mapLimit)
    says.push(
      `it had ${core.mapCount} mappings: the default of vm.max_map_count is 65530, beyond which every mmap fails`,
    );
  return says.map((text) => reason(core, text));
}

function howItDied(
  core: CoreDump,
  { nullAccess, noRegisters }: Pick<Signs, 'nullAccess' | 'noRegisters'>,
): string {
  if (noRegisters) return `it died of ${core.signal}${place(core)}, as ${core.record} noted`;
  const fault = `${core.signal} on ${access(core)}`;
  if (nullAccess) return `${fault}: a NULL pointer, or an offset from one`;
  return isOffsetFromNull(core)
    ? `${fault}: nothing lies that low; it looks like an offset from NULL`
    : fault;
}

function againstIt({ core, named, refused }: Signs): readonly Reason[] {
  return refused && !named
    ? [
        {
          says: 'errno may be left over from an earlier failure that the program had handled',
          source: core.origin.source,
          place: core.origin.place,
        },
      ]
    : [];
}

function ruledOut({ noRegisters }: Signs): NonNullable<Finding['ruledOut']> {
  return [
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
  ];
}

const whichLimit = (core: CoreDump): Question => ({
  id: 'which-limit',
  what: 'Which limit refused the allocation',
  why: `a core holds no rlimits (it had ${usedMemory(core)})`,
  command:
    core.pid === undefined
      ? 'journalctl -k | grep __vm_enough_memory; ulimit -v'
      : `journalctl -k | grep '__vm_enough_memory: pid: ${core.pid}'; ulimit -v`,
});

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
