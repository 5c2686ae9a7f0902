import { subjectWithPid } from '../../model/name-with-pid.ts';
import { isContainerCgroup } from '../../model/cgroup-path.ts';
import { defined } from '../../model/defined.ts';
import type { DeathNotice, Evidence, MetricsWindow, ProgramError } from '../../model/evidence.ts';
import type { Finding, Question } from '../../model/finding.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { atUsersLine, positionOf, subjectOf } from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';
import { isUnmeant } from '../shared/asked-to-end.ts';
import { witnessCommand } from '../shared/witness-command.ts';
import { withoutRepeats, type Prose } from '../../model/prose.ts';

/** Clocks of a killer and of who noticed may differ by this and still mean one death. */
const sameMomentMs = 5 * 60_000;

export const undeterminedKill = defineRule({
  id: 'undetermined-kill',
  title: 'Somebody saw it die, nobody says why: SIGKILL and 137 alone are no proof',
  needs: ['death-notice'],
  uses: [
    'kernel-oom-kill',
    'kernel-oom-without-kill',
    'killer-record',
    'program-error',
    'program-abort',
    'kernel-segfault',
    'metrics',
  ],
  judge: (facts) => {
    // An exception that speaks of nothing in particular ends no process by a signal.
    const isTold =
      facts['program-abort'].length > 0 ||
      facts['program-error'].some((error) => !isOrdinary(error));
    /** Of the process that a shell names: another's segfault in the same log explains nothing. */
    const isExplained = ({ reporter, pid }: DeathNotice): boolean =>
      isTold ||
      (reporter !== 'shell' || pid === undefined
        ? proofs.length + facts['kernel-segfault'].length > 0
        : facts['kernel-segfault'].some((segfault) => segfault.pid === pid));
    const told = facts['death-notice'].filter(({ otherReason }) => otherReason === undefined);
    const proofs: readonly Evidence[] = [
      ...facts['kernel-oom-kill'],
      ...facts['kernel-oom-without-kill'],
      ...facts['killer-record'],
    ];
    // The text gives a reason of its own that is not the host's memory: then a guess at memory counts for nothing.
    const explained =
      [...facts['program-error'], ...facts['program-abort']].some(({ resource }) =>
        ['gpu', 'shm', 'language-heap'].includes(resource),
      ) || facts['death-notice'].some(({ otherReason }) => otherReason !== undefined);
    // `Exit Code: 137` in the same description in which the kubelet says why it killed the container.
    const byKubelet = facts['death-notice'].some(
      ({ reporter, otherReason }) => reporter === 'kubelet' && otherReason !== undefined,
    );
    const kills = told.filter(
      (notice) =>
        !(byKubelet && notice.pid === undefined && notice.reporter === 'exit status') &&
        (notice.signal === 'SIGKILL' ||
          (notice.vanished === true && !explained) ||
          isUnmeant(notice)) &&
        !proofs.some((proof) => isDuplicateReport(notice, proof)),
    );
    const crashes = told.filter(
      (notice) =>
        notice.signal !== undefined &&
        notice.signal !== 'SIGKILL' &&
        notice.signal !== 'SIGTERM' &&
        !isExplained(notice),
    );
    return [
      ...deaths(kills).map((death) => killed(death, facts.metrics, explained)),
      ...deaths(crashes).map(([notice, ...again]) =>
        crashed(notice, again, facts['program-error'].findLast(isBefore(notice))),
      ),
    ];
  },
});

/** Its words speak of no resource at all. */
const isOrdinary = ({ resource, actualMeaning }: ProgramError): boolean =>
  resource === 'none' && actualMeaning === undefined;

/** Lines between the end of a traceback and the shell's word on the crash of the same program. */
const tracebackLines = 12;

const isBefore =
  (notice: DeathNotice) =>
  (error: ProgramError): boolean => {
    const distance = positionOf(notice) - positionOf(error);
    return distance > 0 && distance <= tracebackLines + 3 * error.stack.length;
  };

/** The parent's words on a kill that somebody else proves. */
function isDuplicateReport(notice: DeathNotice, proof: Evidence): boolean {
  // `line 1: 4711 Killed`: the shell's pid is the kernel's, except from within a container. A log is full of others' deaths.
  if (
    notice.reporter === 'shell' &&
    notice.pid !== undefined &&
    proof.kind === 'kernel-oom-kill' &&
    proof.victim.pid !== notice.pid &&
    !isContainerCgroup(proof.victim.cgroup ?? proof.oomMemcg)
  )
    return false;
  const a = notice.when?.wall;
  const b = proof.when?.wall;
  if (a !== undefined && b !== undefined)
    return Math.abs(Date.parse(a) - Date.parse(b)) <= sameMomentMs;
  return true;
}

/** One death is often told of several times: by pid where there is one; the words without a pid belong to one death. */
function deaths(
  notices: readonly DeathNotice[],
): readonly (readonly [DeathNotice, ...DeathNotice[]])[] {
  const groups = new Map<string, [DeathNotice, ...DeathNotice[]]>();
  for (const notice of notices) {
    if (notice.pid === undefined) continue;
    const group = groups.get(`pid ${notice.pid}`);
    if (group === undefined) groups.set(`pid ${notice.pid}`, [notice]);
    else group.push(notice);
  }
  const nameless = notices.filter(({ pid }) => pid === undefined);
  const last = [...groups.values()].at(-1);
  if (last !== undefined) last.push(...nameless);
  else if (nameless.length > 0) groups.set('', nameless as [DeathNotice, ...DeathNotice[]]);
  return [...groups.values()].sort((a, b) => positionOf(a[0]) - positionOf(b[0]));
}

