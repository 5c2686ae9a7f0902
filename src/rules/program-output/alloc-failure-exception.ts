import { defined } from '../../model/defined.ts';
import type {
  DeathNotice,
  FailedAllocation,
  ProgramError,
  StatedLimit,
} from '../../model/evidence.ts';
import type { Question, Advice, Finding } from '../../model/finding.ts';
import type { Limit } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { groupedDigits } from '../../model/words.ts';
import { ofPid } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { endedWell, withUnknownFate } from '../shared/ended-well.ts';
import { limitOf } from '../recorded-run/refusing-limit.ts';
import {
  atUsersLine,
  groupRepeated,
  isSmall,
  isTiny,
  statedRlimit,
  subjectOf,
} from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';

export const allocFailureException = defineRule({
  id: 'alloc-failure-exception',
  title: 'An allocation failed and the program raised an exception',
  needs: ['program-error'],
  uses: [
    'stated-limit',
    'death-notice',
    'process-limits',
    'host-counters',
    'kernel-refusal',
    'process-exit',
    'failed-allocation',
  ],
  judge: ({
    'program-error': errors,
    'stated-limit': limits,
    'death-notice': notices,
    'process-exit': exits,
    'failed-allocation': failures,
    ...watched
  }) =>
    groupRepeated(
      errors.filter(({ resource, pid }) => resource === 'memory' && !endedWell(pid, exits)),
    ).map((group) => {
      const finding = withUnknownFate(
        judge(group, limits, crashAfter(group.at(-1)!, notices)),
        group[0],
        exits,
      );
      if (isServers(group[0])) return finding;
      const refused = refusedFor(group[0], failures);
      if (refused !== undefined) return withRefusal(finding, refused);
      // A watched process has told its limits: the rule about them knows which it was.
      const found = limitOf(group[0], watched);
      if (found === null) return finding;
      return {
        ...finding,
        ...(found.limit.owner === 'rlimit' ? { cause: 'rlimit', limit: found.limit } : {}),
        unknown: (finding.unknown ?? []).filter((one) => one !== whoseLimit),
      };
    }),
});

function judge(
  [error, ...again]: readonly [ProgramError, ...ProgramError[]],
  limits: readonly StatedLimit[],
  crash: DeathNotice | undefined,
): Finding {
  const commit = error.variant === 'windows-commit-limit';
  const limit = commit
    ? undefined
    : error.variant === 'rlimit-memlock'
      ? lockedMemory
      : isServers(error)
        ? undefined
        : statedRlimit(limits);
  return {
    subject: subjectOf(error, error),
    cause:
      limit !== undefined
        ? 'rlimit'
        : crash === undefined
          ? 'alloc-failure-exception'
          : crash.signal === 'SIGSEGV'
            ? 'alloc-failure-segfault'
            : 'alloc-failure-abort',
    death: crash === undefined ? 'obvious' : 'disguised',
    confidence: confidenceOf(error),
    ...defined({ variant: error.variant }),
    headline: `${headline(error, limit)}${crash === undefined ? '' : `, and then it crashed (${crash.signal})`}`,
    because: [
      reason(error, says(error, repeats([error, ...again]))),
      ...(crash === undefined ? [] : [reason(crash, `${crash.reporter} saw it crash right after`)]),
    ],
    ...(error.stack.length === 0 ? {} : { stack: error.stack }),
    request: { bytes: error.requestBytes ?? null },
    ...(limit === undefined
      ? commit
        ? { limit: { owner: 'host', path: 'commit limit', bytes: error.limitBytes ?? null } }
        : error.limitBytes === undefined
          ? {}
          : { limit: { owner: 'unknown', bytes: error.limitBytes } }
      : { limit }),
    ...(error.pid === undefined && error.name === undefined
      ? {}
      : {
          victim: {
            ...defined({ pid: error.pid, name: error.name }),
          },
        }),
    unknown: [
      ...lost(error),
      ...(limit === undefined && !commit && !isServers(error) ? [whoseLimit] : []),
    ],
    remedies: remedies(error),
  };
}

/** A server was refused and told its client: the client's limits have nothing to do with it. */
const isServers = ({ variant }: ProgramError): boolean => variant === 'server-memory';

