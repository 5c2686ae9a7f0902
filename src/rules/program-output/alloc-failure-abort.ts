import { subjectWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { DeathNotice, ProgramAbort, StatedLimit } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { endedWell, withUnknownFate } from '../shared/ended-well.ts';
import {
  atUsersLine,
  groupRepeated,
  isSmall,
  isTiny,
  statedRlimit,
  subjectOf,
} from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';

export const allocFailureAbort = defineRule({
  id: 'alloc-failure-abort',
  title: 'An allocation failed and the program ended itself',
  needs: ['program-abort'],
  uses: ['stated-limit', 'process-exit', 'death-notice'],
  judge: (facts) => {
    const { 'program-abort': aborts, 'stated-limit': limits, 'process-exit': exits } = facts;
    const dying = aborts.filter(
      ({ resource, pid }) => resource === 'memory' && !endedWell(pid, exits),
    );
    return groupRepeated(dying).map((group) => {
      if (group[0].variant === 'background-fork') return savedNothing(group);
      const finding = withDump(judge(group, limits), group[0], facts['death-notice']);
      return withUnknownFate(finding, group[0], exits);
    });
  },
});

/** Where its words have no stack, as those of PyPy: the one that faulthandler wrote for it. Of several nobody knows whose they are. */
function withDump(finding: Finding, abort: ProgramAbort, notices: readonly DeathNotice[]): Finding {
  if (finding.stack !== undefined) return finding;
  const [dump, ...others] = notices.filter(
    ({ reporter, stack, pid }) =>
      reporter === 'faulthandler' &&
      (stack ?? []).length > 0 &&
      (pid === undefined || abort.pid === undefined || pid === abort.pid),
  );
  if (dump?.stack === undefined || others.length > 0) return finding;
  return {
    ...finding,
    stack: dump.stack,
    because: [...finding.because, reason(dump, 'its Python stack when it ended')],
  };
}

/** Those that speak through an exception: their words without its type are what a person quotes. */
const quoted = new Set(['numpy', 'PyTorch', 'DuckDB', 'OpenCV']);

function judge(
  [abort, ...again]: readonly [ProgramAbort, ...ProgramAbort[]],
  limits: readonly StatedLimit[],
): Finding {
  const limit = statedRlimit(limits);
  const size = abort.requestBytes === undefined ? 'memory' : formatBytes(abort.requestBytes);
  const crashed = abort.crashed === true;
  return {
    subject: subjectOf(abort, abort),
    cause:
      limit !== undefined
        ? 'rlimit'
        : crashed && abort.crash === 'segfault'
          ? 'alloc-failure-segfault'
          : abort.raises === true
            ? 'alloc-failure-exception'
            : 'alloc-failure-abort',
    death: crashed ? 'disguised' : 'obvious',
    confidence:
      abort.indirect === true
        ? 'weak'
        : !quoted.has(abort.reporter) &&
            abort.victimNearby !== true &&
            !isTiny(abort) &&
            (abort.signal !== undefined || abort.requestBytes !== undefined)
          ? 'certain'
          : 'strong',
    ...defined({ variant: abort.variant }),
    headline:
      abort.indirect === true
        ? `${subjectWithPid(abort, abort.reporter)} crashed on a NULL of its own${atUsersLine(abort.stack)}: as after a failed allocation that nobody looked at, which nothing here proves`
        : `${subjectWithPid(abort, 'The program')} could not get ${size}${atUsersLine(abort.stack)}${crashed ? ' and then crashed' : abort.raises === true ? '' : ' and ended itself'} (${abort.reporter})`,
    because: [
      reason(
        abort,
        abort.indirect === true
          ? `${abort.message}: its functions give NULL after an error, a failed allocation above all`
          : `${abort.reporter} says that an allocation failed${abort.requestBytes === undefined ? '' : `: ${abort.requestBytes} bytes were asked for`}${again.length === 0 ? '' : ` (${again.length + 1} times)`}`,
      ),
    ],
    ...(abort.stack.length === 0 ? {} : { stack: abort.stack }),
    request: { bytes: abort.requestBytes ?? null },
    ...defined({ limit }),
    ...(abort.pid === undefined && abort.name === undefined
      ? {}
      : {
          victim: {
            ...defined({ pid: abort.pid, name: abort.name }),
          },
        }),
    unknown:
      limit === undefined
        ? [
            {
              id: 'which-limit',
              what: 'Which limit refused the allocation',
              why: 'the program only learns that it was refused',
              command: commandFor(abort),
            },
          ]
        : [],
    remedies: remedies(abort, limit !== undefined),
  };
}

/** All that a process can address on usual machines: whoever asks for more did not mean it. */
const addressSpaceBytes = 2 ** 47;

/** What shows the limits of the system that the words are of. */
const commandFor = ({ reporter, variant }: ProgramAbort): string =>
  reporter === 'macOS malloc'
    ? 'ulimit -a; vm_stat; sysctl vm.swapusage'
    : variant === 'windows-commit-limit'
      ? 'systeminfo | findstr /C:"Virtual Memory"'
      : 'ulimit -a; cat /sys/fs/cgroup/memory.max; sysctl vm.overcommit_memory vm.max_map_count; free -b';

/** A fork asks for as much again as the server holds, and uses little of it: its refusal ends nothing and shows no shortage. */
function savedNothing([abort, ...again]: readonly [ProgramAbort, ...ProgramAbort[]]): Finding {
  return {
    subject: subjectOf(abort, abort),
    cause: 'undetermined',
    death: 'none',
    outOfMemory: null,
    confidence: 'weak',
    variant: 'background-fork',
    headline: `${subjectWithPid(abort, abort.reporter)} could not fork to save in the background, and went on: the system did not promise a second copy of its memory`,
    because: [
      reason(
        abort,
        `The fork was refused${again.length === 0 ? '' : ` (${again.length + 1} times)`}: nothing here says that the server ended`,
      ),
    ],
    unknown: [
      {
        id: 'was-memory-short',
        what: 'Whether memory was short',
        why: 'a fork asks for as much as its parent holds, of which it needs only what is written meanwhile',
        command: 'free -b; sysctl vm.overcommit_memory; grep -i commit /proc/meminfo',
      },
    ],
    remedies: [remedy('let-it-overcommit')],
  };
}

function remedies(abort: ProgramAbort, limited: boolean): NonNullable<Finding['remedies']> {
  const size = abort.requestBytes === undefined ? undefined : formatBytes(abort.requestBytes);
  return [
    ...(limited ? [remedy('raise-process-limit')] : []),
    ...(abort.reporter === 'jvm' ? [remedy('lower-jvm-heap')] : []),
    ...(isSmall(abort)
      ? [remedy('see-who-holds-it', 'COMMAND')]
      : (abort.requestBytes ?? 0) >= addressSpaceBytes
        ? [remedy('find-the-size')]
        : [remedy('ask-for-less', size, 'native'), remedy('record-what-held-it', 'COMMAND')]),
  ];
}
