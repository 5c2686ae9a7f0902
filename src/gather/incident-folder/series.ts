/** The recording that renderers draw: series, limits and events. */
import { cgroupColumns, hostColumns, processColumns } from '../../model/recording.ts';
import { nameWithPid } from '../../model/name-with-pid.ts';
import { plainCgroup, withAncestors } from '../../model/cgroup-path.ts';
import { defined } from '../../model/defined.ts';
import type { Evidence, FailedAllocation } from '../../model/evidence.ts';
import type {
  CgroupSample,
  EventLine,
  IncidentEnd,
  IncidentStart,
  ProcessSample,
  SampleLine,
} from '../../model/incident-folder.ts';
import type {
  RecordedSnapshot,
  RecordedCgroup,
  RecordedEvent,
  RecordedProcess,
  Recording,
  Series,
} from '../../model/recording.ts';
import type { Limit } from '../../model/report.ts';
import { formatBytes, type Ms } from '../../model/units.ts';
import type { Numbered } from '../../store/recorded-lines.ts';
import { mayHaveHeldMore, type ProcessTimeline, type Timeline } from './events.ts';
import { around } from './moments.ts';

export function toRecording(
  start: IncidentStart,
  end: IncidentEnd | null,
  timeline: Timeline,
  events: readonly Numbered<EventLine>[],
  samples: readonly Numbered<SampleLine>[],
  output: readonly Evidence[],
  snapshots: readonly RecordedSnapshot[],
): Recording {
  const ofProcess = new Map<number, Row<ProcessSample>[]>();
  const ofCgroup = new Map<number, Row<CgroupSample>[]>();
  for (const { atMs, processes = [], cgroups = [] } of samples) {
    for (const values of processes) push(ofProcess, values.pid, { atMs, values });
    for (const values of cgroups) push(ofCgroup, values.id, { atMs, values });
  }
  const recordedUntilMs = endOfSampling(end, samples);
  /** When the memory of each process went; absent: it outlived the recording. */
  const died = new Map<number, number>();
  const killedMs = new Map<number, number>();
  for (const event of events)
    if (event.what === 'kill' && event.pid !== undefined && !killedMs.has(event.pid))
      killedMs.set(event.pid, event.atMs);
  for (const [pid, { gone }] of timeline.processes) {
    const diedMs = deathOf(ofProcess.get(pid) ?? [], killedMs.get(pid) ?? gone?.atMs ?? null);
    if (diedMs !== null) died.set(pid, diedMs);
  }
  const processes = [...timeline.processes].map(([pid, process]): RecordedProcess => ({
    pid,
    parentPid: process.seen.parentPid,
    name: process.seen.name,
    command: process.seen.command,
    startedMs: process.firstSeenMs ?? 0,
    ...defined({ startTicks: process.seen.startTicks }),
    endedMs: process.gone?.atMs ?? null,
    exitCode: process.gone?.exitCode ?? null,
    signal: process.gone?.signal ?? null,
    ...defined({ peakRssBytes: process.peaks.rss }),
    ...(mayHaveHeldMore(process) ? { peakIsLeast: true } : {}),
    samples: series(
      whileItLived(withHighWater(ofProcess.get(pid) ?? []), died.get(pid), recordedUntilMs),
      processColumns,
    ),
  }));
  const membersOf = membersByCgroup(timeline);
  const cgroups = [...timeline.cgroups.values()].map(({ seen, last }): RecordedCgroup => {
    const members = membersOf.get(plainCgroup(seen.path)) ?? [];
    // What is charged after its last process has died is what the kernel has not yet freed: no need of the program's.
    const ends = members.map(([pid]) => died.get(pid));
    const emptyMs =
      ends.length === 0 || ends.includes(undefined)
        ? undefined
        : ends.reduce<number>((latest, atMs) => Math.max(latest, atMs ?? 0), -Infinity);
    return {
      version: seen.version,
      path: seen.path,
      level: seen.level,
      limitBytes: seen.limitBytes,
      ...defined({ highBytes: seen.highBytes, peakBytes: last.peakBytes }),
      samples: series(
        whileItLived(
          heldUntil(
            ofCgroup.get(seen.id) ?? [],
            members.flatMap(([pid, { gone }]) =>
              gone?.signal === 'SIGKILL' ? (died.get(pid) ?? []) : [],
            ),
          ),
          emptyMs,
          recordedUntilMs,
        ),
        cgroupColumns,
      ),
    };
  });
  const limits: Limit[] = cgroups
    .filter(({ limitBytes }) => limitBytes !== null)
    .map(({ path, limitBytes }) => ({ owner: 'cgroup' as const, path, bytes: limitBytes }));
  const command =
    timeline.commandPid === null ? undefined : timeline.processes.get(timeline.commandPid);
  limits.push(
    ...(command?.limits ?? []).filter(({ path }) => path === 'RLIMIT_AS' || path === 'RLIMIT_DATA'),
  );
  if (start.machine?.totalBytes !== undefined)
    limits.push({ owner: 'host', bytes: start.machine.totalBytes });
  return {
    ...emptyRecording(start, end),
    ...defined({
      commandPid: timeline.commandPid ?? undefined,
      largestRssBytes: command?.gone?.peakRssBytes,
    }),
    limits,
    processes,
    cgroups,
    host: series(
      samples.flatMap(({ atMs, host }) => (host === undefined ? [] : [{ atMs, values: host }])),
      hostColumns,
    ),
    events: recordedEvents(start, timeline, events, output, snapshots),
    looks: snapshots,
  };
}

