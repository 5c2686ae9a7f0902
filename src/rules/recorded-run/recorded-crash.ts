import { nameWithPid } from '../../model/name-with-pid.ts';
import type { ProcessExit, ProcessLimits } from '../../model/evidence.ts';
import type { Question, Finding } from '../../model/finding.ts';
import type { Limit, StackFrame } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { ofProcess } from '../shared/by-pid.ts';
import { defineRule, reason, type RuleContext } from '../shared/define-rule.ts';
import { kernelLogRead, peakOf, subjectOf, victimOf } from '../shared/recorded.ts';
import { requestOf } from '../shared/kernel-crashes.ts';
import { whichLimit } from './refusing-limit.ts';
import { atUsersLine } from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';

const crashes = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGTRAP', 'SIGFPE', 'SIGSYS']);
/** An allocation that failed this long before the end had to do with it. */
const justBeforeMs = 2000;

/**
 * A watched process that ended by a fault of its own: behind it a refused allocation, or not. The kernel's line on the fault is
 * missing where faulthandler was on and where the kernel log cannot be read; the refusals and the limits remain.
 */
export const recordedCrash = defineRule({
  id: 'recorded-crash',
  title: 'A watched process crashed',
  needs: ['process-exit'],
  uses: [
    'kernel-refusal',
    'kernel-segfault',
    'failed-allocation',
    'process-limits',
    'program-abort',
    'death-notice',
    'program-error',
    'core-dump',
    'host-counters',
  ],
  judge: (facts, context) =>
    facts['process-exit'].flatMap((exit): readonly Finding[] => {
      if (exit.signal === null || !crashes.has(exit.signal)) return [];
      const dump = ofProcess(exit, facts['program-abort']);
      // Its own words name memory: theirs is the verdict.
      if (dump.some(({ resource }) => resource !== 'none')) return [];
      const dumps = ofProcess(exit, facts['death-notice']).filter(
        ({ reporter }) => reporter === 'faulthandler',
      );
      const stack =
        [...dump, ...dumps].find((words) => (words.stack ?? []).length > 0)?.stack ?? [];
      const base = {
        subject: subjectOf(exit),
        victim: victimOf(exit),
        stack,
        memory: peakOf(exit),
      };
      const aborted = exit.signal === 'SIGABRT';
      const cause = aborted ? 'alloc-failure-abort' : 'alloc-failure-segfault';
      const ended = reason(exit, `${nameWithPid(exit)} was ended by ${exit.signal}`);
      const dumped = [...dump, ...dumps].map((words) =>
        reason(words, 'its Python stack when it crashed'),
      );

      const refusals = ofProcess(exit, facts['kernel-refusal']).filter((refusal) =>
        justBefore(exit, refusal.when?.uptimeSeconds),
      );
      const failures = ofProcess(exit, facts['failed-allocation']).filter(
        ({ beforeEndMs }) =>
          beforeEndMs === undefined || beforeEndMs <= justBeforeMs + (exit.dumpingMs ?? 0),
      );
      const request = failures.at(-1)?.failure.bytes ?? requestOf(refusals);
      if (refusals.length > 0 || failures.length > 0) {
        const size = request === null ? 'memory' : formatBytes(request);
        return [
          {
            ...base,
            cause,
            confidence: 'strong',
            headline: `${nameWithPid(exit)} asked for ${size}, was refused, and ${aborted ? 'aborted' : 'crashed because nobody looked'}${atUsersLine(stack)}`,
            because: [
              // malloc tries brk, mmap and a new arena: one request is refused three times.
              ...refusals
                .slice(0, 1)
                .map((refusal) =>
                  reason(
                    refusal,
                    `the kernel refused this very process ${refusal.bytes === undefined ? 'memory' : formatBytes(refusal.bytes)}${refusals.length === 1 ? '' : ` (${refusals.length} times)`}`,
                  ),
                ),
              ...failures
                .slice(-3)
                .map((failed) =>
                  reason(
                    failed,
                    `an allocation of ${failed.failure.bytes} bytes failed inside the process`,
                  ),
                ),
              ended,
              ...dumped,
            ],
            request: { bytes: request },
            trigger: { pid: exit.pid, name: exit.name },
            ...limitBehind(
              failures.at(-1)?.limit,
              whichLimit(
                request === null ? {} : { requestBytes: request },
                limitsOf(exit, facts['process-limits']),
                refusals,
                facts['host-counters'][0],
              )?.limit,
            ),
            remedies: [remedy('check-what-it-gave')],
          },
        ];
      }

      const limits = ofProcess(exit, facts['process-limits'])[0];
      const addressSpace = limits?.limits.find(({ path }) => path === 'RLIMIT_AS');
      const peak = limits?.peakVmBytes;
      const full =
        addressSpace?.bytes != null && peak !== undefined && peak >= 0.95 * addressSpace.bytes;
      const faults = ofProcess(exit, facts['kernel-segfault']);
      const overflow = looksLikeRecursion(stack);
      if (full && limits !== undefined && !overflow)
        return [
          {
            ...base,
            cause,
            confidence: 'likely',
            headline: `${nameWithPid(exit)} crashed with its address space full: an allocation was probably refused${atUsersLine(stack)}`,
            because: [
              reason(
                limits,
                `RLIMIT_AS was ${addressSpace.bytes} bytes, and it had used ${peak} of them`,
              ),
              ended,
              ...dumped,
            ],
            limit: { owner: 'rlimit', path: 'RLIMIT_AS', bytes: addressSpace.bytes },
            unknown: [failedInside],
          },
        ];
      // The kernel's line on the fault, or a core, tells more than we can here.
      if (faults.length > 0 || ofProcess(exit, facts['core-dump']).length > 0) return [];
      const read = kernelLogRead(context);
      // A C++ or Rust program says on stderr why it aborts, and nowhere else.
      const mute =
        aborted &&
        dump.length + dumps.length === 0 &&
        !context.sources.some(({ id }) => id === 'stderr');
      if (mute)
        return [
          {
            ...base,
            cause: 'undetermined',
            confidence: 'weak',
            headline: `${nameWithPid(exit)} aborted itself; its last words could not be read`,
            because: [ended],
            unknown: [
              {
                id: 'what-it-said',
                what: 'what it said when it aborted',
                why: 'its stderr was a terminal, or something else that cannot be read again',
                command: 'coroner run … 2>errors.log',
              },
            ],
          },
        ];
      return [
        {
          ...base,
          cause: 'not-memory',
          variant: overflow ? 'stack-overflow' : 'crash',
          // A request beyond the address space is refused without a line: only the agent would have seen it.
          confidence: overflow || (read && agentWatched(context)) ? 'strong' : 'likely',
          headline: overflow
            ? `${nameWithPid(exit)} ran out of stack${atUsersLine(stack)}: a recursion too deep, not memory`
            : `${nameWithPid(exit)} crashed by ${exit.signal}${atUsersLine(stack)}; no allocation had failed`,
          because: [ended, ...dumped],
          ruledOut: [
            {
              cause: 'alloc-failure-segfault',
              because: `${read ? 'the kernel log was read and names no refused allocation of it' : 'no refused allocation was seen'}${addressSpace === undefined ? ', and it had no limit of address space' : `, and it used ${peak === undefined ? 'an unknown part' : formatBytes(peak)} of its ${formatBytes(addressSpace.bytes ?? 0)} of address space`}`,
            },
          ],
          unknown: read ? [] : [kernelWords],
        },
      ];
    }),
});

