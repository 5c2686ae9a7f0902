import { defined } from '../../../model/defined.ts';
import type { KernelNotice, KernelRefusal, KernelSegfault } from '../../../model/evidence.ts';

type Bare<Fact> = Fact extends unknown ? Omit<Fact, 'origin' | 'when'> : never;
export type KernelSideFact = Bare<KernelSegfault | KernelRefusal | KernelNotice>;

/** One-line records of the kernel that speak of a crash, a refusal, or something that is mistaken for a kill. */
export function kernelNotice(text: string): KernelSideFact | null {
  if (text.length > maxLength) return kernelNotice(text.slice(0, maxLength));
  // Cheap words first: most lines are none of these, and the patterns are not cheap.
  if (text.includes('enough memory') || text.includes('exceed data ulimit')) return refusal(text);
  if (
    text.includes('segfault') ||
    text.includes('trap') ||
    text.includes('unhandled') ||
    text.includes('general protection')
  )
    return segfault(text);
  return noticeWords.some((word) => text.includes(word)) ? notice(text) : null;
}

/** Records of the kernel have 1 KiB at most. */
const maxLength = 2048;

const noticeWords = [
  'page allocation failure',
  'blocked for more than',
  'fork rejected',
  'Memory failure',
  'oom_reaper',
  'callbacks suppressed',
  'soft lockup',
  'NVRM: Xid',
  'Kernel panic',
];

/**
 * Refused allocations. Before 6.5 or so the kernel printed no size
 * (`no enough memory` in 6.0, `not enough memory` in 6.5).
 */
function refusal(text: string): KernelSideFact | null {
  const overcommit =
    /__vm_enough_memory: pid:? ?(\d+), comm:? ?(.{0,64}?),?(?: bytes:? ?(\d+),?)? (?:not|no) enough memory/.exec(
      text,
    );
  if (overcommit !== null)
    return {
      kind: 'kernel-refusal',
      reporter: 'overcommit',
      pid: Number(overcommit[1]),
      name: overcommit[2] ?? '',
      ...(overcommit[3] === undefined ? {} : { bytes: Number(overcommit[3]) }),
    };
  const data = /mmap: (.{1,64}?) \((\d+)\): VmData (\d+) exceed data ulimit (\d+)/.exec(text);
  if (data === null) return null;
  return {
    kind: 'kernel-refusal',
    reporter: 'rlimit-data',
    pid: Number(data[2]),
    name: data[1] ?? '',
    bytes: Number(data[3]),
    limitBytes: Number(data[4]),
  };
}

const hex = (digits: string): string => `0x${digits.replace(/^0+(?=.)/, '')}`;

