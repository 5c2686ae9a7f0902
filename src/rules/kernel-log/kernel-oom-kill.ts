import { isMachineShort } from '../../model/shortage.ts';
import { nameWithPid } from '../../model/name-with-pid.ts';
import { isAncestorCgroup, isContainerCgroup } from '../../model/cgroup-path.ts';
import { defined } from '../../model/defined.ts';
import type {
  DeathNotice,
  KernelOomKill,
  MetricsWindow,
  OomReport,
  StatedLimit,
} from '../../model/evidence.ts';
import type { Question, Finding } from '../../model/finding.ts';
import type { CulpritRole, Limit, Reason, RuledOut } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import {
  at,
  causeOf,
  culpritOf,
  holderWords,
  limitOf,
  remediesFor,
} from '../shared/kernel-facts.ts';
import { remedy } from '../shared/remedies.ts';

/** A kill by the kernel's OOM killer: the kernel's own line names the process. */
export const kernelOomKill = defineRule({
  id: 'kernel-oom-kill',
  title: "The kernel's OOM killer named its victim",
  needs: ['kernel-oom-kill'],
  uses: ['stated-limit', 'metrics', 'death-notice'],
  judge: (facts) => {
    const kills = facts['kernel-oom-kill'];
    const stated = statedLimit(facts['stated-limit'], facts.metrics);
    // Only these can tell whose limit a storm hit: a tenth of all kills at most.
    const reported = kills.filter(
      ({ report, oomMemcg }) => report !== null && oomMemcg !== undefined,
    );
    const groups = kills.filter(({ variant }) => variant === 'group-kill');
    return kills.map((kill) =>
      withSurroundings(
        judge(kill, reported, groups),
        kill,
        stated,
        duplicatesOf(kill, kills, facts['death-notice']),
      ),
    );
  },
});

/** The limit of the cgroup as another line of the same text states it, where all that state one agree. */
function statedLimit(
  limits: readonly StatedLimit[],
  metrics: readonly MetricsWindow[],
): { readonly bytes: number; readonly reason: Reason } | null {
  const all = [
    ...limits
      .filter(
        ({ limit, of }) =>
          limit.owner !== 'rlimit' &&
          limit.owner !== 'host' &&
          // A nanny's border, and what may be exceeded, are not what the kernel kills for.
          limit.owner !== 'daemon' &&
          of !== 'reservation',
      )
      .map((fact) => ({ bytes: fact.limit.bytes, fact })),
    ...metrics.flatMap((fact) =>
      fact.limitBytes === undefined ? [] : [{ bytes: fact.limitBytes, fact }],
    ),
  ];
  const [first] = all;
  if (first === undefined || all.some(({ bytes }) => bytes !== first.bytes)) return null;
  return {
    bytes: first.bytes,
    reason: reason(first.fact, `the limit is stated here: ${formatBytes(first.bytes)}`),
  };
}

/** What parents, shells and pools say of this death: by its pid, or of the only death there is. */
function duplicatesOf(
  kill: KernelOomKill,
  kills: readonly KernelOomKill[],
  notices: readonly DeathNotice[],
): readonly DeathNotice[] {
  const killed = notices.filter(
    ({ signal, otherReason }) =>
      otherReason === undefined && (signal === undefined || signal === 'SIGKILL'),
  );
  const pids = new Set(killed.flatMap(({ pid }) => (pid === undefined ? [] : [pid])));
  const only = kills.length === 1;
  // Inside its container a process has another pid than in the kernel's log: one kill and one such death are the same.
  const namespaced =
    only && pids.size === 1 && isContainerCgroup(kill.victim.cgroup ?? kill.oomMemcg);
  return killed
    .filter(({ pid }) => (pid === undefined ? only : pid === kill.victim.pid || namespaced))
    .slice(0, 3);
}

function withSurroundings(
  finding: Finding,
  kill: KernelOomKill,
  stated: ReturnType<typeof statedLimit>,
  duplicates: readonly DeathNotice[],
): Finding {
  const stack = duplicates.find(
    (duplicate) => duplicate.stack !== undefined && duplicate.stack.length > 0,
  )?.stack;
  const missing =
    finding.limit?.owner === 'cgroup' && finding.limit.bytes === null && stated !== null;
  const otherPids = duplicates.flatMap(({ pid }) =>
    pid === undefined || pid === kill.victim.pid ? [] : [pid],
  );
  return {
    ...finding,
    ...(otherPids.length === 0 ? {} : { subject: { ...finding.subject, otherPids } }),
    because: [
      ...finding.because,
      ...duplicates.map((duplicate) =>
        reason(
          duplicate,
          duplicate.signal === undefined
            ? `${duplicate.reporter} lost it without a status`
            : duplicate.pid === undefined || duplicate.pid === kill.victim.pid
              ? `${duplicate.reporter} saw it end by SIGKILL`
              : `${duplicate.reporter} saw it end by SIGKILL; inside the container its pid is ${duplicate.pid}`,
        ),
      ),
      ...(missing ? [stated.reason] : []),
    ],
    ...(missing && finding.limit != null
      ? {
          limit: { ...finding.limit, bytes: stated.bytes },
          headline: headline(
            kill,
            { ...finding.limit, bytes: stated.bytes },
            finding.culprit ?? null,
          ),
        }
      : {}),
    ...defined({ stack }),
  };
}

