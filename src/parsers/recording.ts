import type {
  CgroupSample,
  CgroupSeen,
  EventLine,
  IncidentEnd,
  IncidentStart,
  LastWordsLine,
  ProcessGone,
  ProcessSample,
  ProcessSeen,
  SampleLine,
  StallSeen,
} from '../model/incident-folder.ts';
import type {
  CgroupCounters,
  Evidence,
  HostCounters,
  KernelNotice,
  KillerRecord,
  ProcessExit,
  ProcessLimits,
  ProgramError,
  Stall,
  When,
} from '../model/evidence.ts';
import type {
  Look,
  RecordedCgroup,
  RecordedEvent,
  RecordedProcess,
  Recording,
  Series,
} from '../model/recording.ts';
import type { Limit, SourceReport } from '../model/report.ts';
import { formatBytes } from '../model/units.ts';
import { parsers } from './index.ts';
import { lookEvidence, looksIn } from './looks.ts';
import { linesOf, parseInput } from './parse.ts';
import type { Parser } from './parser.ts';

/** An incident folder understood. */
export interface ParsedIncident {
  readonly start: IncidentStart;
  readonly end: IncidentEnd | null;
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
  readonly recording: Recording;
}

/**
 * Reads an incident folder (docs/incident-folder.md) from the texts of its files, by their path in it. Lines cut off by the recorder's
 * death are left out. null: there is no `incident.json` of ours.
 */
export function parseIncident(
  texts: ReadonlyMap<string, string>,
  withParsers: readonly Parser[] = parsers,
): ParsedIncident | null {
  const start = parseJson<IncidentStart>(texts.get('incident.json'));
  if (start?.format !== 'coroner-incident/1' || !Array.isArray(start.command)) return null;
  const end = parseJson<IncidentEnd>(texts.get('end.json'));
  const events = parseLines<EventLine>(
    texts.get('events.ndjson'),
    (line) => typeof line.what === 'string',
  );
  const samples = parseLines<SampleLine>(
    texts.get('samples.ndjson'),
    (line) => typeof line.atMs === 'number',
  );
  const told = tell(start, events, samples);
  addMomentsOfFailure(texts, told);
  const words = [...lastWords(texts, told, withParsers), ...textEvidence(texts, told, withParsers)];
  const kernel = kernelEvidence(start, texts, told, words, withParsers);
  const killed = new Set(
    kernel.flatMap((fact) => (fact.kind === 'kernel-oom-kill' ? [fact.victim.pid ?? 0] : [])),
  );
  const recorded = recordedEvidence(start, told, events, killed);
  const looks = looksIn(texts);
  const looked = lookEvidence(looks, (pid) => told.processes.get(pid)?.gone?.atMs ?? null);
  return {
    start,
    end,
    evidence: [
      ...kernel,
      ...guardEvidence(start, texts, told, withParsers),
      ...words,
      ...recorded,
      ...looked,
    ],
    sources: sourcesOf(start, end, texts, events),
    recording: toRecording(start, end, told, events, samples, words, looks),
  };
}

/** A line with its number in its file. */
type Numbered<T> = T & { readonly lineNumber: number };

function parseJson<T>(text: string | undefined): T | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}

function parseLines<T>(
  text: string | undefined,
  accept: (line: T) => boolean,
): readonly Numbered<T>[] {
  if (text === undefined) return [];
  const lines: Numbered<T>[] = [];
  let lineNumber = 0;
  for (const line of text.split('\n')) {
    lineNumber += 1;
    if (line === '') continue;
    const value = parseJson<T>(line);
    if (value !== null && accept(value)) lines.push({ ...value, lineNumber });
  }
  return lines;
}

