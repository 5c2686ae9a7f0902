/** What the rules about core files share: words for a crash, who it was, what to look at next. */
import { defined } from '../../model/defined.ts';
import type { CoreDump, Evidence } from '../../model/evidence.ts';
import type { Question, Finding, Subject } from '../../model/finding.ts';
import type { Limit, ProcessRole } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';

export const ENOMEM = 12;
/** Pages below vm.mmap_min_addr are never mapped: an address there began as NULL. */
const nullPagesBytes = 65_536;
/** Default of vm.max_map_count; the kernel refuses one mapping earlier, and cores leave out the vsyscall page. */
const defaultMaxMapCount = 65_530;
/** glibc keeps a few mappings back while it unwinds: lab 65,532 lines of maps at the refusal. */
const mapCountSlack = 64;

export const isMemoryFault = ({ signal }: CoreDump): boolean =>
  signal === 'SIGSEGV' || signal === 'SIGBUS';

/** The access went to NULL or an offset from it. */
export function isNullAccess(core: CoreDump): boolean {
  if (core.access === 'execute') return false;
  if (core.baseRegisterZero === true) return true;
  if (core.faultAddress === undefined || core.signalCode === undefined || core.signalCode <= 0)
    return false;
  return Number(core.faultAddress) < nullPagesBytes;
}

/** No mapping of a position-independent program lies that low; addresses there are mostly an index behind NULL. */
const lowAddressBytes = 2 ** 30;

/**
 * The access may have been an index behind NULL that was added up before (lab: 30d40, an array of 200,000 bytes):
 * a low address, or one within the size that malloc had refused.
 */
export function isOffsetFromNull(core: CoreDump): boolean {
  if (core.faultAddress === undefined || core.signalCode === undefined || core.signalCode <= 0)
    return false;
  // Something is mapped there, only not for this access: no offset from NULL.
  if (core.signalCode !== SEGV_MAPERR || core.access === 'execute') return false;
  return Number(core.faultAddress) < (core.requestBytes ?? lowAddressBytes);
}
const SEGV_MAPERR = 1;

export const atMapLimit = ({ mapCount }: CoreDump): boolean =>
  mapCount !== undefined &&
  mapCount >= defaultMaxMapCount - mapCountSlack &&
  mapCount <= defaultMaxMapCount + mapCountSlack;

/** A finite RLIMIT_AS that the process had nearly reached, where a dumper kept both. */
export function addressSpaceLimit({
  limits = [],
  peakVmBytes,
  totalVmBytes,
}: CoreDump): Limit | null {
  const limit = limits.find(({ path }) => path === 'RLIMIT_AS');
  const used = peakVmBytes ?? totalVmBytes;
  if (limit === undefined || limit.bytes === null || used === undefined) return null;
  return used >= limit.bytes * 0.9 ? limit : null;
}

export function subjectOf(core: CoreDump): Subject {
  return {
    ...defined({ pid: core.pid }),
    ...(core.threadId === undefined || core.threadId === core.pid
      ? {}
      : { otherPids: [core.threadId] }),
    ...defined({ name: core.name, when: core.when }),
    position: core.origin.line ?? 0,
  };
}

export function victimOf(core: CoreDump): ProcessRole {
  return {
    ...defined({
      pid: core.pid,
      name: core.name,
      uid: core.uid,
      command: core.command,
      totalVmBytes: core.totalVmBytes,
    }),
  };
}

/** What every finding about this core carries. */
export const commonParts = (
  core: CoreDump,
): Pick<Finding, 'subject' | 'victim' | 'stack' | 'request' | 'memory'> => ({
  subject: subjectOf(core),
  victim: victimOf(core),
  request: { bytes: core.requestBytes ?? null },
  ...defined({ stack: core.stack }),
  ...(core.pythonThreads === undefined && core.peakRssBytes === undefined
    ? {}
    : {
        memory: {
          ...defined({ threads: core.pythonThreads, peakRssBytes: core.peakRssBytes }),
        },
      }),
});

/** ` in libc.so.6`, ` at load (app.py:42)`. */
export function place(core: CoreDump): string {
  const frame = core.stack?.[0];
  if (frame !== undefined) {
    const file = frame.file === null ? '' : frame.file.slice(frame.file.lastIndexOf('/') + 1);
    const line = frame.line === null ? '' : `:${frame.line}`;
    return ` at ${frame.function}${file === '' ? '' : ` (${file}${line})`}`;
  }
  return core.faultingObject === undefined
    ? ''
    : ` in ${core.faultingObject.slice(core.faultingObject.lastIndexOf('/') + 1)}`;
}

/** `a write through (%rax) at address 0x0, with rax 0`. */
export function access(core: CoreDump): string {
  const verb =
    core.access === 'write'
      ? 'a write'
      : core.access === 'execute'
        ? 'a call'
        : core.access === 'read'
          ? 'a read'
          : 'an access';
  const through = core.operand === undefined ? '' : ` through ${core.operand}`;
  const zero = core.zeroRegister === undefined ? '' : ` with ${core.zeroRegister} 0`;
  const at =
    core.faultAddress === undefined
      ? ' at an address that the kernel could not tell'
      : ` at address ${core.faultAddress}`;
  return `${verb}${through}${zero}${at}${place(core)}`;
}

/** A refusal that led to a crash is moments older than it; cores of this machine have the time of their file. */
const sameMomentMs = 120_000;

/** What names the same process (or its thread that died) and, where both have a time, the same moment: pids come again. */
export const samePid = <Fact extends Evidence & { readonly pid?: number }>(
  core: CoreDump,
  facts: readonly Fact[],
): readonly Fact[] =>
  facts.filter(
    ({ pid, when }) =>
      pid !== undefined &&
      (pid === core.pid || pid === core.threadId) &&
      (when?.wall === undefined ||
        core.when?.wall === undefined ||
        Math.abs(Date.parse(when.wall) - Date.parse(core.when.wall)) <= sameMomentMs),
  );

export const lookWithGdb = (core: CoreDump): Question['command'] =>
  core.record === 'systemd-coredump'
    ? `coredumpctl debug ${core.pid ?? ''}`.trim()
    : `gdb ${core.executable ?? 'PROGRAM'} ${core.origin.place}`;

export function usedMemory(core: CoreDump): string {
  const parts = [
    core.totalVmBytes === undefined ? null : `${formatBytes(core.totalVmBytes)} of address space`,
    core.mapCount === undefined ? null : `${core.mapCount} mappings`,
  ].filter((part) => part !== null);
  return parts.join(' in ');
}
