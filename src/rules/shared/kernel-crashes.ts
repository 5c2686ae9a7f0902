/** What rules share that judge the kernel's records of crashes and of refused allocations. */
import { defined } from '../../model/defined.ts';
import type { KernelRefusal, KernelSegfault } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { ofPid } from './by-pid.ts';

/** Never mapped (vm.mmap_min_addr): an address below is NULL plus the offset of a field. */
const nullPagesBytes = 65_536;
const stackPageBytes = 4096;
/** The kernel writes the refusal microseconds before the crash; a program may do a little in between. */
const joinSeconds = 2;

export const common = (
  fact: KernelSegfault | KernelRefusal,
): Pick<Finding, 'subject' | 'victim'> => ({
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
  return ofPid(crash.pid, refusals).filter((refusal) => {
    const refused = refusal.when?.uptimeSeconds;
    const crashed = crash.when?.uptimeSeconds;
    if (refused !== undefined && crashed !== undefined)
      return crashed - refused >= -0.001 && crashed - refused <= joinSeconds;
    return (refusal.origin.line ?? 0) <= (crash.origin.line ?? 0);
  });
}

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

export const isNull = ({ trap, faultAddress }: KernelSegfault): boolean =>
  trap === 'segfault' && faultAddress !== null && Number(faultAddress) < nullPagesBytes;

/** A stack overflow: the fault lies within a page of the stack pointer, on either side. */
export function isStackOverflow({ faultAddress, stackPointer }: KernelSegfault): boolean {
  if (faultAddress === null || stackPointer === undefined) return false;
  const distance = BigInt(faultAddress) - BigInt(stackPointer);
  return distance >= -BigInt(stackPageBytes) && distance <= BigInt(stackPageBytes);
}
