import { nameWithPid, subjectWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { FailedAllocation, ProcessExit, ProgramError } from '../../model/evidence.ts';
import type { Question, Advice, Finding } from '../../model/finding.ts';
import type { Limit } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { ofPid } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { atUsersLine, subjectOf } from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';

/** Between a refusal and the crash on what it returned lie microseconds; a loaded machine makes it longer, and so does a core dump, which is known. */
const joinMs = 2000;
const crashSignals = new Set(['SIGSEGV', 'SIGBUS']);

/**
 * The disguised death proved from inside: the process was refused memory, with size and line, and
 * died at once. Needs neither core nor kernel log.
 */
export const failedAllocation = defineRule({
  id: 'failed-allocation',
  title: 'An allocation was refused, seen from inside the process or by a tracepoint',
  needs: ['failed-allocation'],
  uses: ['process-exit', 'program-error'],
  judge: (facts) => {
    const failuresOf = (pid: number | undefined) => ofPid(pid, facts['failed-allocation']);
    const exits = new Set(facts['process-exit'].map(({ pid }) => pid));
    const passedOn = facts['program-error'].flatMap(
      (error) => passOn(error, facts['failed-allocation'], facts['process-exit']) ?? [],
    );
    return [
      ...passedOn,
      ...facts['process-exit'].flatMap((exit) => judge(exit, failuresOf(exit.pid)) ?? []),
      // Whose end nobody waited for (a grandchild): its own last words tell that it gave up.
      ...facts['program-error']
        .filter(
          ({ pid, resource }) => pid !== undefined && resource === 'memory' && !exits.has(pid),
        )
        .flatMap((error) => explain(error, failuresOf(error.pid)) ?? []),
    ];
  },
});

/** Where an exception comes from that another process had raised: a pool's result. */
const handedOver =
  /[\\/](?:multiprocessing|concurrent[\\/]futures|joblib|loky|multiprocess|billiard)[\\/]/;

/**
 * A pool's parent raises its worker's MemoryError again and dies of it: the process that was refused is told, and what the
 * parent held is no explanation. null: it was refused itself, or nobody was.
 */
function passOn(
  error: ProgramError,
  all: readonly FailedAllocation[],
  exits: readonly ProcessExit[],
): Finding | null {
  const { pid, when } = error;
  const [exit] = ofPid(pid, exits);
  if (pid === undefined || exit === undefined || exit.exitCode === 0) return null;
  if (error.resource !== 'memory' || ofPid(pid, all).length > 0) return null;
  if (!error.stack.some(({ file }) => file !== null && handedOver.test(file))) return null;
  const raisedMs = Date.parse(when?.wall ?? '');
  const momentOf = (failed: FailedAllocation) => Date.parse(failed.when?.wall ?? '') || 0;
  const [refused] = all
    .filter((failed) => failed.seenBy === 'agent' && !(momentOf(failed) > raisedMs))
    .toSorted((a, b) => momentOf(a) - momentOf(b));
  if (refused === undefined) return null;
  const parent = nameWithPid(exit);
  const told = finding({ ...error, pid: refused.pid, name: refused.name }, refused, [refused], {
    cause: refused.limit?.owner === 'rlimit' ? 'rlimit' : 'alloc-failure-exception',
    death: 'obvious',
    says: `raised ${error.type}, which ${parent} raised again`,
    ending: `and raised ${error.type}, which ended ${parent}`,
  });
  return {
    ...told,
    subject: { ...told.subject, pid: refused.pid, broughtDown: [pid] },
    because: [...told.because, reason(exit, `${parent} ended with it`)],
    related: [{ pid, name: exit.name, how: 'raised the exception of its worker again and ended' }],
  };
}

function explain(error: ProgramError, failures: readonly FailedAllocation[]): Finding | null {
  const recent = failures.filter((failure) => isJustBefore(failure, error));
  const last = mostTelling(recent);
  if (last === undefined || error.fate === 'caught' || error.fate === 'ignored') return null;
  const type = error.type.split('.').at(-1) ?? error.type;
  return finding({ ...error, pid: last.pid, name: error.name ?? last.name }, last, recent, {
    cause: last.limit?.owner === 'rlimit' ? 'rlimit' : 'alloc-failure-exception',
    death: 'obvious',
    says: `raised ${type}`,
    ending: `and raised ${type}`,
  });
}

function judge(exit: ProcessExit, failures: readonly FailedAllocation[]): Finding | null {
  const recent = failures.filter((failure) => isJustBefore(failure, exit));
  const last = mostTelling(recent);
  const { signal, exitCode } = exit;
  if (last !== undefined && signal !== null && crashSignals.has(signal))
    return finding(exit, last, recent, {
      cause: 'alloc-failure-segfault',
      death: 'disguised',
      says: 'crashed',
      ending: `and crashed (${signal}): nobody had looked at what the allocator returned`,
    });
  if (last !== undefined && signal === 'SIGABRT')
    return finding(exit, last, recent, {
      cause: 'alloc-failure-abort',
      death: 'obvious',
      says: 'aborted',
      ending: 'and aborted (SIGABRT)',
    });
  if (last !== undefined && signal === null && exitCode !== null && exitCode !== 0)
    return finding(exit, last, recent, {
      cause: last.limit?.owner === 'rlimit' ? 'rlimit' : 'alloc-failure-exception',
      death: 'obvious',
      says: 'gave up',
      ending: `and ended with status ${exitCode}`,
    });
  if (last?.limit?.owner === 'budget' && signal === 'SIGKILL')
    return finding(exit, last, recent, {
      cause: 'alloc-failure-abort',
      death: 'obvious',
      says: 'was ended',
      ending: 'and was ended, as --at-limit kill asks for',
    });
  return null;
}

/** Of the requests that were refused just before the end: the last one of the largest order, not the crumbs after it. */
function mostTelling(failures: readonly FailedAllocation[]): FailedAllocation | undefined {
  const largest = Math.max(0, ...failures.map(({ failure }) => failure.bytes));
  return failures.findLast(({ failure }) => failure.bytes >= largest / 16);
}

function isJustBefore(failure: FailedAllocation, exit: ProcessExit | ProgramError): boolean {
  const ms = Date.parse(exit.when?.wall ?? '') - Date.parse(failure.when?.wall ?? '');
  // Clocks of two processes of one machine: a little "after the end" is rounding.
  const dumpingMs = exit.kind === 'process-exit' ? (exit.dumpingMs ?? 0) : 0;
  return Number.isFinite(ms) && ms >= -50 && ms <= joinMs + dumpingMs;
}

function finding(
  exit: (ProcessExit | ProgramError) & { readonly pid: number; readonly name: string },
  fact: FailedAllocation,
  recent: readonly FailedAllocation[],
  how: Pick<Finding, 'cause' | 'death'> & { readonly says: string; readonly ending: string },
): Finding {
  const { failure, limit } = fact;
  const byBudget = limit?.owner === 'budget';
  const who = subjectWithPid(exit);
  const size = formatBytes(failure.bytes);
  const crashed = how.cause === 'alloc-failure-segfault';
  return {
    subject: subjectOf(exit, exit),
    cause: how.cause,
    ...defined({ death: how.death }),
    ...(byBudget ? { variant: 'memory-limit' } : {}),
    // Its own agent refused it, as the user had asked for: nothing else can have.
    confidence: byBudget ? 'certain' : 'strong',
    headline: byBudget
      ? `${who} reached its memory limit of ${formatBytes(limit.bytes ?? 0)}${atUsersLine(failure.stack)} ${how.ending}`
      : `${who} was refused ${size}${atUsersLine(failure.stack)} ${how.ending}`,
    because: [
      reason(
        fact,
        `${byBudget ? 'the agent inside the process refused this request, which would have passed the limit that was asked for' : `${witness(fact)} saw this request refused`}${failure.caller === undefined ? '' : `, made by ${failure.caller}`}${recent.length > 1 ? ` (${recent.length} refusals in its last ${joinMs / 1000} s)` : ''}`,
      ),
      reason(exit, `then it ${how.says}`),
    ],
    stack: failure.stack,
    request: { bytes: failure.bytes },
    victim: { pid: exit.pid, name: exit.name },
    trigger: { pid: exit.pid, name: exit.name },
    ...defined({ limit }),
    unknown: limit === undefined ? [whoseLimit] : [],
    remedies: remedies(failure.bytes, limit, crashed),
  };
}

const witness = ({ seenBy }: FailedAllocation) =>
  ({
    agent: 'the agent inside the process',
    tracepoint: "the kernel's tracepoint",
    strace: 'strace',
  })[seenBy];

const whoseLimit: Question = {
  id: 'which-limit',
  what: 'Which limit refused it',
  why: 'no limit of the process explains it: overcommit, the number of maps or the size of the machine may',
  command: 'sysctl vm.overcommit_memory vm.max_map_count; free -b',
};

/** Below it a request fails because everything is full, not because it is large. */
const smallBytes = 2 ** 20;

function remedies(bytes: number, limit: Limit | undefined, crashed: boolean): readonly Advice[] {
  return [
    ...(limit?.owner === 'rlimit' ? [remedy('raise-rlimit', limit.path)] : []),
    ...(limit?.owner === 'budget' ? [remedy('raise-memory-limit-option')] : []),
    bytes < smallBytes
      ? remedy('hold-less')
      : remedy('ask-for-less', formatBytes(bytes), 'allocator'),
    ...(crashed ? [remedy('check-the-allocator', true)] : []),
  ];
}
