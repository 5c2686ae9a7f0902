/** The lines of an incident folder, and what they say of each process and cgroup, put together. */
import type {
  CgroupSample,
  CgroupSeen,
  EventLine,
  IncidentStart,
  ProcessGone,
  ProcessSeen,
  SampleLine,
  StallSeen,
} from '../../model/incident-folder.ts';
import type { When } from '../../model/evidence.ts';
import type { Limit } from '../../model/report.ts';
import { isoTime } from '../../model/units.ts';
import { readHookErrors, type Numbered } from '../../store/recorded-lines.ts';
import { defined } from '../../model/defined.ts';

/** What the lines say of each process and cgroup, put together. */
export interface Timeline {
  readonly processes: ReadonlyMap<number, ProcessTimeline>;
  readonly cgroups: ReadonlyMap<number, CgroupTimeline>;
  readonly commandPid: number | null;
  /** stderr was a file, in which others may write too. */
  readonly sharesStderr: boolean;
  readonly host: {
    minAvailableBytes?: number;
    minSwapFreeBytes?: number;
    peakCommittedBytes?: number;
    oomKills?: number;
  };
  readonly stalls: readonly Numbered<StallSeen>[];
}
export interface ProcessTimeline {
  seen: Numbered<ProcessSeen>;
  /** When the first line on this pid was written, in ms since the start of the run; null: only its end was. */
  firstSeenMs: number | null;
  limits: readonly Limit[];
  gone: Numbered<ProcessGone> | null;
  readonly peaks: {
    rss?: number;
    vm?: number;
    data?: number;
    swap?: number;
    maps?: number;
    threads?: number;
  };
  readonly cpu: { readonly atMs: number; readonly cpuMs: number }[];
}
export interface CgroupTimeline {
  readonly seen: Numbered<CgroupSeen>;
  last: CgroupSample;
  peakBytes: number | undefined;
  /** When the kills in this very cgroup were counted; `fromMs` is null where there is no reading before. */
  readonly kills: {
    readonly fromMs: number | null;
    readonly untilMs: number;
    readonly count: number;
  }[];
  lastMs: number | null;
  underOom: boolean;
  gone: boolean;
}

const most = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.max(a, b);
const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);