/** The refusal that the agent saw in this very process at this very line. */
const refusedFor = (
  { pid, stack }: ProgramError,
  failures: readonly FailedAllocation[],
): FailedAllocation | undefined =>
  ofPid(pid, failures).findLast(
    ({ failure, limit }) =>
      limit !== undefined &&
      failure.stack[0]?.line != null &&
      failure.stack[0].line === stack[0]?.line &&
      failure.stack[0].file === stack[0].file,
  );

const withRefusal = (finding: Finding, { limit, failure }: FailedAllocation): Finding => ({
  ...finding,
  ...(limit?.owner === 'rlimit' ? { cause: 'rlimit' } : {}),
  ...(limit?.owner === 'budget' ? { variant: 'memory-limit' } : {}),
  ...defined({ limit }),
  request: { bytes: finding.request?.bytes ?? failure.bytes },
  unknown: (finding.unknown ?? []).filter((one) => one !== whoseLimit),
});

/** How often it happened again. What the start-up hook wrote down is the same that stderr says: each counts for itself. */
function repeats(group: readonly ProgramError[]): number {
  const bySource = new Map<string, number>();
  for (const { origin } of group)
    bySource.set(origin.source, (bySource.get(origin.source) ?? 0) + 1);
  return Math.max(...bySource.values()) - 1;
}

/** Lines within which a crash belongs to the failed allocation before it. */
const crashLines = 12;

/** What the shell says of a crash right after the words: the process died of what it did not survive. */
function crashAfter(
  { origin, headed }: ProgramError,
  notices: readonly DeathNotice[],
): DeathNotice | undefined {
  if (headed === false) return undefined;
  return notices.find((notice) => {
    const distance = (notice.origin.line ?? 0) - (origin.line ?? 0);
    return (
      (notice.signal === 'SIGSEGV' || notice.signal === 'SIGABRT') &&
      notice.pid === undefined &&
      distance > 0 &&
      distance <= crashLines
    );
  });
}

/** Its size is known only of a watched process. */
const lockedMemory: Limit = { owner: 'rlimit', path: 'RLIMIT_MEMLOCK', bytes: null };

const lostTraceback = new Set(['bare-name', 'object-dump', 'lost-exception', 'ignored']);

/** A size and errno 12 cannot mean anything else; an exception without them may have been raised by hand, or pass on another's words. */
function confidenceOf(error: ProgramError): Finding['confidence'] {
  if (error.class === 'lost-exception') return 'likely';
  // Python code that says so itself: what it was refused, if anything, its author knows.
  if (/^raise \w*MemoryError\b/.test(error.stack[0]?.text ?? '')) return 'likely';
  // mlock has other reasons for ENOMEM: a part of the range that is not mapped.
  if (error.variant === 'rlimit-memlock' || isServers(error)) return 'strong';
  const unmistakable =
    error.requestBytes !== undefined || /errno 12|bad_alloc/i.test(error.message);
  if (error.headed === true && error.fate !== 'unknown' && unmistakable && !isTiny(error))
    return 'certain';
  return 'strong';
}

function headline(error: ProgramError, limit: Limit | undefined): string {
  const who = error.language === 'python' ? 'Python' : 'The program';
  const type = error.type.split('.').at(-1)!.replace(/^_+/, '');
  const place = atUsersLine(error.stack);
  const against =
    limit?.bytes == null ? '' : ` under a ${limit.path ?? 'limit'} of ${formatBytes(limit.bytes)}`;
  if (error.class === 'lost-exception')
    return `Python ran out of memory while it unwound a deep recursion${place} and lost the exception`;
  if (error.variant === 'rlimit-memlock')
    return `${who} could not lock memory${place}: its limit of locked memory (RLIMIT_MEMLOCK, ulimit -l) refused it: ${type}`;
  if (isServers(error))
    return `The database server could not get ${error.requestBytes === undefined ? 'memory' : formatBytes(error.requestBytes)} and told its client${place}: its memory, not Python's (${type})`;
  if (error.requestBytes !== undefined)
    return `${who} asked for ${formatBytes(error.requestBytes)} and was refused${place}${against}: ${type}`;
  return `${who} ran out of memory${place}${against}: ${type}`;
}