function judge(
  kill: KernelOomKill,
  reported: readonly KernelOomKill[],
  groups: readonly KernelOomKill[],
): Finding {
  const { victim, report } = kill;
  const neighbour = kill.report === null ? neighbourOf(kill, reported) : null;
  const constraint = kill.constraint ?? neighbour?.constraint ?? null;
  const oomMemcg = kill.oomMemcg ?? neighbour?.oomMemcg;
  const byHand = kill.variant === 'sysrq';
  const limit = limitOf(constraint, report ?? neighbour?.report ?? null, oomMemcg);
  const culprit = culpritOf(victim, report);
  const thread = threadOfVictim(kill, constraint);
  const trigger =
    thread === null
      ? (report?.trigger ?? null)
      : { ...report?.trigger, ...defined({ pid: victim.pid }) };
  const group =
    kill.variant === 'group-kill' ? groups.filter((other) => sameGroup(kill, other)) : [];
  return {
    subject: {
      ...defined({ pid: victim.pid, name: victim.name, cgroup: victim.cgroup, when: kill.when }),
      position: kill.origin.line ?? 0,
    },
    cause: causeOf(constraint),
    // Nobody's allocation had failed. People do this to a machine that hangs for want of memory, and to one that does not.
    ...(byHand ? { outOfMemory: enoughFree(report) ? false : null } : {}),
    ...defined({ variant: kill.variant }),
    confidence:
      kill.sourceKind === 'choice' || kill.sourceKind === 'reaped' || victim.pid === undefined
        ? 'strong'
        : 'certain',
    headline: headline(kill, limit, culprit),
    because: reasons(kill, limit, culprit, neighbour),
    against: against(kill),
    ruledOut: ruledOut(kill),
    unknown: byHand ? askedByWhom(report) : unknown(kill, limit),
    remedies: byHand
      ? [remedy('ask-who-called-the-killer')]
      : remediesFor({ ...kill, constraint }, report, culprit),
    victim,
    trigger: byHand ? null : trigger,
    culprit,
    killer: { name: 'kernel' },
    limit: byHand ? null : limit,
    ...(group.length > 1
      ? {
          related: group
            .filter((other) => other !== kill && other.victim.pid !== undefined)
            .map((other) => ({
              pid: other.victim.pid as number,
              ...defined({ name: other.victim.name }),
              relation: 'killed-with-it',
              how: 'killed with the same cgroup (memory.oom.group)',
            })),
        }
      : {}),
    ...(report !== null && report.tasks.length > 0 ? { tasks: report.tasks } : {}),
  };
}

function headline(kill: KernelOomKill, limit: Limit, culprit: CulpritRole | null): string {
  const victim = nameWithPid(kill.victim);
  const verb = kill.sourceKind === 'choice' ? 'chose' : 'killed';
  const subject = `The kernel ${verb} ${victim}`;
  const holder =
    culprit !== null && culprit.what !== 'process' && culprit.what !== 'processes'
      ? `, filled by ${holderWords(culprit)}`
      : '';
  if (kill.variant === 'sysrq')
    return `${subject}: asked for by SysRq (f), by hand; no limit had been reached`;
  if (kill.sourceKind === 'reaped')
    return `${subject}; whose limit was reached is not in this text`;
  if (limit.owner === 'unknown')
    return `${subject} for want of memory; whether a cgroup's limit or the whole machine was short is not in this text`;
  if (limit.owner === 'cgroup') {
    const size = limit.bytes === null ? 'memory limit' : `${formatBytes(limit.bytes)} limit`;
    const { cgroup } = kill.victim;
    if (limit.path === undefined) return `${subject}: its cgroup reached its ${size}${holder}`;
    if (cgroup !== undefined && isAncestorCgroup(limit.path, cgroup))
      return `${subject}: the cgroup ${limit.path} above its own reached its ${size}${holder}`;
    return `${subject}: its cgroup ${limit.path} reached its ${size}${holder}`;
  }
  if (limit.owner === 'numa-node')
    return `${subject}: the NUMA nodes it was allowed to use were out of memory`;
  return `${subject}: the whole machine was out of memory`;
}

