import { subjectWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { Confidence } from '../../model/confidence.ts';
import type { Cause } from '../../model/causes.ts';
import type { CoreDump } from '../../model/evidence.ts';
import type { Question, Advice, Finding } from '../../model/finding.ts';
import {
  access,
  addressSpaceLimit,
  atMapLimit,
  commonParts,
  ENOMEM,
  isMemoryFault,
  isNullAccess,
  lookWithGdb,
  place,
  samePid,
} from '../shared/core-facts.ts';
import { failedAllocationAbort } from './core-alloc-failure-abort.ts';
import { failedAllocationSegfault } from './core-alloc-failure-segfault.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { remedy } from '../shared/remedies.ts';

/** A plain crash, a stack overflow, corruption, somebody's signal and other look-alikes. */
export const coreNotMemory = defineRule({
  id: 'core-not-memory',
  title: 'A core: the crash was not memory, or cannot be told',
  needs: ['core-dump'],
  uses: ['kernel-refusal', 'failed-allocation'],
  judge: (facts) =>
    facts['core-dump'].flatMap((core): readonly Finding[] => {
      const refusals = samePid(core, facts['kernel-refusal']);
      const failures = samePid(core, facts['failed-allocation']);
      if (failedAllocationSegfault(core, refusals, failures) !== null) return [];
      if (failedAllocationAbort(core) !== null) return [];
      const opinion = judgeCore(core, refusals.length + failures.length > 0);
      const {
        cause = 'not-memory',
        says,
        against = [],
        unknown = [],
        remedies = [],
        ...rest
      } = opinion;
      return [
        {
          ...commonParts(core),
          cause,
          ...defined({ variant: rest.variant }),
          confidence: rest.confidence,
          headline: `${subjectWithPid(core)} ${rest.headline}`,
          because: says.map((text) => reason(core, text)),
          against: against.map((text) => reason(core, text)),
          ruledOut: [
            {
              cause: 'kernel-cgroup-oom',
              because: 'the OOM killer sends SIGKILL, and SIGKILL leaves no core',
            },
          ],
          unknown,
          remedies,
        },
      ];
    }),
});

interface Opinion {
  readonly cause?: Cause;
  readonly variant?: string;
  readonly confidence: Confidence;
  /** Behind the process' name. */
  readonly headline: string;
  readonly says: readonly string[];
  readonly against?: readonly string[];
  readonly unknown?: readonly Question[];
  readonly remedies?: readonly Advice[];
}

function judgeCore(core: CoreDump, named: boolean): Opinion {
  if (core.signal === null && core.record !== undefined && core.record !== 'core')
    return fromRecord(core);
  if (core.signal === null)
    return {
      confidence: 'likely',
      variant: 'no-death',
      headline: 'was alive when its core was written (by a debugger)',
      says: ['the core names no signal that ended it'],
    };
  if (core.sender !== undefined)
    return {
      variant: 'signal-sent',
      confidence: 'strong',
      headline: `was sent ${core.signal} by ${core.sender.pid === 0 ? 'a process outside of its namespace' : `process ${core.sender.pid}`}`,
      says: [
        `${core.signal} was sent by pid ${core.sender.pid} (uid ${core.sender.uid}), not raised by a fault: the kernel's OOM killer leaves no core`,
      ],
    };
  if (core.stackOverflow === true) return stackOverflow(core);
  if (core.signal === 'SIGBUS') return busError(core);
  if (isMemoryFault(core)) return memoryFault(core, named);
  if (core.signal === 'SIGABRT') return aborted(core);
  return otherSignal(core);
}

const stackOverflow = (core: CoreDump): Opinion => ({
  variant: 'stack-overflow',
  confidence: 'strong',
  headline: `ran out of stack${place(core)}: a recursion too deep, not memory`,
  says: [
    `${core.signal} on ${access(core)}: it lies at the edge of the stack${core.stackPointer === undefined ? '' : ` (stack pointer ${core.stackPointer})`}`,
  ],
  remedies: [remedy('end-the-recursion')],
});

/** A mapping of /dev/shm whose pages could not be had; otherwise a file that was cut short under its mapping. */
function busError(core: CoreDump): Opinion {
  const mapping = core.faultMapping;
  if (mapping !== undefined && /^\/dev\/shm\/|^\/memfd:|\/anon_hugepage/.test(mapping))
    return {
      cause: 'shm-exhausted',
      ...(mapping.includes('hugepage') ? { variant: 'hugetlb' } : {}),
      confidence: 'likely',
      headline: `crashed on shared memory that had no room left (${mapping})`,
      says: [
        `SIGBUS on ${access(core)}, within the mapping of ${mapping}: no page could be had for it`,
      ],
      against: ['the file may also have been cut short by another process'],
      unknown: [
        {
          id: 'how-full',
          what: 'How full it was',
          why: 'a core does not hold it',
          command: 'df -h /dev/shm',
        },
      ],
      remedies: [remedy('larger-shared-memory')],
    };
  return {
    variant: 'bus-error',
    confidence: mapping === undefined ? 'weak' : 'likely',
    headline: `crashed with SIGBUS${mapping === undefined ? place(core) : ` on the mapped file ${mapping}`}`,
    says: [
      `SIGBUS on ${access(core)}: the file behind the mapping was shorter than it, or could not be read`,
    ],
    unknown: [
      {
        id: 'what-became-of-file',
        what: 'What became of the file',
        why: 'a core does not hold it',
        command: 'df -h; journalctl -k | grep -i error',
      },
    ],
  };
}

/** A fault of the program's own: a wild call, a wild pointer, a NULL pointer. `named`: somebody tells of a refused request of it. */
function memoryFault(core: CoreDump, named: boolean): Opinion {
  if (core.record !== undefined && core.record !== 'core') return fromRecord(core);
  if (core.access === 'execute') return wildCall(core);
  if (core.signalCode !== undefined && core.signalCode <= 0) return raisedItself(core);
  if (!isNullAccess(core)) return wildPointer(core);
  const noRefusal = core.errno === 0 && core.ctypes !== true && !named;
  return noRefusal ? plainNullPointer(core) : unexplainedNullPointer(core);
}

const faultOf = (core: CoreDump): string => `${core.signal} on ${access(core)}`;

const whichLine = (core: CoreDump): Question => ({
  id: 'which-line-crashed',
  what: 'Which line of the program it was',
  why: 'that needs the debug information of the program',
  command: lookWithGdb(core),
});

const whetherRefused = (core: CoreDump): Question => ({
  id: 'whether-refused-before',
  what: 'Whether an allocation had been refused before',
  why:
    core.errno === undefined
      ? 'errno could not be read from this core'
      : core.errno === ENOMEM
        ? 'errno tells of a refusal, not of when it was'
        : 'errno is set back on the way by ctypes and the interpreter',
  command:
    core.pid === undefined
      ? 'journalctl -k | grep __vm_enough_memory'
      : `journalctl -k | grep 'pid: ${core.pid}, comm'`,
});

function wildCall(core: CoreDump): Opinion {
  const ofNull = nullCall(core);
  return {
    variant: ofNull ? 'null-call' : 'wild-pointer',
    confidence: core.errno === 0 ? 'strong' : 'likely',
    headline: `called ${ofNull ? 'a NULL function pointer' : 'an address that holds no code'}: a bug, not memory`,
    says: [`${faultOf(core)}: the instruction pointer itself was there`],
    unknown: [whichLine(core)],
  };
}

function raisedItself(core: CoreDump): Opinion {
  if (core.errno === 0 && core.truncated !== true)
    return {
      variant: 'signal-raised',
      confidence: 'likely',
      headline: `raised ${core.signal} itself${place(core)}: not memory`,
      says: [`the process sent ${core.signal} to itself, and no fault stands on its stack`],
    };
  return {
    cause: 'undetermined',
    confidence: 'weak',
    headline: `raised ${core.signal} itself${place(core)}; what a handler had caught before is lost`,
    says: [`the process sent ${core.signal} to itself, and no signal frame is left on its stack`],
    unknown: [whetherRefused(core), whichLine(core)],
  };
}

function wildPointer(core: CoreDump): Opinion {
  const fault = `${faultOf(core)}: neither NULL nor at the edge of the stack`;
  if (core.errno === ENOMEM)
    return {
      cause: 'undetermined',
      confidence: 'weak',
      headline: `crashed${place(core)} on a wild pointer, with an allocation refused some time before`,
      says: [
        fault,
        'errno of the thread that crashed was 12 (ENOMEM): an allocation had been refused, just before or long ago',
      ],
      unknown: [whetherRefused(core), whichLine(core)],
      remedies: [remedy('record-next-time')],
    };
  return {
    variant: 'wild-pointer',
    confidence: core.errno === 0 ? 'strong' : 'likely',
    headline: `crashed${place(core)} on a wild pointer: a bug, not memory`,
    says: [
      fault,
      ...(core.errno === 0
        ? ['errno of the thread that crashed was 0: no allocation had failed in it']
        : []),
    ],
    unknown: [whichLine(core)],
  };
}

const plainNullPointer = (core: CoreDump): Opinion => ({
  variant: 'null-dereference',
  confidence: 'likely',
  headline: `used a NULL pointer${place(core)} with no failed allocation before it: a bug, not memory`,
  says: [
    `${faultOf(core)}: a NULL pointer, or an offset from one`,
    'errno of the thread that crashed was 0: malloc sets it to 12 when it is refused',
    ...(atMapLimit(core) || addressSpaceLimit(core) !== null
      ? []
      : ['it was near no limit that the core shows']),
  ],
  unknown: [whichLine(core)],
});

const unexplainedNullPointer = (core: CoreDump): Opinion => ({
  cause: 'undetermined',
  confidence: 'weak',
  headline: `used a NULL pointer${place(core)}: a plain bug, or an allocation that had been refused`,
  says: [
    `${faultOf(core)}: a NULL pointer, or an offset from one`,
    ...(core.errno === undefined
      ? []
      : [
          `errno of the thread that crashed was ${core.errno}: not that of a refused allocation, but it may have been set anew since`,
        ]),
  ],
  unknown: [whetherRefused(core), whichLine(core)],
  remedies: [remedy('record-next-time')],
});

const nullCall = (core: CoreDump): boolean => Number(core.faultAddress ?? '0xffffff') < 65_536;

/** Only a note about a core: it has no registers and no errno. */
function fromRecord(core: CoreDump): Opinion {
  const repeated = deepestRepetition(core.nativeStack ?? []);
  if (repeated !== null)
    return {
      variant: 'stack-overflow',
      confidence: 'likely',
      headline: `ran out of stack: ${repeated.frames} frames deep in ${repeated.what}`,
      says: [`its stack is ${repeated.frames} frames deep and goes round in ${repeated.what}`],
    };
  return {
    cause: 'undetermined',
    confidence: 'weak',
    headline: `crashed${core.signal === null ? '' : ` with ${core.signal}`}${place(core)}; this note does not tell why`,
    says: [
      `${core.record} noted that it ${core.signal === null ? 'had crashed and dumped its core' : `died of ${core.signal}`}`,
    ],
    unknown: [
      {
        id: 'whether-refusal-behind-crash',
        what: 'Whether a failed allocation was behind the crash',
        why: 'only the core itself has the registers and errno',
        command:
          core.storedAt !== undefined
            ? `coroner diagnose ${core.storedAt}`
            : core.pid === undefined
              ? null
              : `coredumpctl dump ${core.pid} --output core.${core.pid}; coroner diagnose core.${core.pid}`,
      },
    ],
    remedies: [remedy('record-next-time')],
  };
}

function deepestRepetition(
  stack: readonly string[],
): { readonly frames: number; readonly what: string } | null {
  if (stack.length < 200) return null;
  const counts = new Map<string, number>();
  for (const line of stack) counts.set(line, (counts.get(line) ?? 0) + 1);
  const [what, count] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? ['', 0];
  return count >= stack.length / 8 ? { frames: stack.length, what } : null;
}

function aborted(core: CoreDump): Opinion {
  if (core.abortMessage !== undefined) {
    const assertion = core.abortMessage.includes('Assertion');
    return {
      variant: assertion ? 'assertion' : 'heap-corruption',
      confidence: 'strong',
      headline: assertion
        ? 'aborted because an assertion of its own failed: not memory'
        : `aborted${place(core)}: its heap was corrupted, not full`,
      says: [`glibc had printed before it aborted: ${core.abortMessage}`],
      remedies: assertion ? [] : [remedy('find-the-faulty-write')],
    };
  }
  if (
    core.exceptionType !== undefined &&
    !/bad_alloc|bad_array_new_length/.test(core.exceptionType)
  )
    return {
      variant: 'uncaught-exception',
      confidence: 'strong',
      headline: `aborted because nobody caught ${core.exceptionType}: not memory`,
      says: [`it died of SIGABRT while ${core.exceptionType} was being handled`],
    };
  return {
    cause: 'undetermined',
    confidence: 'weak',
    headline: `aborted${place(core)}; why stands in what it had printed`,
    says: [
      'SIGABRT: the program, or a library in it, ended itself',
      ...(core.errno === undefined ? [] : [`errno of the thread that aborted was ${core.errno}`]),
    ],
    unknown: [
      {
        id: 'why-it-aborted',
        what: 'Why it ended itself',
        why: 'programs say so on stderr before they abort',
        command: lookWithGdb(core),
      },
    ],
  };
}

const otherSignal = (core: CoreDump): Opinion => ({
  variant: 'other-signal',
  confidence: core.signal === 'SIGILL' || core.signal === 'SIGTRAP' ? 'weak' : 'likely',
  headline: `died of ${core.signal}${place(core)}: not memory`,
  says: [
    `${core.signal}${core.signal === 'SIGXCPU' ? ' is sent when RLIMIT_CPU is used up' : core.signal === 'SIGXFSZ' ? ' is sent when a file grows beyond RLIMIT_FSIZE' : ' is no sign of a refused allocation'}`,
  ],
});
