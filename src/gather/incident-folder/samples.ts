/** What the recorder measured itself, as evidence: endings, limits and peaks, counters of cgroups and host, stalls. */
import { defined } from '../../model/defined.ts';
import type {
  CgroupCounters,
  Evidence,
  HostCounters,
  ProcessExit,
  ProcessLimits,
  Stall,
} from '../../model/evidence.ts';
import type {
  CgroupSample,
  IncidentStart,
  ProcessGone,
  StallSeen,
} from '../../model/incident-folder.ts';
import type { Numbered } from '../../store/recorded-lines.ts';
import { firstNotBefore } from './moments.ts';
import {
  mayHaveHeldMore,
  whenOf,
  type CgroupTimeline,
  type ProcessTimeline,
  type Timeline,
} from './events.ts';

export function sampledEvidence(
  start: IncidentStart,
  timeline: Timeline,
  killed: ReadonlySet<number>,
): readonly Evidence[] {
  return [
    ...processEvidence(start, timeline, killed),
    ...[...timeline.cgroups.values()].map((cgroup) => cgroupCounters(start, cgroup)),
    hostCounters(start, timeline),
    ...timeline.stalls.map((stall) => stallEvidence(start, stall)),
  ];
}

/** How each process ended, where that is worth telling, and its limits and peaks. */
function processEvidence(
  start: IncidentStart,
  timeline: Timeline,
  killed: ReadonlySet<number>,
): readonly Evidence[] {
  const evidence: Evidence[] = [];
  const killing = new Set(
    [...timeline.cgroups.values()]
      .filter(({ last }) => (last.localOomKills ?? 0) > 0)
      .map(({ seen: { path } }) => path),
  );
  for (const [pid, process] of timeline.processes) {
    const { seen, gone } = process;
    // A status nobody saw is worth telling only where somebody else tells how it ended, or that something was killed there.
    const among = seen.cgroup !== undefined && killing.has(seen.cgroup);
    if (gone !== null && (statusSeen(gone) || among || killed.has(pid)))
      evidence.push(processExit(start, timeline, process, gone));
    if (process.limits.length > 0 || Object.keys(process.peaks).length > 0)
      evidence.push(processLimits(start, process));
  }
  return evidence;
}

const statusSeen = (gone: ProcessGone): boolean => gone.signal !== null || gone.exitCode !== null;

function processExit(
  start: IncidentStart,
  timeline: Timeline,
  process: ProcessTimeline,
  gone: Numbered<ProcessGone>,
): ProcessExit {
  const { seen, firstSeenMs, peaks } = process;
  const parent = seen.parentPid === null ? undefined : timeline.processes.get(seen.parentPid);
  const { wall: namedAt } = whenOf(start, seen.atMs);
  return {
    kind: 'process-exit',
    origin: exitOrigin(gone),
    when: whenOf(start, gone.atMs),
    pid: seen.pid,
    name: seen.name,
    ...defined({ namedAt }),
    ...(seen.command === null ? {} : { command: seen.command }),
    role: seen.role,
    exitCode: gone.exitCode,
    signal: gone.signal,
    ...defined({ peakRssBytes: peaks.rss }),
    ...(mayHaveHeldMore(process) ? { peakIsLeast: true } : {}),
    uptimeMs: gone.atMs - (firstSeenMs ?? 0),
    ...defined({ otherPids: seen.otherPids, cgroup: seen.cgroup, dumpingMs: gone.dumpingMs }),
    ...(gone.parentState === undefined
      ? {}
      : { parentAfterwards: hung(parent, gone) ? 'hangs' : gone.parentState }),
    ...(parent === undefined ? {} : { parent: { pid: parent.seen.pid, name: parent.seen.name } }),
    ...(timeline.commandPid === null ? {} : { leaderPid: timeline.commandPid }),
  };
}

function exitOrigin(gone: Numbered<ProcessGone>): ProcessExit['origin'] {
  return {
    source: gone.seenAs === 'wait' ? 'wait-status' : 'proc',
    place: `events.ndjson:${gone.lineNumber}`,
    line: gone.lineNumber,
    ...(statusSeen(gone)
      ? { quote: gone.signal === null ? `exit status ${gone.exitCode}` : `signal ${gone.signal}` }
      : {}),
  };
}

function processLimits({ machine }: IncidentStart, process: ProcessTimeline): ProcessLimits {
  const { seen, limits, peaks } = process;
  return {
    kind: 'process-limits',
    origin: {
      source: 'proc',
      place: `events.ndjson:${seen.lineNumber}`,
      line: seen.lineNumber,
    },
    pid: seen.pid,
    name: seen.name,
    limits,
    ...defined({
      peakVmBytes: peaks.vm,
      peakDataBytes: peaks.data,
      peakRssBytes: peaks.rss,
      peakSwapBytes: peaks.swap,
    }),
    ...(mayHaveHeldMore(process) ? { peakIsLeast: true } : {}),
    ...(machine?.maxMapCount === undefined ? {} : { maxMapCount: machine.maxMapCount }),
    ...defined({ peakMapCount: peaks.maps, threads: peaks.threads }),
  };
}