function reasons(
  kill: KernelOomKill,
  limit: Limit,
  culprit: CulpritRole | null,
  neighbour: KernelOomKill | null,
): Reason[] {
  const { victim, report } = kill;
  const lines = report?.lines ?? {};
  const size =
    victim.anonRssBytes === undefined
      ? ''
      : `, which held ${formatBytes(victim.anonRssBytes)} of its own`;
  const because: Reason[] = [
    reason(
      kill,
      kill.sourceKind === 'choice'
        ? `the kernel's OOM killer chose ${nameWithPid(victim)}; the line of the kill itself is missing`
        : kill.sourceKind === 'reaped'
          ? `the kernel's OOM reaper took the memory of ${nameWithPid(victim)}: it does so with victims of the OOM killer only`
          : `the kernel's OOM killer killed ${nameWithPid(victim)}${size}`,
    ),
  ];
  if (lines.constraint !== undefined && lines.constraint.quote !== kill.origin.quote)
    because.push(at(lines.constraint, constraintWords(kill)));
  if (lines.limitOf !== undefined) because.push(at(lines.limitOf, constraintWords(kill)));
  if (lines.usage !== undefined && report?.usageBytes !== undefined)
    because.push(
      at(
        lines.usage,
        report.limitBytes == null
          ? `the cgroup used ${formatBytes(report.usageBytes)} and had no limit of its own`
          : `the cgroup used ${formatBytes(report.usageBytes)} of ${formatBytes(report.limitBytes)}`,
      ),
    );
  if (lines.group !== undefined)
    because.push(at(lines.group, 'the cgroup dies as a whole: memory.oom.group is set'));
  if (lines.header !== undefined && kill.variant === 'sysrq')
    because.push(
      at(lines.header, 'order=-1: no allocation had failed, the OOM killer was asked for by SysRq'),
    );
  else if (lines.header !== undefined && report?.trigger?.name !== undefined) {
    const thread = threadOfVictim(kill, kill.constraint ?? null);
    because.push(
      at(
        lines.header,
        thread !== null
          ? `the allocation that could not be served was made by thread ${thread} of ${nameWithPid(victim)}`
          : report.trigger.pid !== undefined && report.trigger.pid !== victim.pid
            ? `the allocation that could not be served was made by ${nameWithPid(report.trigger)}, not by the victim`
            : `the allocation that could not be served was made by ${nameWithPid(report.trigger)}`,
      ),
    );
  }
  if (kill.variant === 'sacrificed-child' && lines.choice !== undefined && report?.chosen)
    because.push(
      at(
        lines.choice,
        `the kernel had chosen ${nameWithPid(report.chosen)} and killed a child of it instead`,
      ),
    );
  if (culprit !== null && culprit.what !== 'process' && culprit.bytes !== undefined) {
    const line = lines.shmem ?? lines.usage;
    if (line !== undefined)
      because.push(
        at(line, `${formatBytes(culprit.bytes)} of it were held by ${holderWords(culprit)}`),
      );
  }
  if (neighbour !== null)
    because.push(
      reason(
        neighbour,
        `its own report is missing (the kernel prints 10 in 5 s); the reports around it are of ${limit.owner === 'cgroup' ? `cgroup ${limit.path}` : 'the whole machine'}`,
      ),
    );
  return because;
}

/** So much was free when the kernel printed its report that nothing was short. */
function enoughFree(report: OomReport | null): boolean {
  const { free: leftBytes, totalRam: totalBytes } = report?.hostBytes ?? {};
  return isMachineShort({ leftBytes, totalBytes }) === false;
}

function askedByWhom(report: OomReport | null): Question[] {
  const { free: freeBytes, totalRam: totalBytes } = report?.hostBytes ?? {};
  const figures =
    freeBytes === undefined || totalBytes === undefined
      ? ''
      : `; ${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} were free`;
  return [
    {
      id: 'who-called-the-killer',
      what: enoughFree(report)
        ? 'Who asked for it'
        : 'Who asked for it, and whether memory was short at all',
      why: `the kernel's log does not say${figures}`,
      command: 'cat /proc/sys/kernel/sysrq; sudo journalctl -k | grep -i sysrq',
    },
  ];
}

/**
 * `invoked oom-killer` names a thread by its own id, the table of tasks has processes alone. In a cgroup's table an id that is missing
 * belongs to a thread: the victim's, where that is the only process of the name.
 */
function threadOfVictim(
  { victim, report }: KernelOomKill,
  constraint: string | null,
): number | null {
  const { pid, name } = report?.trigger ?? {};
  const tasks = report?.tasks ?? [];
  return constraint === 'memcg' &&
    pid !== undefined &&
    pid !== victim.pid &&
    name !== undefined &&
    name === victim.name &&
    tasks.some((task) => task.pid === victim.pid) &&
    !tasks.some((task) => task.pid === pid) &&
    tasks.filter((task) => task.name === name).length === 1
    ? pid
    : null;
}