/** What the lines say of each process and cgroup, put together. */
interface Told {
  readonly processes: ReadonlyMap<number, ProcessTold>;
  readonly cgroups: ReadonlyMap<number, CgroupTold>;
  readonly commandPid: number | null;
  readonly host: {
    minAvailableBytes?: number;
    minSwapFreeBytes?: number;
    peakCommittedBytes?: number;
    oomKills?: number;
  };
  readonly stalls: readonly Numbered<StallSeen>[];
}
interface ProcessTold {
  seen: Numbered<ProcessSeen>;
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
interface CgroupTold {
  readonly seen: Numbered<CgroupSeen>;
  last: CgroupSample;
  peakBytes: number | undefined;
  underOom: boolean;
  gone: boolean;
}

const most = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.max(a, b);
const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);

function tell(
  start: IncidentStart,
  events: readonly Numbered<EventLine>[],
  samples: readonly Numbered<SampleLine>[],
): Told {
  const processes = new Map<number, ProcessTold>();
  const cgroups = new Map<number, CgroupTold>();
  const stalls = new Map<number, Numbered<StallSeen>>();
  let commandPid: number | null = null;
  for (const event of events) {
    if (event.what === 'process') {
      if (event.role === 'command') commandPid = event.pid;
      const known = processes.get(event.pid);
      if (known === undefined)
        processes.set(event.pid, {
          seen: event,
          // Its parent's, unless a line of its own says otherwise.
          limits: event.parentPid === null ? [] : (processes.get(event.parentPid)?.limits ?? []),
          gone: null,
          peaks: {},
          cpu: [],
        });
      else known.seen = event;
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
        underOom: false,
        gone: false,
      });
    } else if (event.what === 'cgroup-gone') {
      const known = cgroups.get(event.id);
      if (known !== undefined) known.gone = true;
    } else if (event.what === 'stall') stalls.set(event.begunMs, event);
  }
  const host: Told['host'] = {};
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
  return { processes, cgroups, commandPid, host, stalls: [...stalls.values()] };
}