function segfault(text: string): KernelSideFact | null {
  // x86: `ip`/`sp` since 2.6.26, `rip`/`rsp` and `eip`/`esp` before.
  const x86 =
    /(\S.*?)\[(\d+)\]: segfault at ([0-9a-f]+) [re]?ip:? ?([0-9a-f]+) [re]?sp:? ?([0-9a-f]+) error:? ?(\d+)(?: in ([^\s[]+))?/.exec(
      text,
    );
  if (x86 !== null)
    return {
      kind: 'kernel-segfault',
      trap: 'segfault',
      name: nameOf(x86[1]),
      pid: Number(x86[2]),
      faultAddress: hex(x86[3] ?? ''),
      instructionPointer: hex(x86[4] ?? ''),
      stackPointer: hex(x86[5] ?? ''),
      error: Number(x86[6]),
      ...defined({ library: x86[7] }),
    };
  const trap =
    /(?:traps: )?(\S.*?)\[(\d+)\] (?:trap )?(invalid opcode|divide error|general protection(?: fault)?|bounds|int3|alignment check|stack segment) ?(?:fault )?ip:([0-9a-f]+) sp:([0-9a-f]+) error:([0-9a-f]+)(?: in ([^\s[]+))?/.exec(
      text,
    );
  if (trap !== null)
    return {
      kind: 'kernel-segfault',
      trap: trapOf(trap[3] ?? ''),
      name: nameOf(trap[1]?.replace(/^traps: /, '')),
      pid: Number(trap[2]),
      faultAddress: null,
      instructionPointer: hex(trap[4] ?? ''),
      stackPointer: hex(trap[5] ?? ''),
      error: Number.parseInt(trap[6] ?? '0', 16),
      ...defined({ library: trap[7] }),
    };
  // arm64 and powerpc.
  const other =
    /(\S.*?)\[(\d+)\]: (?:unhandled (?:exception|level \d \S+ fault|.{0,40}fault) \(11\) at|segfault \(11\) at|unhandled signal 11 at) (?:0x)?([0-9a-f]+)/.exec(
      text,
    );
  if (other === null) return null;
  return {
    kind: 'kernel-segfault',
    trap: 'segfault',
    name: nameOf(other[1]),
    pid: Number(other[2]),
    faultAddress: hex(other[3] ?? ''),
  };
}

/** What an unknown prefix left in front of a name is cut off: a name has 15 characters at most. */
function nameOf(text = ''): string {
  const name = text.trim();
  if (name.length <= 15) return name;
  const tail = name.slice(-15);
  const space = tail.indexOf(' ');
  return space < 0 ? tail : tail.slice(space + 1);
}

function trapOf(words: string): KernelSegfault['trap'] {
  if (words === 'invalid opcode') return 'invalid-opcode';
  if (words === 'divide error') return 'divide-error';
  if (words.startsWith('general protection')) return 'general-protection';
  return 'other';
}

interface NoticeShape {
  readonly what: KernelNotice['what'];
  readonly pattern: RegExp;
}

/** Named groups `pid`, `name`, `order` are taken where the record has them. */
const notices: readonly NoticeShape[] = [
  {
    what: 'page-allocation-failure',
    pattern: /(?<name>\S.{0,40}?): page allocation failure[.:]\s?order:(?<order>\d+)/,
  },
  {
    what: 'hung-task',
    pattern: /INFO: task (?<name>.{1,40}):(?<pid>\d+) (?:<.*> )?blocked for more than \d+ seconds/,
  },
  { what: 'fork-rejected-pids', pattern: /cgroup: fork rejected by pids controller in \S+/ },
  {
    what: 'hardware-poison',
    pattern:
      /Memory failure: 0x[0-9a-f]+: (?:Killing|Sending SIGBUS to) (?<name>.{1,40}):(?<pid>\d+) due to hardware memory corruption/,
  },
  {
    what: 'oom-reaper',
    pattern: /oom_reaper: (?:reaped process |unable to reap pid:)(?<pid>\d+) \((?<name>.*)\)/,
  },
  {
    what: 'suppressed',
    pattern: /(?:show_signal_msg|__vm_enough_memory|oom_kill\w*): \d+ callbacks suppressed/,
  },
  {
    what: 'soft-lockup',
    pattern: /soft lockup - CPU#\d+ stuck for \d+s! \[(?<name>.{1,40}):(?<pid>\d+)\]/,
  },
  {
    what: 'gpu-fault',
    pattern: /NVRM: Xid \([^)]*\): \d+(?:, pid='?(?<pid>\d+)'?, name=(?<name>[^,]+))?/,
  },
  { what: 'panic-other', pattern: /Kernel panic - not syncing/ },
];

function notice(text: string): KernelSideFact | null {
  for (const { what, pattern } of notices) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const { pid, name, order } = match.groups ?? {};
    return {
      kind: 'kernel-notice',
      what,
      text: text.slice(0, 300),
      ...(pid === undefined ? {} : { pid: Number(pid) }),
      ...(name === undefined ? {} : { name: nameOf(name) }),
      ...(order === undefined ? {} : { order: Number(order) }),
    };
  }
  return null;
}