/** What the beginning and the end alone tell. */
export const emptyRecording = (start: IncidentStart, end: IncidentEnd | null): Recording => ({
  format: 'coroner-recording/1',
  id: start.id,
  command: start.command,
  cwd: start.cwd,
  startedAt: start.startedAt,
  endedAt: end?.endedAt ?? null,
  durationMs: end?.durationMs ?? null,
  ...defined({
    bootId: start.bootId ?? undefined,
    machine: start.machine,
    version: start.version === '' ? undefined : start.version,
    recorder: end?.recorder,
  }),
  limits: [],
  processes: [],
  cgroups: [],
  host: { atMs: [], columns: {} },
  events: [],
  looks: [],
});

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

interface Row<T> {
  readonly atMs: number;
  readonly values: T;
}

/** Samples are written down when something changed, and in long runs not all of them: a gap of less than this is none. */
const longestGapMs = 60_000;

/** Until when it is known that nothing changed which was not written down. */
function endOfSampling(
  end: IncidentEnd | null,
  samples: readonly { readonly atMs: number }[],
): number {
  const lastMs = samples.at(-1)?.atMs ?? 0;
  const endMs = end?.durationMs ?? lastMs;
  return endMs - lastMs <= longestGapMs ? Math.max(endMs, lastMs) : lastMs;
}

/** An exiting process has given its memory back and can still be seen for a while: it died at the first of its empty samples. */
function deathOf(rows: readonly Row<ProcessSample>[], endedMs: number | null): number | null {
  const lastAlive = rows.findLastIndex(({ values }) => values.rssBytes !== 0);
  const emptyMs = rows[lastAlive + 1]?.atMs;
  return emptyMs === undefined ? endedMs : Math.min(emptyMs, endedMs ?? Infinity);
}

/** With the last reading before each kill held until then: what it freed, it freed after. */
function heldUntil<T>(
  rows: readonly Row<T>[],
  killsMs: readonly number[],
): readonly Row<Partial<T>>[] {
  const first = rows[0]?.atMs ?? Infinity;
  const sampled = new Set(rows.map(({ atMs }) => atMs));
  const held = killsMs
    .filter((atMs) => atMs > first && !sampled.has(atMs))
    .map((atMs): Row<Partial<T>> => ({ atMs, values: {} }));
  return [...rows, ...held].sort((a, b) => a.atMs - b.atMs);
}

/** Without what was read after the death, and with the last reading held until then. */
function whileItLived<T>(
  rows: readonly Row<Partial<T>>[],
  diedMs: number | undefined,
  recordedUntilMs: number,
): readonly Row<Partial<T>>[] {
  const lived: Row<Partial<T>>[] =
    diedMs === undefined ? [...rows] : rows.filter(({ atMs }) => atMs < diedMs);
  const lastMs = lived.at(-1)?.atMs;
  const untilMs = diedMs ?? recordedUntilMs;
  if (lastMs !== undefined && lastMs < untilMs) lived.push({ atMs: untilMs, values: {} });
  return lived;
}