/** Figures that speak against memory: the counter of kills stands at 0, or half of what it might use was free at the worst. */
const speaksAgainst = ({ oomKills, usedBytes, limitBytes }: MetricsWindow): boolean =>
  oomKills === 0 ||
  (usedBytes !== undefined && limitBytes !== undefined && usedBytes < limitBytes / 2);

/**
 * Whoever tells it, and whatever they guess, a SIGKILL that nobody explains stays unexplained: words about memory near it are no
 * witness. Figures are: memory that was measured full makes it likely.
 */
function killed(
  [notice, ...again]: readonly [DeathNotice, ...DeathNotice[]],
  metrics: readonly MetricsWindow[],
  explained: boolean,
): Finding {
  const all = [notice, ...again];
  const name = all.find((one) => one.name !== undefined)?.name;
  const who = {
    ...defined({ pid: notice.pid, name }),
  };
  const against = metrics.filter(speaksAgainst);
  const full = metrics.filter(({ reading }) => reading === 'thrashing' || reading === 'full');
  const isLikely = !explained && against.length === 0 && full.length > 0;
  return {
    subject: subjectOf(notice, who),
    cause: 'undetermined',
    death: 'assassination',
    outOfMemory: isLikely ? true : null,
    confidence: isLikely ? 'likely' : 'weak',
    headline: `${subjectWithPid(who)} ${notice.signal === undefined ? 'vanished without a word' : `was killed by a signal (${notice.signal})`}: ${isLikely ? 'memory is the likely reason, but nothing here proves it' : 'nothing here says by whom or why'}`,
    because: [
      ...all.slice(0, 3).map((one) => reason(one, saying(one))),
      ...(isLikely ? full.slice(0, 2).map((window) => reason(window, window.message)) : []),
    ],
    against: against.slice(0, 2).map((window) => reason(window, window.message)),
    ...(Object.keys(who).length === 0 ? {} : { victim: who }),
    unknown: [whoSentIt(notice, all, witnessCommand(notice, metrics))],
    remedies: [remedy('find-the-witness'), remedy('record-the-next-death')],
    ...defined({ stack: notice.stack }),
  };
}

function saying(notice: DeathNotice): Prose {
  // Who guesses thinks of the OOM killer, which asks nobody to end.
  const guess =
    notice.guessesMemory === true &&
    (notice.signal !== 'SIGTERM' || notice.reporter === 'GitHub Actions')
      ? ', for which running out of memory is the usual suspect: a guess, no witness'
      : '';
  return `${notice.reporter} ${notice.signal === undefined ? 'lost it without a status' : `saw it end by ${notice.signal}`}${guess}`;
}

function whoSentIt(
  notice: DeathNotice,
  all: readonly DeathNotice[],
  command: string | null,
): Question {
  const hints = withoutRepeats(
    all.flatMap(({ hints: told = [] }) => told),
    (hint) => hint,
  );
  const suspects =
    'the OOM killer, a memory guard, a timeout, a supervisor or a person all look the same from here';
  const near = hints.length === 0 ? '' : ` (${hints.join('; ')})`;
  return notice.signal === undefined
    ? {
        id: 'who-sent-it',
        what: 'How it ended, and who ended it',
        why: `no signal and no status is told: a crash, an exit of its own, or a SIGKILL, of which ${suspects}${near}`,
        command,
      }
    : {
        id: 'who-sent-it',
        what: 'Who sent the signal',
        why: `${suspects}${near}`,
        command,
      };
}

function crashed(
  notice: DeathNotice,
  again: readonly DeathNotice[],
  error: ProgramError | undefined,
): Finding {
  return {
    subject: subjectOf(notice, notice),
    cause: 'undetermined',
    death: 'none',
    outOfMemory: null,
    confidence: 'weak',
    headline: `${subjectWithPid(notice)} crashed (${notice.signal}): the words alone cannot tell a failed allocation from a bug`,
    because: [
      reason(
        notice,
        `${notice.reporter} saw it end by ${notice.signal}${again.length === 0 ? '' : ` (${again.length + 1} times)`}`,
      ),
      ...(error === undefined
        ? []
        : [
            reason(
              error,
              `Before that an exception was told, ${error.type}${atUsersLine(error.stack)}, which does not speak of memory`,
            ),
          ]),
    ],
    ...(error === undefined || error.stack.length === 0 ? {} : { stack: error.stack }),
    unknown: [
      {
        id: 'why-it-crashed',
        what: 'Why it crashed',
        why: 'the kernel log and the core would show the address and whether an allocation had been refused before',
        command: "coredumpctl info; sudo journalctl -k | grep -E 'segfault at|__vm_enough_memory'",
      },
    ],
    ...(notice.pid === undefined ? {} : { victim: { pid: notice.pid } }),
    remedies: [remedy('leave-a-stack')],
  };
}
