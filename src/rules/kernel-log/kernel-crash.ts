import { defined } from '../../model/defined.ts';
import type { KernelRefusal, KernelSegfault } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { remedy } from '../shared/remedies.ts';

/** Never mapped (vm.mmap_min_addr): an address below is NULL plus the offset of a field. */
const nullPagesBytes = 65_536;
const stackPageBytes = 4096;
/** The kernel writes the refusal microseconds before the crash; a program may do a little in between. */
const joinSeconds = 2;

/**
 * The disguised death proved by the kernel's log alone (section 5.1 of the catalogue): the same process was refused
 * memory and crashed at once, on NULL or an offset from it.
 */
export const kernelAllocFailureSegfault = defineRule({
  id: 'kernel-alloc-failure-segfault',
  title: 'A refused allocation, then a segfault of the same process',
  needs: ['kernel-segfault', 'kernel-refusal'],
  judge: (facts) =>
    facts['kernel-segfault'].flatMap((crash) => {
      const refusals = refusalsBefore(crash, facts['kernel-refusal']);
      const [first] = refusals;
      if (first === undefined || isStackOverflow(crash)) return [];
      const asked = requestOf(refusals);
      const onNull = isNull(crash);
      const size = asked === null ? '' : ` of ${formatBytes(asked)}`;
      return [
        {
          ...common(crash),
          cause: 'alloc-failure-segfault',
          variant: first.reporter,
          confidence: onNull ? 'certain' : 'likely',
          headline: `${crash.name} (pid ${crash.pid}) crashed because an allocation${size} had failed and nobody looked`,
          because: [
            ...refusals
              .slice(0, 3)
              .map((refusal) =>
                reason(
                  refusal,
                  refusal.bytes === undefined
                    ? 'the kernel refused memory to this process'
                    : `the kernel refused ${formatBytes(refusal.bytes)} to this process`,
                ),
              ),
            reason(
              crash,
              onNull
                ? `then it used the NULL it had got: a fault at ${crash.faultAddress}`
                : `then it crashed, at ${crash.faultAddress ?? 'an address that is not told'}`,
            ),
          ],
          against: onNull
            ? []
            : [reason(crash, 'the fault address is not near NULL: it may be another bug')],
          limit:
            first.reporter === 'rlimit-data'
              ? { owner: 'rlimit', path: 'RLIMIT_DATA', bytes: first.limitBytes ?? null }
              : { owner: 'overcommit', bytes: null },
          request: { bytes: asked },
          trigger: { pid: crash.pid, name: crash.name },
          remedies: [
            remedy('check-the-allocator', false),
            remedy('ask-for-less-at-once', asked, 'kernel'),
          ],
        } satisfies Finding,
      ];
    }),
});

/** Refused allocations without a crash: an exception, an exit, or handled (E3, E4, E2). */
export const kernelRefusal = defineRule({
  id: 'kernel-refusal',
  title: 'The kernel refused memory to a process',
  needs: ['kernel-refusal'],
  uses: ['kernel-segfault', 'process-exit'],
  judge: (facts) => {
    const crashed = new Set(
      facts['kernel-segfault'].flatMap((crash) =>
        isStackOverflow(crash) ? [] : refusalsBefore(crash, facts['kernel-refusal']),
      ),
    );
    const groups: KernelRefusal[][] = [];
    for (const refusal of facts['kernel-refusal']) {
      if (crashed.has(refusal)) continue;
      // Where its parent has told how it ended, the rules about recordings know whether it died of it.
      const exit = facts['process-exit'].find(({ pid }) => pid === refusal.pid);
      if (exit !== undefined && (exit.signal !== null || exit.exitCode === 0)) continue;
      const group = groups.find(([first]) => first !== undefined && sameProcess(first, refusal));
      if (group === undefined) groups.push([refusal]);
      else group.push(refusal);
    }
    return groups.map((group): Finding => {
      const first = group[0] as KernelRefusal;
      const asked = requestOf(group);
      const byRlimit = first.reporter === 'rlimit-data';
      return {
        ...common(first),
        cause: byRlimit ? 'rlimit' : 'alloc-failure-exception',
        variant: byRlimit ? 'data' : 'overcommit',
        death: 'obvious',
        confidence: 'likely',
        headline: byRlimit
          ? `${first.name} (pid ${first.pid}) reached its data limit${first.limitBytes === undefined ? '' : ` of ${formatBytes(first.limitBytes)}`}`
          : `The kernel refused ${asked === null ? 'memory' : formatBytes(asked)} to ${first.name} (pid ${first.pid})`,
        because: group
          .slice(0, 3)
          .map((refusal) =>
            reason(
              refusal,
              byRlimit
                ? 'its data segment would have grown beyond RLIMIT_DATA (the kernel says so once a boot)'
                : 'the kernel refused the allocation: more than memory and swap could ever hold, or beyond the commit limit',
            ),
          ),
        unknown: [
          {
            id: 'whether-it-died-of-it',
            what: 'Whether the process died of it',
            why: 'a refused allocation can be handled; this log shows no crash of the process',
            command: null,
          },
        ],
        limit: byRlimit
          ? { owner: 'rlimit', path: 'RLIMIT_DATA', bytes: first.limitBytes ?? null }
          : { owner: 'overcommit', bytes: null },
        request: { bytes: byRlimit ? null : asked },
        trigger: { pid: first.pid, name: first.name },
        remedies: [remedy('ask-for-less-at-once', asked, 'kernel')],
      };
    });
  },
});