/** With a row where the kernel's high-water mark tells of a peak between two samples: when in between is not known, so the middle. */
export function withHighWater(
  rows: readonly Row<ProcessSample>[],
): readonly Row<Partial<ProcessSample>>[] {
  let most = 0;
  let lastMs: number | null = null;
  return rows.flatMap((row): Row<Partial<ProcessSample>>[] => {
    const { rssBytes = 0, peakRssBytes = 0 } = row.values;
    const missed = peakRssBytes > Math.max(most, rssBytes);
    const beforeMs = lastMs ?? row.atMs;
    most = Math.max(most, rssBytes, peakRssBytes);
    lastMs = row.atMs;
    return missed && beforeMs < row.atMs
      ? [{ atMs: Math.round((beforeMs + row.atMs) / 2), values: { rssBytes: peakRssBytes } }, row]
      : [row];
  });
}

type Member = readonly [pid: number, process: ProcessTimeline];

/** The processes in each cgroup or anywhere below it. */
function membersByCgroup({ processes }: Timeline): ReadonlyMap<string, readonly Member[]> {
  const members = new Map<string, Member[]>();
  for (const member of processes) {
    const { cgroup } = member[1].seen;
    if (cgroup !== undefined) for (const path of withAncestors(cgroup)) push(members, path, member);
  }
  return members;
}

/** A column that was left out at a moment had not changed since: its last value goes on. */
function series<Name extends string>(rows: readonly Row<object>[], names: readonly Name[]): Series {
  const columns: Record<string, (number | null)[]> = {};
  for (const name of names) {
    let last: number | null = null;
    const column = rows.map(({ values }) => {
      const value = (values as Record<string, unknown>)[name];
      if (typeof value === 'number') last = value;
      return last;
    });
    if (last !== null) columns[name] = column;
  }
  return { atMs: rows.map(({ atMs }) => atMs), columns };
}

/** What the kernel log, a counter and the exit status say of one kill comes within this time. */
const oneMomentMs = 1000;
const near = (a: { readonly atMs: Ms }, b: { readonly atMs: Ms }): boolean =>
  Math.abs(a.atMs - b.atMs) <= oneMomentMs;

function recordedEvents(
  start: IncidentStart,
  timeline: Timeline,
  events: readonly Numbered<EventLine>[],
  output: readonly Evidence[],
  snapshots: readonly RecordedSnapshot[],
): readonly RecordedEvent[] {
  const shown: RecordedEvent[] = [];
  const introduced = new Set<number>();
  const nameOf = (pid: number): string =>
    nameWithPid({ name: timeline.processes.get(pid)?.seen.name, pid });
  const kills = events.filter((event) => event.what === 'kill');
  const killedByLog = new Set(kills.map(({ pid }) => pid));
  const ended = around(
    events.filter((event) => event.what === 'process-gone' && event.signal === 'SIGKILL'),
    oneMomentMs,
  );
  const named = around(
    kills.filter(({ pid }) => pid !== undefined),
    oneMomentMs,
  );
  /** A counter that moved says nothing more where the log names who was killed. */
  const counters = kills.filter(
    (kill) => kill.pid === undefined && named.first(kill.atMs) === undefined,
  );
  const counterAround = around(counters, oneMomentMs);
  const telling = new Set<EventLine>(counters);
  for (const event of events) {
    const { atMs } = event;
    if (event.what === 'process' && !introduced.has(event.pid)) {
      introduced.add(event.pid);
      shown.push({
        atMs,
        what: 'start',
        pid: event.pid,
        text: `${nameWithPid(event)} started`,
      });
    } else if (event.what === 'process-gone') {
      const killed = event.signal === 'SIGKILL';
      if (killed && killedByLog.has(event.pid)) continue;
      const how =
        event.signal !== null
          ? `was ended by ${event.signal}`
          : event.exitCode !== null
            ? `exited with ${event.exitCode}`
            : 'ended';
      const counter = counterAround.first(atMs);
      const alone = ended.isOne(atMs);
      shown.push({
        atMs,
        what: killed ? 'kill' : 'end',
        pid: event.pid,
        text: `${nameOf(event.pid)} ${how}${killed && alone && counter !== undefined ? `: ${counter.text}` : ''}`,
      });
    } else if (event.what === 'kill') {
      if (event.pid === undefined) {
        // It stands with the one process that was ended then.
        if (ended.isOne(atMs) || !telling.has(event)) continue;
      }
      shown.push({
        atMs,
        what: 'kill',
        ...defined({ pid: event.pid }),
        text: event.text,
      });
    } else if (event.what === 'note') shown.push({ atMs, what: 'note', text: event.text });
  }
  for (const { atMs, pid, picture } of snapshots) {
    // Near the end they come in quick succession: the last of them tells what the others do.
    if (snapshots.some((later) => later.pid === pid && later.atMs > atMs && near(later, { atMs })))
      continue;
    const [holder] = [...(picture.holders ?? [])].sort((a, b) => b.retainedBytes - a.retainedBytes);
    shown.push({
      atMs,
      what: 'look',
      pid,
      text: `${nameOf(pid)}${holder === undefined ? '' : `: ${holder.name} held ${holder.estimate ? 'about ' : ''}${formatBytes(holder.retainedBytes)}`}`,
    });
  }
  for (const stall of timeline.stalls)
    shown.push({
      atMs: stall.begunMs,
      what: 'stall',
      ...(stall.pid === null ? {} : { pid: stall.pid }),
      text: `waiting for memory (${stall.how}${stall.swapBytes ? `, ${formatBytes(stall.swapBytes)} in swap` : ''})`,
    });
  for (const fact of output) {
    if (fact.kind !== 'program-error' || fact.origin.source !== 'python-hook') continue;
    const wall = fact.when?.wall === undefined ? Number.NaN : Date.parse(fact.when.wall);
    const atMs = wall - Date.parse(start.startedAt);
    if (!Number.isFinite(atMs)) continue;
    shown.push({
      atMs: Math.max(0, Math.round(atMs)),
      what: 'exception',
      ...defined({ pid: fact.pid }),
      text: fact.type,
      stack: fact.stack,
    });
  }
  return shown.toSorted((a, b) => a.atMs - b.atMs);
}