function says(error: ProgramError, again: number): string {
  const times = again === 0 ? '' : ` (${again + 1} times)`;
  const array =
    error.array === undefined
      ? ''
      : ` for an array of shape (${error.array.shape.join(', ')}${error.array.shape.length === 1 ? ',' : ''}) and type ${error.array.dtype}`;
  const size =
    error.requestBytes === undefined ? '' : ` for ${groupedDigits(error.requestBytes)} bytes`;
  if (lostTraceback.has(error.class ?? ''))
    return `What is left of a MemoryError: memory was so full that Python could not even print the traceback${times}`;
  const fate = {
    uncaught: 'was not caught',
    thread: `ended the thread ${error.threadName ?? ''}`.trimEnd(),
    ignored: 'was swallowed: the process went on',
    caught: 'was caught and logged',
    unknown: 'was raised',
  }[error.fate];
  return `${error.type} ${fate}${size === '' ? '' : `: the request${size}${array} was refused`}${times}`;
}

function lost(error: ProgramError): readonly Question[] {
  if (!lostTraceback.has(error.class ?? '') && error.stack.length > 0) return [];
  if (error.headed === false && !lostTraceback.has(error.class ?? '')) return [];
  return error.stack.length > 0
    ? []
    : [
        {
          id: 'which-line-asked',
          what: 'The line that asked for the memory',
          why: 'Python had no memory left to print the traceback',
          command: 'coroner run python3 …',
        },
      ];
}

const whoseLimit: Question = {
  id: 'which-limit',
  what: 'Which limit refused it: address space, data, overcommit or the size of the machine',
  why: 'the program only learns that it was refused',
  command:
    'grep -E "address space|data size" /proc/PID/limits; sysctl vm.overcommit_memory vm.max_map_count; free -b',
};

/** An array of this size is more often a wrong shape than a large need; half of it fits nowhere either. */
const rarelyMeantBytes = 2 ** 40;

function remedies(error: ProgramError): readonly Advice[] {
  if (error.variant === 'rlimit-memlock') return [remedy('raise-locked-memory')];
  if (isServers(error)) return [remedy('look-at-the-server')];
  const list: Advice[] = [];
  const text =
    error.stack
      .map(({ file, text: line, function: name }) => `${file} ${name} ${line ?? ''}`)
      .join('\n') + error.message;
  const size = error.requestBytes === undefined ? undefined : formatBytes(error.requestBytes);
  if (error.variant === 'windows-commit-limit') list.push(remedy('enlarge-page-file'));
  if (error.variant === 'fork') list.push(remedy('start-helpers-early'));
  if (isSmall(error)) return [...list, remedy('see-who-holds-it', 'python3')];
  const isRarelyMeant = (error.requestBytes ?? 0) >= rarelyMeantBytes;
  if (error.array !== undefined && isRarelyMeant) list.push(remedy('check-the-shape', size));
  const smaller = /float64|complex128|int64|datetime64|<f8|<i8/.exec(error.array?.dtype ?? '')?.[0];
  if (
    error.array !== undefined &&
    error.requestBytes !== undefined &&
    smaller !== undefined &&
    !isRarelyMeant
  )
    list.push(remedy('narrower-type', error.array.dtype, error.requestBytes));
  if (error.array !== undefined && error.array.dtype.startsWith('object'))
    list.push(remedy('no-objects-in-arrays'));
  if (/OneHotEncoder|get_dummies|toarray|todense|CountVectorizer|TfidfVectorizer|sparse/.test(text))
    list.push(remedy('keep-it-sparse'));
  if (/merge|join|pivot|unstack|crosstab/.test(text) && /pandas/.test(text))
    list.push(remedy('look-at-join-keys'));
  if (/read_csv|read_parquet|read_json|read_excel|\.read\(|readlines/.test(text))
    list.push(remedy('read-in-pieces'));
  if (list.length === 0 || error.array !== undefined)
    list.push(remedy('ask-for-less', size, 'python'));
  list.push(remedy('record-what-held-it', 'python3'));
  return list;
}
