import { isMachineShort } from '../../model/shortage.ts';
import { nameWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type {
  CgroupCounters,
  HostCounters,
  KernelNotice,
  ProcessExit,
  Stall,
} from '../../model/evidence.ts';
import type { Question, Finding } from '../../model/finding.ts';
import type { Reason, RuledOut } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { killsOf, ofProcess } from '../shared/by-pid.ts';
import { killsLeft, mayBeKillOf, oomBudget } from '../shared/oom-budget.ts';
import { defineRule, reason, type RuleContext } from '../shared/define-rule.ts';
import {
  duplicateReportedBy,
  kernelLogRead,
  levelsOf,
  localKills,
  subjectOf,
  unknownKernelLog,
  peakOf,
  victimOf,
} from '../shared/recorded.ts';
import { remedy } from '../shared/remedies.ts';

/**
 * SIGKILL, or 137 from a shell, with nothing that says memory: somebody else's kill. The counters that stood still and a readable
 * kernel log are the proof; without them it stays open. SIGTERM is not looked at: a normal stop.
 */
export const unattributedSigkill = defineRule({
  id: 'unattributed-sigkill',
  title: 'A SIGKILL that the kernel did not send for memory',
  needs: ['process-exit'],
  uses: [
    'cgroup-counters',
    'host-counters',
    'kernel-oom-kill',
    'kernel-notice',
    'process-limits',
    'stall',
    'killer-record',
  ],
  judge: (facts, context) => {
    const budget = oomBudget(facts);
    return facts['process-exit'].flatMap((exit): readonly Finding[] => {
      const bySignal = exit.signal === 'SIGKILL';
      const byShell = exit.exitCode === 137 && exit.role === 'command';
      if (!bySignal && !byShell) return [];
      if (killsOf(exit, facts['kernel-oom-kill']).length > 0) return [];
      if (killsOf(exit, facts['killer-record']).length > 0) return [];
      const duplicated = duplicateReportedBy(exit, facts['process-exit']);
      if (duplicated !== undefined && killsOf(duplicated, facts['kernel-oom-kill']).length > 0)
        return [];
      // Programs kill their helpers every day: worth a word only where the command itself did not end well.
      const command = facts['process-exit'].find(({ role }) => role === 'command');
      if (exit.role === 'descendant' && (command?.exitCode === 0 || command?.signal === 'SIGKILL'))
        return [];
      // Its own child was killed: that is the incident, and 137 is how the shell handed it on.
      if (
        byShell &&
        (facts['kernel-oom-kill'].length > 0 ||
          facts['process-exit'].some((other) => other.signal === 'SIGKILL'))
      )
        return [];
      // Somebody lost patience with a process that had long stopped working: the stall is the verdict.
      if (facts.stall.some((stall) => stall.pid === exit.pid || lastedUntil(stall, exit)))
        return [];
      const levels = levelsOf(exit, facts['cgroup-counters']);
      if (budget.deaths.has(exit)) return [];
      // A counter of v2 that no process of its own cgroup explains: somebody below it.
      const below = levels.some(
        (counters) => localKills(counters) === undefined && (counters.oomKills ?? 0) > 0,
      );
      if (below && bySignal) return [];
      const unspent = levels.filter((counters) => killsLeft(budget, counters) > 0);
      if (byShell && (below || unspent.length > 0)) return [shellSaidSo(exit, levels, context)];
      const host = facts['host-counters'][0];
      const unseen = byShell
        ? facts['kernel-notice'].find(
            ({ what, pid }) => what === 'kill-of-unknown' && (pid === undefined || pid > exit.pid),
          )
        : undefined;
      if (unseen !== undefined) return [killOfUnseen(exit, unseen)];
      const counted = levels.some(
        ({ vanished, ...counters }) =>
          vanished !== true && localKills(counters as CgroupCounters) !== undefined,
      );
      const hostSilent = host?.oomKills === 0;
      const inSight = facts['cgroup-counters'].reduce(
        (sum, one) => sum + (localKills(one) ?? 0),
        0,
      );
      const log = kernelLogRead(context);
      // The kernel killed something, and nothing that can be read says what.
      const openQuestion =
        !log &&
        ((host?.oomKills ?? 0) > inSight || mayBeKillOf(exit, budget, facts['process-exit']));
      const cpu = ofProcess(exit, facts['process-limits'])[0]?.limits.find(
        ({ path }) => path === 'RLIMIT_CPU',
      );
      const because: Reason[] = [
        bySignal
          ? reason(exit, `${nameWithPid(exit)} was ended by SIGKILL`)
          : reason(
              exit,
              `${nameWithPid(exit)} exited with 137: 128 + 9, what a shell says when its command was ended by SIGKILL`,
            ),
      ];
      const ruledOut: RuledOut[] = [];
      if (log)
        ruledOut.push({
          cause: 'kernel-cgroup-oom',
          because: 'the kernel log was read over the whole run and names no kill of it',
        });
      if (counted)
        ruledOut.push({
          cause: 'kernel-cgroup-oom',
          because: levels.some((counters) => (localKills(counters) ?? 0) > 0)
            ? `the OOM counters of its cgroups rose at another time, for other processes (${levels.map(({ path }) => path).join(', ')})`
            : `the OOM counters of its cgroups did not move (${levels.map(({ path }) => path).join(', ')})`,
        });
      if (hostSilent && host !== undefined)
        ruledOut.push({
          cause: 'kernel-global-oom',
          because: `the machine counted no OOM kill at all during the run${host.minAvailableBytes === undefined ? '' : `, and had at least ${formatBytes(host.minAvailableBytes)} available`}`,
        });
      const proofs = [log, counted, hostSilent].filter(Boolean).length;
      if (openQuestion || proofs === 0 || (byShell && proofs < 2))
        return [
          {
            subject: subjectOf(exit),
            cause: 'undetermined',
            confidence: 'weak',
            headline: bySignal
              ? `${nameWithPid(exit)} was killed by SIGKILL; who sent it cannot be told`
              : `${nameWithPid(exit)} exited with 137; whether anything was killed cannot be told`,
            because:
              (host?.oomKills ?? 0) > 0 && host !== undefined
                ? [
                    ...because,
                    reason(
                      host,
                      `the machine counted ${host.oomKills} OOM kills during the run: this may have been one, in a cgroup whose counters cannot be seen from here`,
                    ),
                  ]
                : because,
            ruledOut,
            victim: victimOf(exit),
            unknown: [...unknownKernelLog(context), ...otherKillers],
            memory: peakOf(exit),
          },
        ];
      return [
        {
          subject: subjectOf(exit),
          cause: 'not-memory',
          variant: cpu === undefined ? 'killed' : 'cpu-limit',
          confidence: proofs >= 2 && !pressed(levels, host) ? 'strong' : 'likely',
          headline: bySignal
            ? `${nameWithPid(exit)} was killed by SIGKILL, but not by the kernel for memory: ${cpu === undefined ? 'somebody sent it' : `it has a limit of ${cpu.bytes} s of CPU time`}`
            : `${nameWithPid(exit)} exited with 137, but the kernel killed nothing for memory`,
          because: [
            ...because,
            ...ruledOut.map(({ because: says }) => ({
              says,
              source: 'recording',
              place: 'events.ndjson',
            })),
          ],
          ruledOut,
          victim: victimOf(exit),
          unknown: [
            ...(log ? [] : unknownKernelLog(context)),
            ...(pressed(levels, host) ? otherKillers : []),
          ],
          memory: peakOf(exit),
          remedies: [remedy('look-for-the-sender')],
        },
      ];
    });
  },
});

/** The stall went on until about when the process ended. */
function lastedUntil(stall: Stall, exit: ProcessExit): boolean {
  if (stall.stillGoingOn) return true;
  const begun = Date.parse(stall.when?.wall ?? '');
  const ended = Date.parse(exit.when?.wall ?? '');
  return Math.abs(begun + stall.durationMs - ended) < 2500;
}

/** Memory was short enough that a guard in user space may have acted: they leave no trace in the kernel. */
function pressed(levels: readonly CgroupCounters[], host: HostCounters | undefined): boolean {
  return (
    isMachineShort({ leftBytes: host?.minAvailableBytes, totalBytes: host?.totalBytes }) === true ||
    levels.some(
      ({ limitBytes, peakBytes }) =>
        limitBytes !== null && peakBytes !== undefined && peakBytes > 0.9 * limitBytes,
    )
  );
}

const otherKillers: readonly Question[] = [
  {
    id: 'whether-guard',
    what: 'whether a memory guard in user space (systemd-oomd, earlyoom, nohang) killed it',
    why: 'they leave nothing in the kernel log and move no counter',
    command: 'journalctl -u systemd-oomd -u earlyoom -u nohang --since -1h',
  },
];

/** The kernel killed something that was started after the command and lived too short to be seen; the command then said 137. */
function killOfUnseen(exit: ProcessExit, kill: KernelNotice): Finding {
  const victim = nameWithPid(kill);
  return {
    subject: subjectOf(exit),
    cause: kill.cgroup === undefined ? 'kernel-global-oom' : 'kernel-cgroup-oom',
    confidence: 'likely',
    headline: `${nameWithPid(exit)} exited with 137 after the kernel had killed ${victim}, probably its child`,
    because: [
      reason(kill, `the kernel's OOM killer killed ${victim} during the run`),
      reason(
        exit,
        'exit status 137: 128 + 9, what a shell says when its command was ended by SIGKILL',
      ),
    ],
    against: [
      {
        says: `${victim} was never seen among the processes of the run: it may have been somebody else's`,
        source: 'recording',
        place: 'events.ndjson',
      },
    ],
    victim: {
      ...defined({ pid: kill.pid, name: kill.name, cgroup: kill.cgroup }),
    },
    killer: { name: 'kernel' },
    memory: peakOf(exit),
  };
}

function shellSaidSo(
  exit: ProcessExit,
  levels: readonly CgroupCounters[],
  context: RuleContext,
): Finding {
  const own = levels.find((counters) => (localKills(counters) ?? 0) > 0) ?? levels[0];
  return {
    subject: subjectOf(exit),
    cause: 'kernel-cgroup-oom',
    confidence: 'likely',
    headline: `${nameWithPid(exit)} exited with 137 while the OOM killer struck in its cgroup ${own?.path ?? ''}`,
    because: [
      reason(
        exit,
        'exit status 137: 128 + 9, what a shell says when its command was ended by SIGKILL',
      ),
      ...(own === undefined
        ? []
        : [reason(own, `the OOM killer's counter of cgroup ${own.path} rose during the run`)]),
    ],
    victim: victimOf(exit),
    killer: { name: 'kernel' },
    ...(own === undefined
      ? {}
      : { limit: { owner: 'cgroup', path: own.path, bytes: own.limitBytes } }),
    unknown: unknownKernelLog(context),
    memory: peakOf(exit),
  };
}