function cgroupCounters(
  start: IncidentStart,
  { seen, last, peakBytes, underOom, gone, kills }: CgroupTimeline,
): CgroupCounters {
  return {
    kind: 'cgroup-counters',
    origin: {
      source: 'cgroup',
      place: seen.folder,
      line: seen.lineNumber,
      quote: quoteOf(seen.version, last),
    },
    version: seen.version,
    path: seen.path,
    level: seen.level,
    limitBytes: seen.limitBytes,
    ...defined({
      highBytes: seen.highBytes,
      peakBytes,
      oomKills: last.oomKills,
      localOomKills: last.localOomKills,
      localOoms: last.localOoms ?? last.ooms,
      groupKills: last.groupKills,
      limitHits: last.limitHits,
      highHits: last.highHits,
      killDisabled: seen.killDisabled,
    }),
    ...(underOom ? { underOom } : {}),
    ...(kills.length === 0 ? {} : { killTimes: killTimes(start, kills) }),
    ...(gone ? { vanished: true } : {}),
  };
}

function hostCounters({ machine = {} }: IncidentStart, { host }: Timeline): HostCounters {
  return {
    kind: 'host-counters',
    origin: { source: 'proc', place: '/proc/vmstat, /proc/meminfo' },
    ...host,
    ...defined({
      totalBytes: machine.totalBytes,
      swapTotalBytes: machine.swapTotalBytes,
      overcommitMode: machine.overcommitMode,
      commitLimitBytes: machine.commitLimitBytes,
    }),
  };
}

function killTimes(
  start: IncidentStart,
  kills: readonly {
    readonly fromMs: number | null;
    readonly untilMs: number;
    readonly count: number;
  }[],
): NonNullable<CgroupCounters['killTimes']> {
  return kills.flatMap(({ fromMs, untilMs, count }) => {
    const until = whenOf(start, untilMs).wall;
    const from = fromMs === null ? undefined : whenOf(start, fromMs).wall;
    return until === undefined ? [] : [{ ...defined({ from }), until, kills: count }];
  });
}

/** The parent lived on for a second and more after its child's death, and hardly computed. */
function hung(parent: ProcessTimeline | undefined, childGone: ProcessGone): boolean {
  if (parent === undefined || childGone.parentState !== 'alive') return false;
  const { cpu } = parent;
  const [first, last] = [cpu[firstNotBefore(cpu, childGone.atMs)], cpu.at(-1)];
  if (first === undefined || last === undefined) return false;
  const livedMs = (parent.gone?.atMs ?? last.atMs) - childGone.atMs;
  return livedMs >= 1000 && last.cpuMs - first.cpuMs < 0.05 * livedMs;
}

/** The kernel's own words for what was counted, as deltas. */
function quoteOf(version: 1 | 2, last: CgroupSample): string {
  const parts =
    version === 1
      ? [
          ['memory.oom_control oom_kill', last.oomKills],
          ['memory.failcnt', last.limitHits],
          ['memory.max_usage_in_bytes', last.peakBytes],
        ]
      : [
          ['memory.events oom', last.ooms],
          ['oom_kill', last.oomKills],
          ['max', last.limitHits],
          ['memory.events.local oom', last.localOoms],
          ['oom_kill', last.localOomKills],
        ];
  return parts
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${name === 'memory.max_usage_in_bytes' ? '' : '+'}${value}`)
    .join(', ');
}

function stallEvidence(start: IncidentStart, stall: Numbered<StallSeen>): Stall {
  const { begunMs, atMs, lineNumber, what: _ignored, against: __, ...facts } = stall;
  return {
    kind: 'stall',
    origin: {
      source: 'samples',
      place: `events.ndjson:${lineNumber}`,
      line: lineNumber,
    },
    when: whenOf(start, begunMs),
    pid: facts.pid,
    ...defined({ name: facts.name, cgroup: facts.cgroup }),
    how: facts.how,
    durationMs: atMs - begunMs,
    ...defined({
      slowdown: facts.slowdown,
      psiFull: facts.psiFull,
      majorFaultsPerSecond: facts.majorFaultsPerSecond,
      refaultsPerSecond: facts.refaultsPerSecond,
      swapBytes: facts.swapBytes,
    }),
    stillGoingOn: facts.stillGoingOn,
    ...defined({ limit: facts.limit }),
  };
}
