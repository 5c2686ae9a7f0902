/** The recording that renderers draw: series, limits and events. */
import type { Evidence } from '../../model/evidence.ts';
import type {
  CgroupSample,
  EventLine,
  IncidentEnd,
  IncidentStart,
  ProcessSample,
  SampleLine,
} from '../../model/incident-folder.ts';
import type {
  Look,
  RecordedCgroup,
  RecordedEvent,
  RecordedProcess,
  Recording,
  Series,
} from '../../model/recording.ts';
import type { Limit } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { firstSeenMs, type Numbered, type Told } from './told.ts';

const processColumns = [
  'rssBytes',
  'pssBytes',
  'anonBytes',
  'fileBytes',
  'shmemBytes',
  'swapBytes',
  'vmBytes',
  'majorFaults',
  'userMs',
  'systemMs',
  'threads',
  'maps',
] as const;
const cgroupColumns = [
  'currentBytes',
  'swapBytes',
  'anonBytes',
  'fileBytes',
  'shmemBytes',
  'limitHits',
  'oomKills',
  'psiFullMs',
  'psiSomeMs',
  'refaultsAnon',
  'refaultsFile',
] as const;
const hostColumns = [
  'availableBytes',
  'freeBytes',
  'swapFreeBytes',
  'committedBytes',
  'pswpin',
  'pswpout',
  'psiFullMs',
  'psiSomeMs',
  'oomKills',
] as const;

export function toRecording(
  start: IncidentStart,
  end: IncidentEnd | null,
  told: Told,
  events: readonly Numbered<EventLine>[],
  samples: readonly Numbered<SampleLine>[],
  words: readonly Evidence[],
  looks: readonly Look[],
): Recording {
  const ofProcess = new Map<number, { atMs: number; values: ProcessSample }[]>();
  const ofCgroup = new Map<number, { atMs: number; values: CgroupSample }[]>();
  for (const { atMs, processes = [], cgroups = [] } of samples) {
    for (const values of processes) push(ofProcess, values.pid, { atMs, values });
    for (const values of cgroups) push(ofCgroup, values.id, { atMs, values });
  }
  const processes = [...told.processes].map(([pid, { seen, gone, peaks }]): RecordedProcess => ({
    pid,
    parentPid: seen.parentPid,
    name: seen.name,
    command: seen.command,
    startedMs: firstSeenMs(events, pid),
    endedMs: gone?.atMs ?? null,
    exitCode: gone?.exitCode ?? null,
    signal: gone?.signal ?? null,
    ...(peaks.rss === undefined ? {} : { peakRssBytes: peaks.rss }),
    samples: series(ofProcess.get(pid) ?? [], processColumns),
  }));
  const cgroups = [...told.cgroups.values()].map(({ seen }): RecordedCgroup => ({
    version: seen.version,
    path: seen.path,
    level: seen.level,
    limitBytes: seen.limitBytes,
    ...(seen.highBytes === undefined ? {} : { highBytes: seen.highBytes }),
    samples: series(ofCgroup.get(seen.id) ?? [], cgroupColumns),
  }));
  const limits: Limit[] = cgroups
    .filter(({ limitBytes }) => limitBytes !== null)
    .map(({ path, limitBytes }) => ({ owner: 'cgroup' as const, path, bytes: limitBytes }));
  const command = told.commandPid === null ? undefined : told.processes.get(told.commandPid);
  limits.push(
    ...(command?.limits ?? []).filter(({ path }) => path === 'RLIMIT_AS' || path === 'RLIMIT_DATA'),
  );
  if (start.machine?.totalBytes !== undefined)
    limits.push({ owner: 'host', bytes: start.machine.totalBytes });
  return {
    format: 'coroner-recording/1',
    id: start.id,
    command: start.command,
    cwd: start.cwd,
    startedAt: start.startedAt,
    endedAt: end?.endedAt ?? null,
    durationMs: end?.durationMs ?? null,
    limits,
    processes,
    cgroups,
    host: series(
      samples.flatMap(({ atMs, host }) => (host === undefined ? [] : [{ atMs, values: host }])),
      hostColumns,
    ),
    events: recordedEvents(start, told, events, words),
    looks,
  };
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** A column that was left out at a moment had not changed since: its last value goes on. */
function series<Name extends string>(
  rows: readonly { readonly atMs: number; readonly values: object }[],
  names: readonly Name[],
): Series {
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

function recordedEvents(
  start: IncidentStart,
  told: Told,
  events: readonly Numbered<EventLine>[],
  words: readonly Evidence[],
): readonly RecordedEvent[] {
  const shown: RecordedEvent[] = [];
  const introduced = new Set<number>();
  for (const event of events) {
    const { atMs } = event;
    if (event.what === 'process' && !introduced.has(event.pid)) {
      introduced.add(event.pid);
      shown.push({ atMs, what: 'start', pid: event.pid, text: `${event.name} started` });
    } else if (event.what === 'process-gone') {
      const name = told.processes.get(event.pid)?.seen.name ?? 'process';
      const how =
        event.signal !== null
          ? `was ended by ${event.signal}`
          : event.exitCode !== null
            ? `exited with ${event.exitCode}`
            : 'ended';
      shown.push({
        atMs,
        what: event.signal === 'SIGKILL' ? 'kill' : 'end',
        pid: event.pid,
        text: `${name} ${how}`,
      });
    } else if (event.what === 'kill')
      shown.push({
        atMs,
        what: 'kill',
        ...(event.pid === undefined ? {} : { pid: event.pid }),
        text: event.text,
      });
    else if (event.what === 'note') shown.push({ atMs, what: 'note', text: event.text });
  }
  for (const stall of told.stalls)
    shown.push({
      atMs: stall.begunMs,
      what: 'stall',
      ...(stall.pid === null ? {} : { pid: stall.pid }),
      text: `waiting for memory (${stall.how}${stall.swapBytes ? `, ${formatBytes(stall.swapBytes)} in swap` : ''})`,
    });
  for (const fact of words) {
    if (fact.kind !== 'program-error' || fact.origin.source !== 'python-hook') continue;
    const wall = fact.when?.wall === undefined ? Number.NaN : Date.parse(fact.when.wall);
    const atMs = wall - Date.parse(start.startedAt);
    if (!Number.isFinite(atMs)) continue;
    shown.push({
      atMs: Math.max(0, Math.round(atMs)),
      what: 'exception',
      ...(fact.pid === undefined ? {} : { pid: fact.pid }),
      text: fact.type,
      stack: fact.stack,
    });
  }
  return shown.toSorted((a, b) => a.atMs - b.atMs);
}