const agentWatched = ({ sources }: RuleContext): boolean =>
  sources.some(({ id, status }) => id === 'agent' && status === 'read');

const failedInside: Question = {
  id: 'which-allocation',
  what: 'which allocation was refused',
  why: 'RLIMIT_AS refuses without a word in the kernel log',
  command: 'strace -f -Z -e trace=mmap,mremap,brk COMMAND',
};
const kernelWords: Question = {
  id: 'kernel-words',
  what: "the kernel's line on the fault and on refused allocations",
  why: 'the kernel log could not be read',
  command: 'sudo dmesg -T | grep -E "segfault|not enough memory"',
};

/** What the agent saw, else what the figures say. */
const limitBehind = (
  seen: Limit | undefined,
  reckoned: Limit | undefined,
): { readonly limit?: Limit } => {
  const limit = seen?.bytes == null ? (reckoned ?? seen) : seen;
  return limit === undefined ? {} : { limit };
};

/** A process that died at once may have left no figures. */
const limitsOf = (exit: ProcessExit, limits: readonly ProcessLimits[]): ProcessLimits =>
  ofProcess(exit, limits)[0] ?? {
    kind: 'process-limits',
    origin: exit.origin,
    pid: exit.pid,
    name: exit.name,
    limits: [],
  };

function justBefore(exit: ProcessExit, uptimeSeconds: number | undefined): boolean {
  const ended = exit.when?.uptimeSeconds;
  return (
    ended === undefined ||
    uptimeSeconds === undefined ||
    Math.abs(ended - uptimeSeconds) * 1000 <= justBeforeMs + (exit.dumpingMs ?? 0)
  );
}

/** faulthandler prints at most 100 frames: a hundred of few functions is a recursion. */
export function looksLikeRecursion(stack: readonly StackFrame[]): boolean {
  if (stack.length < 60) return false;
  const places = new Set(stack.slice(0, 60).map(({ file, function: name }) => `${file}:${name}`));
  return places.size <= 6;
}