/** What the hook read of a process at the moment of its MemoryError: no sample is as near. */
function addMomentsOfFailure(texts: ReadonlyMap<string, string>, told: Told): void {
  for (const [name, text] of texts) {
    const pid = Number(/^python\/(\d+)\.ndjson$/.exec(name)?.[1]);
    const peaks = told.processes.get(pid)?.peaks;
    if (peaks === undefined) continue;
    for (const line of wordsIn(text)) {
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

function whenOf(start: IncidentStart, atMs: number): When {
  const begun = Date.parse(start.startedAt);
  return {
    ...(Number.isFinite(begun) ? { wall: new Date(begun + atMs).toISOString() } : {}),
    ...(typeof start.startedUptimeSeconds === 'number'
      ? { uptimeSeconds: start.startedUptimeSeconds + atMs / 1000 }
      : {}),
    ...(start.bootId === null ? {} : { bootId: start.bootId }),
  };
}

function recordedEvidence(
  start: IncidentStart,
  told: Told,
  events: readonly Numbered<EventLine>[],
  killed: ReadonlySet<number>,
): readonly Evidence[] {
  const evidence: Evidence[] = [];
  const killing = [...told.cgroups.values()]
    .filter(({ last }) => (last.localOomKills ?? 0) > 0)
    .map(({ seen: { path } }) => path);
  for (const [pid, process] of told.processes) {
    const { seen, gone, limits, peaks } = process;
    // A status nobody saw is worth telling only where somebody else tells how it ended, or that something was killed there.
    const saw = gone !== null && (gone.signal !== null || gone.exitCode !== null);
    const among = seen.cgroup !== undefined && killing.includes(seen.cgroup);
    if (gone !== null && (saw || among || killed.has(pid))) {
      const parent = seen.parentPid === null ? undefined : told.processes.get(seen.parentPid);
      const { wall: namedAt } = whenOf(start, seen.atMs);
      const exit: ProcessExit = {
        kind: 'process-exit',
        origin: {
          source: gone.seenAs === 'wait' ? 'wait-status' : 'proc',
          place: `events.ndjson:${gone.lineNumber}`,
          line: gone.lineNumber,
          ...(saw
            ? {
                quote:
                  gone.signal === null ? `exit status ${gone.exitCode}` : `signal ${gone.signal}`,
              }
            : {}),
        },
        when: whenOf(start, gone.atMs),
        pid,
        name: seen.name,
        ...(namedAt === undefined ? {} : { namedAt }),
        ...(seen.command === null ? {} : { command: seen.command }),
        role: seen.role,
        exitCode: gone.exitCode,
        signal: gone.signal,
        ...(peaks.rss === undefined ? {} : { peakRssBytes: peaks.rss }),
        uptimeMs: gone.atMs - firstSeenMs(events, pid),
        ...(seen.otherPids === undefined ? {} : { otherPids: seen.otherPids }),
        ...(seen.cgroup === undefined ? {} : { cgroup: seen.cgroup }),
        ...(gone.parentState === undefined
          ? {}
          : { parentAfterwards: hung(parent, gone) ? 'hangs' : gone.parentState }),
        ...(parent === undefined
          ? {}
          : { parent: { pid: parent.seen.pid, name: parent.seen.name } }),
        ...(told.commandPid === null ? {} : { leaderPid: told.commandPid }),
      };
      evidence.push(exit);
    }
    if (limits.length > 0 || Object.keys(peaks).length > 0) {
      const fact: ProcessLimits = {
        kind: 'process-limits',
        origin: {
          source: 'proc',
          place: `events.ndjson:${seen.lineNumber}`,
          line: seen.lineNumber,
        },
        pid,
        name: seen.name,
        limits,
        ...(peaks.vm === undefined ? {} : { peakVmBytes: peaks.vm }),
        ...(peaks.data === undefined ? {} : { peakDataBytes: peaks.data }),
        ...(peaks.rss === undefined ? {} : { peakRssBytes: peaks.rss }),
        ...(peaks.swap === undefined ? {} : { peakSwapBytes: peaks.swap }),
        ...(start.machine?.maxMapCount === undefined
          ? {}
          : { maxMapCount: start.machine.maxMapCount }),
        ...(peaks.maps === undefined ? {} : { peakMapCount: peaks.maps }),
        ...(peaks.threads === undefined ? {} : { threads: peaks.threads }),
      };
      evidence.push(fact);
    }
  }
  for (const { seen, last, peakBytes, underOom, gone } of told.cgroups.values()) {
    const counters: Partial<CgroupCounters> = Object.fromEntries(
      Object.entries({
        peakBytes,
        oomKills: last.oomKills,
        localOomKills: last.localOomKills,
        localOoms: last.localOoms ?? last.ooms,
        groupKills: last.groupKills,
        limitHits: last.limitHits,
        highHits: last.highHits,
        killDisabled: seen.killDisabled,
      }).filter(([, value]) => value !== undefined),
    );
    evidence.push({
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
      ...(seen.highBytes === undefined ? {} : { highBytes: seen.highBytes }),
      ...counters,
      ...(underOom ? { underOom } : {}),
      ...(gone ? { vanished: true } : {}),
    });
  }
  const { machine = {} } = start;
  const host: HostCounters = {
    kind: 'host-counters',
    origin: { source: 'proc', place: '/proc/vmstat, /proc/meminfo' },
    ...told.host,
    ...(machine.totalBytes === undefined ? {} : { totalBytes: machine.totalBytes }),
    ...(machine.swapTotalBytes === undefined ? {} : { swapTotalBytes: machine.swapTotalBytes }),
    ...(machine.overcommitMode === undefined ? {} : { overcommitMode: machine.overcommitMode }),
    ...(machine.commitLimitBytes === undefined
      ? {}
      : { commitLimitBytes: machine.commitLimitBytes }),
  };
  evidence.push(host);
  for (const stall of told.stalls) evidence.push(stallEvidence(start, stall));
  return evidence;
}

/** The parent lived on for a second and more after its child's death, and hardly computed (S9). */
function hung(parent: ProcessTold | undefined, childGone: ProcessGone): boolean {
  if (parent === undefined || childGone.parentState !== 'alive') return false;
  const after = parent.cpu.filter(({ atMs }) => atMs >= childGone.atMs);
  const [first, last] = [after[0], after.at(-1)];
  if (first === undefined || last === undefined) return false;
  const livedMs = (parent.gone?.atMs ?? last.atMs) - childGone.atMs;
  return livedMs >= 1000 && last.cpuMs - first.cpuMs < 0.05 * livedMs;
}

const firstSeenMs = (events: readonly EventLine[], pid: number) =>
  events.find((event) => event.what === 'process' && event.pid === pid)?.atMs ?? 0;

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
    ...(facts.name === undefined ? {} : { name: facts.name }),
    ...(facts.cgroup === undefined ? {} : { cgroup: facts.cgroup }),
    how: facts.how,
    durationMs: atMs - begunMs,
    ...(facts.slowdown === undefined ? {} : { slowdown: facts.slowdown }),
    ...(facts.psiFull === undefined ? {} : { psiFull: facts.psiFull }),
    ...(facts.majorFaultsPerSecond === undefined
      ? {}
      : { majorFaultsPerSecond: facts.majorFaultsPerSecond }),
    ...(facts.refaultsPerSecond === undefined
      ? {}
      : { refaultsPerSecond: facts.refaultsPerSecond }),
    ...(facts.swapBytes === undefined ? {} : { swapBytes: facts.swapBytes }),
    stillGoingOn: facts.stillGoingOn,
    ...(facts.limit === undefined ? {} : { limit: facts.limit }),
  };
}

/**
 * What the Python hook wrote. It is structured, but what its words mean (a size, whose memory) the parsers of tracebacks know:
 * they are given the traceback that Python would have printed.
 */
function lastWords(
  texts: ReadonlyMap<string, string>,
  told: Told,
  withParsers: readonly Parser[],
): readonly ProgramError[] {
  const errors: ProgramError[] = [];
  for (const [name, text] of texts) {
    const pid = Number(/^python\/(\d+)\.ndjson$/.exec(name)?.[1]);
    if (!Number.isInteger(pid)) continue;
    for (const line of wordsIn(text)) {
      const stack = Array.isArray(line.stack) ? line.stack : [];
      const said = line.message ? `${line.type}: ${line.message}` : line.type;
      const printed = [
        'Traceback (most recent call last):',
        ...stack
          .toReversed()
          .map(({ file, line, function: name }) => `  File "${file}", line ${line}, in ${name}`),
        said,
      ].join('\n');
      const read = parseText(name, printed, withParsers)
        .filter((fact) => fact.kind === 'program-error')
        .at(-1);
      errors.push({
        ...(read ?? {
          kind: 'program-error',
          language: 'python',
          type: line.type,
          message: line.message ?? '',
          resource: line.memory === 1 ? 'memory' : 'none',
        }),
        // Raised out of a MemoryError, or a class of its own: the hook has seen the objects, the parser only the name.
        ...(line.memory === 1 && (read === undefined || read.resource === 'none')
          ? { resource: 'memory' as const }
          : {}),
        origin: {
          source: 'python-hook',
          place: `${name}:${line.lineNumber}`,
          line: line.lineNumber,
          quote: said,
        },
        ...(line.time === undefined
          ? {}
          : { when: { wall: new Date(line.time * 1000).toISOString() } }),
        stack,
        fate: line.fate,
        ...(line.thread === undefined ? {} : { threadName: line.thread }),
        pid,
        name: told.processes.get(pid)?.seen.name ?? 'python',
      });
    }
  }
  return errors;
}

const wordsIn = (text: string) =>
  parseLines<LastWordsLine>(
    text,
    (line) => line.what === 'exception' && typeof line.type === 'string',
  );

const parseText = (
  name: string,
  text: string,
  withParsers: readonly Parser[],
): readonly Evidence[] => parseInput({ name, lines: linesOf(text) }, withParsers);

/** The command's own words: the tail of its stderr, and the dump that faulthandler wrote beside it. */
function textEvidence(
  texts: ReadonlyMap<string, string>,
  told: Told,
  withParsers: readonly Parser[],
): readonly Evidence[] {
  const evidence: Evidence[] = [];
  for (const [name, text] of texts) {
    if (name === 'stderr.tail') {
      for (const fact of parseText(name, text, withParsers)) {
        if (isKernelFact(fact)) continue;
        // A tail has no pid: what it says is the command's where there was one process only.
        evidence.push(
          told.processes.size === 1 && told.commandPid !== null
            ? withPid(fact, told.commandPid, told)
            : fact,
        );
      }
    }
    const fault = /^python\/(\d+)\.fault$/.exec(name);
    if (fault !== null && text.trim() !== '')
      for (const fact of parseText(name, text, withParsers))
        evidence.push(withPid(fact, Number(fault[1]), told));
  }
  return evidence;
}

const isKernelFact = (fact: Evidence) => fact.kind.startsWith('kernel-');

function withPid(fact: Evidence, pid: number, told: Told): Evidence {
  if ('pid' in fact && fact.pid !== undefined) return fact;
  if (
    fact.kind === 'program-error' ||
    fact.kind === 'program-abort' ||
    (fact.kind === 'death-notice' && fact.by === 'faulthandler')
  )
    return { ...fact, pid, name: fact.name ?? told.processes.get(pid)?.seen.name ?? 'python' };
  return fact;
}

/** Kernel lines that speak of the run: of its processes, or of its cgroups where pids cannot be compared. */
function kernelEvidence(
  start: IncidentStart,
  texts: ReadonlyMap<string, string>,
  told: Told,
  words: readonly Evidence[],
  withParsers: readonly Parser[],
): readonly Evidence[] {
  const text = texts.get('kernel.log');
  if (text === undefined) return [];
  // A shell of the run names its dead child: `line 5: 29042 Killed`.
  const named = new Set(
    words.flatMap((fact) =>
      fact.kind === 'death-notice' && fact.pid !== undefined ? [fact.pid] : [],
    ),
  );
  const leaves = new Set<string>();
  for (const { seen } of told.processes.values())
    if (seen.cgroup !== undefined && seen.cgroup !== '/') leaves.add(seen.cgroup);
  const names = new Set([...told.processes.values()].map(({ seen }) => seen.name));
  const ours = (pid: number | undefined, name: string | undefined, memcg: string | undefined) => {
    if (
      pid !== undefined &&
      (told.processes.has(pid) || named.has(pid)) &&
      start.initialPidNamespace !== false
    )
      return true;
    const inOurs =
      memcg !== undefined && [...leaves].some((leaf) => memcg === leaf || memcg.endsWith(leaf));
    // In the initial namespace a pid that was never seen is a stranger, or a child that lived too short to be seen.
    if (!inOurs) return false;
    return start.initialPidNamespace === false
      ? name === undefined || names.has(name)
      : pid === undefined || pid > start.recorderPid;
  };
  const begun = start.startedUptimeSeconds;
  const unknown: KernelNotice[] = [];
  const known = parseText('kernel.log', text, withParsers).filter((fact) => {
    const uptime = fact.when?.uptimeSeconds;
    if (uptime !== undefined && typeof begun === 'number' && uptime < begun - 2) return false;
    switch (fact.kind) {
      case 'kernel-oom-kill':
        if (ours(fact.victim.pid, fact.victim.name, fact.taskMemcg)) return true;
        unknown.push({
          kind: 'kernel-notice',
          origin: fact.origin,
          ...(fact.when === undefined ? {} : { when: fact.when }),
          what: 'kill-of-unknown',
          ...(fact.victim.pid === undefined ? {} : { pid: fact.victim.pid }),
          ...(fact.victim.name === undefined ? {} : { name: fact.victim.name }),
          text: fact.taskMemcg ?? '',
        });
        return false;
      case 'kernel-oom-without-kill':
        return ours(fact.report?.trigger?.pid, fact.report?.trigger?.name, fact.oomMemcg);
      case 'kernel-segfault':
      case 'kernel-refusal':
        return start.initialPidNamespace === false
          ? names.has(fact.name)
          : told.processes.has(fact.pid);
      case 'kernel-notice':
        return fact.pid !== undefined && told.processes.has(fact.pid);
      default:
        return false;
    }
  });
  // The kernel log has no dates; the recorder knows when its clock said what.
  return [...known, ...unknown].map((fact) => {
    const uptime = fact.when?.uptimeSeconds;
    return uptime === undefined || fact.when?.wall !== undefined || typeof begun !== 'number'
      ? fact
      : { ...fact, when: whenOf(start, (uptime - begun) * 1000) };
  });
}

/** What memory guards say of processes of this run, and of cgroups in which some of them died. */
function guardEvidence(
  start: IncidentStart,
  texts: ReadonlyMap<string, string>,
  told: Told,
  withParsers: readonly Parser[],
): readonly KillerRecord[] {
  const text = texts.get('guards.log');
  if (text === undefined || start.initialPidNamespace === false) return [];
  const killed = [...told.processes.values()]
    .filter(({ gone }) => gone?.signal === 'SIGKILL' || gone?.signal === 'SIGTERM')
    .toSorted((a, b) => (b.peaks.rss ?? 0) - (a.peaks.rss ?? 0));
  return parseText('guards.log', text, withParsers).flatMap((fact): KillerRecord[] => {
    if (fact.kind !== 'killer-record') return [];
    const { victim, subject } = fact;
    if (victim?.pid !== undefined)
      return killed.some(({ seen }) => seen.pid === victim.pid)
        ? [{ ...fact, ...deathOf(start, told, victim.pid) }]
        : [];
    // A whole cgroup: of ours in it the one whose death the run is about, else the largest.
    const within = killed.filter(
      ({ seen: { cgroup } }) =>
        subject !== undefined &&
        subject !== '/' &&
        (cgroup === subject || cgroup?.startsWith(`${subject}/`)),
    );
    const one = within.find(({ seen }) => seen.pid === told.commandPid) ?? within[0];
    if (one === undefined) return [];
    const { pid, name, cgroup } = one.seen;
    const named = { pid, name, ...(cgroup === undefined ? {} : { cgroup }) };
    return [{ ...fact, ...deathOf(start, told, pid), victim: { ...victim, ...named } }];
  });
}

/** The journal's times have neither year nor zone; the recorder's own clock saw the death. */
function deathOf(start: IncidentStart, told: Told, pid: number): Pick<KillerRecord, 'when'> {
  const gone = told.processes.get(pid)?.gone;
  return gone == null ? {} : { when: whenOf(start, gone.atMs) };
}

function sourcesOf(
  start: IncidentStart,
  end: IncidentEnd | null,
  texts: ReadonlyMap<string, string>,
  events: readonly Numbered<EventLine>[],
): readonly SourceReport[] {
  const sources: SourceReport[] = [
    {
      id: 'recording',
      place: start.id,
      status: end === null ? 'truncated' : 'read',
      ...(end === null
        ? { detail: 'the recorder was ended before the command, or still runs' }
        : {}),
    },
  ];
  for (const event of events) {
    if (event.what === 'source') {
      const { atMs: _ignored, what: __, lineNumber: ___, ...source } = event;
      sources.push(source);
    }
    if (event.what === 'cgroup' && event.unreadable !== undefined)
      sources.push({
        id: 'cgroup',
        place: event.folder,
        status: 'denied',
        detail: event.unreadable.join(', '),
      });
  }
  const cgroups = events.filter((event) => event.what === 'cgroup');
  if (cgroups.some((event) => event.unreadable === undefined))
    sources.push({ id: 'cgroup', place: cgroups[0]?.folder ?? '', status: 'read' });
  else if (cgroups.length === 0)
    sources.push({ id: 'cgroup', place: '/sys/fs/cgroup', status: 'absent' });
  if (!sources.some(({ id }) => id === 'kernel-log') && texts.has('kernel.log'))
    sources.push({ id: 'kernel-log', place: 'kernel.log', status: 'truncated' });
  if (texts.has('stderr.tail'))
    sources.push({ id: 'stderr', place: 'stderr.tail', status: 'read' });
  return sources;
}

// What renderers draw.

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

function toRecording(
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