export function loadTimeline(
  start: IncidentStart,
  events: readonly Numbered<EventLine>[],
  samples: readonly Numbered<SampleLine>[],
): Timeline {
  const processes = new Map<number, ProcessTimeline>();
  const cgroups = new Map<number, CgroupTimeline>();
  const stalls = new Map<number, Numbered<StallSeen>>();
  let commandPid: number | null = null;
  let sharesStderr = false;
  for (const event of events) {
    if (event.what === 'process') {
      if (event.role === 'command') commandPid = event.pid;
      const known = processes.get(event.pid);
      if (known === undefined)
        processes.set(event.pid, {
          seen: event,
          firstSeenMs: event.atMs,
          // Its parent's, unless a line of its own says otherwise.
          limits: event.parentPid === null ? [] : (processes.get(event.parentPid)?.limits ?? []),
          gone: null,
          peaks: {},
          cpu: [],
        });
      else {
        known.seen = event;
        known.firstSeenMs ??= event.atMs;
      }
    } else if (event.what === 'limits') {
      const known = processes.get(event.pid);
      if (known !== undefined) known.limits = event.limits;
    } else if (event.what === 'process-gone') {
      const known = processes.get(event.pid);
      if (known !== undefined) known.gone = event;
      // It may be gone before anything of it could be read.
      else if (event.seenAs === 'wait') {
        commandPid = event.pid;
        processes.set(event.pid, {
          seen: {
            what: 'process',
            atMs: 0,
            pid: event.pid,
            parentPid: null,
            name: commandName(start.command),
            command: start.command.join(' '),
            role: 'command',
            lineNumber: event.lineNumber,
          },
          firstSeenMs: null,
          limits: [],
          gone: event,
          peaks: {},
          cpu: [],
        });
      }
    } else if (event.what === 'cgroup') {
      cgroups.set(event.id, {
        seen: event,
        last: { id: event.id },
        peakBytes: undefined,
        kills: [],
        lastMs: null,
        underOom: false,
        gone: false,
      });
    } else if (event.what === 'cgroup-gone') {
      const known = cgroups.get(event.id);
      if (known !== undefined) known.gone = true;
    } else if (event.what === 'source' && event.id === 'stderr')
      sharesStderr = event.shared === true;
    else if (event.what === 'stall') stalls.set(event.begunMs, event);
  }
  const host: Timeline['host'] = {};
  for (const sample of samples) {
    for (const process of sample.processes ?? []) {
      const known = processes.get(process.pid);
      if (known === undefined) continue;
      const { peaks, cpu } = known;
      if (process.userMs !== undefined && process.systemMs !== undefined)
        cpu.push({ atMs: sample.atMs, cpuMs: process.userMs + process.systemMs });
      assign(peaks, 'rss', most(most(peaks.rss, process.rssBytes), process.peakRssBytes));
      assign(peaks, 'vm', most(most(peaks.vm, process.vmBytes), process.peakVmBytes));
      assign(peaks, 'data', most(peaks.data, process.dataBytes));
      assign(peaks, 'swap', most(peaks.swap, process.swapBytes));
      assign(peaks, 'maps', most(peaks.maps, process.maps));
      assign(peaks, 'threads', most(peaks.threads, process.threads));
    }
    for (const cgroup of sample.cgroups ?? []) {
      const known = cgroups.get(cgroup.id);
      if (known === undefined) continue;
      const { version } = known.seen;
      const more = ownKills(cgroup, version) - ownKills(known.last, version);
      if (more > 0) known.kills.push({ fromMs: known.lastMs, untilMs: sample.atMs, count: more });
      known.lastMs = sample.atMs;
      known.last = { ...known.last, ...cgroup };
      known.peakBytes = most(most(known.peakBytes, cgroup.currentBytes), cgroup.peakBytes);
      known.underOom ||= cgroup.underOom === true;
    }
    if (sample.host !== undefined) {
      assign(host, 'minAvailableBytes', least(host.minAvailableBytes, sample.host.availableBytes));
      assign(host, 'minSwapFreeBytes', least(host.minSwapFreeBytes, sample.host.swapFreeBytes));
      assign(host, 'peakCommittedBytes', most(host.peakCommittedBytes, sample.host.committedBytes));
      assign(host, 'oomKills', most(host.oomKills, sample.host.oomKills));
    }
  }
  // The mark covers the children that it had waited for: alone, it is the command's own.
  const [only] = processes.values();
  if (only !== undefined && processes.size === 1)
    assign(only.peaks, 'rss', most(only.peaks.rss, only.gone?.peakRssBytes));
  return { processes, cgroups, commandPid, sharesStderr, host, stalls: [...stalls.values()] };
}

/**
 * Whether a process may have held more than was read of it: between its last reading and its end only the mark of its wait status
 * looks, which covers the children that it had waited for, too.
 */
export const mayHaveHeldMore = ({ gone, peaks }: ProcessTimeline): boolean =>
  gone !== null && peaks.rss !== undefined && !((gone.peakRssBytes ?? Infinity) <= peaks.rss);

const ownKills = (
  { localOomKills, oomKills }: Pick<CgroupSample, 'localOomKills' | 'oomKills'>,
  version: 1 | 2,
): number => localOomKills ?? (version === 1 ? oomKills : undefined) ?? 0;

/** What the hook read of a process at the moment of its MemoryError: no sample is as near. */
export function addMomentsOfFailure(texts: ReadonlyMap<string, string>, timeline: Timeline): void {
  for (const [name, text] of texts) {
    const pid = Number(/^python\/(\d+)\.ndjson$/.exec(name)?.[1]);
    const peaks = timeline.processes.get(pid)?.peaks;
    if (peaks === undefined) continue;
    for (const line of readHookErrors(text).lines) {
      assign(peaks, 'rss', most(peaks.rss, line.rssBytes));
      assign(peaks, 'vm', most(peaks.vm, line.vmBytes));
      assign(peaks, 'data', most(peaks.data, line.dataBytes));
      assign(peaks, 'maps', most(peaks.maps, line.maps));
    }
  }
}

function assign<T extends object, K extends keyof T>(
  target: T,
  key: K,
  value: T[K] | undefined,
): void {
  if (value !== undefined) target[key] = value;
}

const commandName = (command: readonly string[]) =>
  (command[0] ?? '?').replace(/^.*\//, '').slice(0, 15);

export function whenOf(start: IncidentStart, atMs: number): When {
  const wall = isoTime(Date.parse(start.startedAt) + atMs);
  return {
    ...defined({ wall }),
    ...(typeof start.startedUptimeSeconds === 'number'
      ? { uptimeSeconds: start.startedUptimeSeconds + atMs / 1000 }
      : {}),
    ...(start.bootId === null ? {} : { bootId: start.bootId }),
  };
}