/** Crashes without a refusal before them: bugs, stack overflows (E13), aborts by trap (P10). */
export const kernelSegfault = defineRule({
  id: 'kernel-segfault',
  title: 'A crash that nothing ties to memory',
  needs: ['kernel-segfault'],
  uses: ['kernel-refusal', 'failed-allocation'],
  judge: (facts) =>
    facts['kernel-segfault']
      .filter(
        (crash) =>
          // The agent saw what the kernel does not write down: that rule speaks.
          (isStackOverflow(crash) ||
            !facts['failed-allocation'].some(({ pid }) => pid === crash.pid)) &&
          (isStackOverflow(crash) || refusalsBefore(crash, facts['kernel-refusal']).length === 0),
      )
      .map((crash): Finding => {
        const overflow = isStackOverflow(crash);
        const onNull = isNull(crash);
        const where = crash.library === undefined ? '' : ` in ${crash.library}`;
        const name = `${crash.name} (pid ${crash.pid})`;
        return {
          ...common(crash),
          cause: 'not-memory',
          ...(overflow
            ? { variant: 'stack-overflow' }
            : crash.trap === 'segfault'
              ? { variant: onNull ? 'null-dereference' : 'wild-pointer' }
              : { variant: crash.trap }),
          confidence: overflow ? 'strong' : onNull ? 'weak' : 'likely',
          headline: overflow
            ? `${name} ran out of stack: a recursion too deep, not memory`
            : crash.trap === 'segfault'
              ? `${name} crashed${where} ${onNull ? 'on a NULL pointer' : 'on a wild pointer'}; nothing shows that memory had been refused`
              : `${name} crashed${where} (${crash.trap.replace('-', ' ')}): a bug or a deliberate abort, not memory`,
          because: [
            reason(
              crash,
              overflow
                ? `the fault at ${crash.faultAddress} lies within a page of the stack pointer ${crash.stackPointer}`
                : 'the kernel records a crash of the process, and no refused allocation before it',
            ),
          ],
          ruledOut: [
            {
              cause: 'kernel-global-oom',
              because: 'the OOM killer sends SIGKILL; this process crashed by itself',
            },
          ],
          unknown: onNull
            ? [
                {
                  id: 'whether-rlimit-refused',
                  what: 'Whether an allocation had been refused before by an rlimit or the map count',
                  why: 'such refusals leave no line in the kernel log (only refusals by overcommit do, on kernels since 6.0)',
                  command: `coredumpctl info ${crash.pid}`,
                },
              ]
            : [],
        };
      }),
});

const common = (fact: KernelSegfault | KernelRefusal): Pick<Finding, 'subject' | 'victim'> => ({
  subject: {
    pid: fact.pid,
    name: fact.name,
    ...defined({ when: fact.when }),
    position: fact.origin.line ?? 0,
  },
  victim: { pid: fact.pid, name: fact.name },
});

export function refusalsBefore(
  crash: KernelSegfault,
  refusals: readonly KernelRefusal[],
): readonly KernelRefusal[] {
  return refusals.filter((refusal) => {
    if (refusal.pid !== crash.pid) return false;
    const refused = refusal.when?.uptimeSeconds;
    const crashed = crash.when?.uptimeSeconds;
    if (refused !== undefined && crashed !== undefined)
      return crashed - refused >= -0.001 && crashed - refused <= joinSeconds;
    return (refusal.origin.line ?? 0) <= (crash.origin.line ?? 0);
  });
}

const sameProcess = (a: KernelRefusal, b: KernelRefusal): boolean => {
  if (a.pid !== b.pid || a.name !== b.name || a.reporter !== b.reporter) return false;
  const first = a.when?.uptimeSeconds;
  const second = b.when?.uptimeSeconds;
  return first === undefined || second === undefined || Math.abs(first - second) < 60;
};

/**
 * What the program had asked for, within a page. A failed malloc is tried up to three times: first by mmap (the request and the header,
 * rounded up to pages), then by growing the heap, whose free end may make it smaller than the request (seen: 155,648 bytes),
 * then in a new arena. So it is the first, minus the page.
 */
export function requestOf(refusals: readonly KernelRefusal[]): number | null {
  const sizes = refusals.flatMap(({ bytes, reporter }) =>
    bytes === undefined || reporter !== 'overcommit' ? [] : [bytes],
  );
  if (sizes.length === 0) return null;
  const first = sizes[0] as number;
  return new Set(sizes).size > 1 && first > stackPageBytes ? first - stackPageBytes : first;
}

const isNull = ({ trap, faultAddress }: KernelSegfault): boolean =>
  trap === 'segfault' && faultAddress !== null && Number(faultAddress) < nullPagesBytes;

/** E13: within a page of the stack pointer, on either side. */
function isStackOverflow({ faultAddress, stackPointer }: KernelSegfault): boolean {
  if (faultAddress === null || stackPointer === undefined) return false;
  const distance = BigInt(faultAddress) - BigInt(stackPointer);
  return distance >= -BigInt(stackPageBytes) && distance <= BigInt(stackPageBytes);
}