function constraintWords(kill: KernelOomKill): string {
  const { oomMemcg, constraint } = kill;
  if (kill.variant === 'sysrq')
    return 'no cgroup and no NUMA node is named: it was asked for by SysRq';
  const own = kill.taskMemcg;
  if (constraint === 'memcg')
    return own !== undefined && oomMemcg !== undefined && isAncestorCgroup(oomMemcg, own)
      ? `the limit of ${oomMemcg} fired, above the victim's own cgroup ${own}`
      : `the limit of cgroup ${oomMemcg ?? 'unknown'} fired`;
  if (constraint === 'cpuset')
    return 'the NUMA nodes of its cpuset were short, not the whole machine';
  if (constraint === 'memory-policy')
    return 'the NUMA nodes of its memory policy were short, not the whole machine';
  return 'no limit: the whole machine was short of memory';
}

/** Within the 5 s of the rate limit, the same kind of kill with its report: tells whose limit it was. */
function neighbourOf(kill: KernelOomKill, kills: readonly KernelOomKill[]): KernelOomKill | null {
  const near = (other: KernelOomKill) => {
    const a = kill.when?.uptimeSeconds;
    const b = other.when?.uptimeSeconds;
    if (a !== undefined && b !== undefined) return Math.abs(a - b) <= 6;
    return Math.abs((kill.origin.line ?? 0) - (other.origin.line ?? 0)) < 200;
  };
  return (
    kills.find(
      (other) =>
        other.report !== null &&
        other.oomMemcg !== undefined &&
        kill.constraint === 'memcg' &&
        other.constraint === 'memcg' &&
        other.victim.name === kill.victim.name &&
        near(other),
    ) ?? null
  );
}

const sameGroup = (a: KernelOomKill, b: KernelOomKill): boolean =>
  a === b ||
  (b.variant === 'group-kill' &&
    a.report?.lines?.group?.place !== undefined &&
    a.report.lines.group.place === b.report?.lines?.group?.place);

function against(kill: KernelOomKill): Reason[] {
  const { report } = kill;
  const usage = report?.lines?.usage;
  if (
    report === null ||
    usage === undefined ||
    report.usageBytes === undefined ||
    report.limitBytes == null ||
    report.usageBytes >= report.limitBytes * 0.9
  )
    return [];
  const bySwap =
    report.swapUsageBytes !== undefined &&
    report.swapLimitBytes != null &&
    report.swapUsageBytes >= report.swapLimitBytes * 0.98;
  return [
    at(
      usage,
      bySwap
        ? `memory alone stood at ${formatBytes(report.usageBytes)} of ${formatBytes(report.limitBytes)}: it was memory and swap together that reached their limit`
        : `when the report was printed only ${formatBytes(report.usageBytes)} of ${formatBytes(report.limitBytes)} were in use: memory had been given back in between`,
    ),
  ];
}

function ruledOut(kill: KernelOomKill): RuledOut[] {
  if (kill.variant === 'sysrq') return [];
  if (kill.constraint === 'memcg')
    return [
      {
        cause: 'kernel-global-oom',
        because: 'the kernel names a cgroup whose limit fired, not the whole machine',
      },
    ];
  if (kill.constraint === 'none')
    return [
      { cause: 'kernel-cgroup-oom', because: 'the kernel names no cgroup whose limit had fired' },
    ];
  return [];
}

function unknown(kill: KernelOomKill, limit: Limit): Question[] {
  const unknowns: Question[] = [];
  if (limit.owner === 'unknown')
    unknowns.push({
      id: 'which-limit',
      what: 'Whose limit it was: a cgroup or the machine',
      why: 'the line of the kill is the same for both on kernels before 5.0, and the report around it is not in this text',
      command:
        'sudo journalctl -k | grep -E "oom-kill:|memory: usage|limit of|Mem-Info|Killed process"',
    });
  if (limit.owner === 'cgroup' && limit.bytes === null && limit.path !== undefined)
    unknowns.push({
      id: 'how-high-the-limit',
      what: 'How high the limit was',
      why: "the report's line with usage and limit is missing",
      command: `cat /sys/fs/cgroup${limit.path}/memory.max /sys/fs/cgroup/memory${limit.path}/memory.limit_in_bytes`,
    });
  if (limit.owner === 'cgroup' && limit.path === undefined)
    unknowns.push({
      id: 'which-cgroup',
      what: 'Which cgroup it was, and how high its limit',
      why:
        kill.report === null
          ? 'the kernel printed no report with this kill, or it is not in this text'
          : 'the report is cut short',
      command: 'sudo dmesg -T | grep -E "oom-kill:|memory: usage"',
    });
  return unknowns;
}