/** With the requests that were refused, as far as the evidence knows when: what the agent saw is read after the folder. */
export function withFailedAllocations(
  recording: Recording,
  evidence: readonly Evidence[],
): Recording {
  const failed: FailedTogether[] = [];
  /** The first of each refusal in each span of time: what follows within a moment is the same, so there is no second. */
  const firstOf = new Map<string, FailedTogether>();
  for (const fact of evidence) {
    if (fact.kind !== 'failed-allocation' || fact.when?.wall === undefined) continue;
    const atMs = Math.round(Date.parse(fact.when.wall) - Date.parse(recording.startedAt));
    if (!Number.isFinite(atMs) || atMs < 0) continue;
    const refusal = refusalKey(fact);
    const span = Math.floor(atMs / oneMomentMs);
    const known = [span - 1, span, span + 1]
      .flatMap((closeBy) => firstOf.get(`${closeBy} ${refusal}`) ?? [])
      .find((one) => near(one, { atMs }));
    if (known !== undefined) known.times += 1;
    else {
      const first = { atMs, fact, times: 1 };
      firstOf.set(`${span} ${refusal}`, first);
      failed.push(first);
    }
  }
  return failed.length === 0
    ? recording
    : {
        ...recording,
        events: [...recording.events, ...failed.map(refusalEvent)].toSorted(
          (a, b) => a.atMs - b.atMs,
        ),
      };
}

/** One request and the same ones right after it. */
interface FailedTogether {
  readonly atMs: Ms;
  readonly fact: FailedAllocation;
  times: number;
}

/** The same for refusals of one process and, as it is shown, of one size. */
const refusalKey = ({ pid, name, failure: { errno, bytes } }: FailedAllocation): string =>
  JSON.stringify([pid, name, errno, formatBytes(bytes)]);

function refusalEvent({ atMs, fact, times }: FailedTogether): RecordedEvent {
  const { pid, failure } = fact;
  const again = times === 1 ? '' : `, ${times} times`;
  return {
    atMs,
    what: 'failed-allocation',
    ...defined({ pid }),
    text: `${nameWithPid(fact)}: ${formatBytes(failure.bytes)} refused (${failure.errno})${again}`,
    stack: failure.stack,
  };
}
