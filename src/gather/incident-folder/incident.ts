import { defined } from '../../model/defined.ts';
import type { Evidence } from '../../model/evidence.ts';
import { contained } from '../../model/faults.ts';
import type { EventLine, IncidentEnd, IncidentStart } from '../../model/incident-folder.ts';
import type { Recording } from '../../model/recording.ts';
import type { SourceReport } from '../../model/report.ts';
import { parsers } from '../../parsers/index.ts';
import {
  parseEnd,
  parseStart,
  readEvents,
  readHookErrors,
  readSamples,
  type Lost,
  type Numbered,
} from '../../store/recorded-lines.ts';
import { machineFreeze } from './machine-freeze.ts';
import type { Ms } from '../../model/units.ts';
import { snapshotEvidence, snapshotsIn } from './snapshots.ts';
import type { Parser } from '../../parsers/parser.ts';
import { emptyRecording, toRecording } from './series.ts';
import { oomDaemonEvidence, kernelEvidence } from './killers.ts';
import { sampledEvidence } from './samples.ts';
import { addMomentsOfFailure, loadTimeline } from './events.ts';
import { hookErrors, parseTextWith, textEvidence } from './output.ts';

/** An incident folder understood. */
export interface ParsedIncident {
  readonly start: IncidentStart;
  readonly end: IncidentEnd | null;
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
  readonly recording: Recording;
}

/**
 * Reads an incident folder (docs/incident-folder.md) from the texts of its files, by their path in it. What cannot be read is left out
 * and said in `sources`. `now`: ms since 1970, which tells a recording that still goes on. null: there is no `incident.json` of ours.
 */
export function parseIncident(
  texts: ReadonlyMap<string, string>,
  withParsers: readonly Parser[] = parsers,
  now: Ms = Date.now(),
): ParsedIncident | null {
  const begun = parseStart(texts.get('incident.json'));
  if (begun === null) return null;
  const { start } = begun;
  const ended = parseEnd(texts.get('end.json'));
  const end = ended?.end ?? null;
  const events = readEvents(texts.get('events.ndjson'));
  const samples = readSamples(texts.get('samples.ndjson'));
  const faults: SourceReport[] = [];
  const noteFault = (source: SourceReport) => faults.push(source);
  /** One witness with a fault of coroner's own leaves the others their say. */
  const part = <T>(id: string, place: string, work: () => T, otherwise: T): T =>
    contained(`${id} of the incident folder`, work, ({ says }) => {
      noteFault({ id, place, status: 'malformed', detail: `a fault of coroner itself: ${says}` });
      return otherwise;
    });
  const parseText = parseTextWith(withParsers, noteFault);
  const timeline = loadTimeline(start, events.lines, samples.lines);
  addMomentsOfFailure(texts, timeline);
  const output = [
    ...part('python-hook', 'python', () => hookErrors(texts, timeline, parseText), []),
    ...part('stderr', 'stderr.tail', () => textEvidence(texts, timeline, parseText), []),
  ];
  const kernel = part(
    'kernel-log',
    'kernel.log',
    () => kernelEvidence(start, texts, timeline, output, parseText),
    [],
  );
  const daemons = part(
    'guards',
    'guards.log',
    () => oomDaemonEvidence(start, texts, timeline, parseText),
    [],
  );
  const killed = new Set(
    kernel.flatMap((fact) => (fact.kind === 'kernel-oom-kill' ? [fact.victim.pid ?? 0] : [])),
  );
  const recorded = part(
    'recording',
    'events.ndjson',
    () => sampledEvidence(start, timeline, killed),
    [],
  );
  const freeze =
    end === null
      ? part(
          'recording',
          'samples.ndjson',
          () => machineFreeze(start, timeline, samples.lines, now),
          [],
        )
      : [];
  const { snapshots, unread } = snapshotsIn(texts);
  const snapshotFacts = snapshotEvidence(
    snapshots,
    (pid) => timeline.processes.get(pid)?.gone?.atMs ?? null,
  );
  const recording = part(
    'recording',
    'samples.ndjson',
    () => toRecording(start, end, timeline, events.lines, samples.lines, output, snapshots),
    emptyRecording(start, end),
  );
  return {
    start,
    end,
    evidence: [...kernel, ...daemons, ...output, ...recorded, ...freeze, ...snapshotFacts],
    sources: [
      ...sourcesOf(start, end, texts, events.lines),
      ...wholeFile('incident.json', begun.whole),
      ...wholeFile('end.json', !texts.has('end.json') || ended?.whole === true),
      ...lostLines('recording', 'events.ndjson', events.lost),
      ...lostLines('recording', 'samples.ndjson', samples.lost),
      ...lostHookLines(texts),
      ...unread,
      ...faults,
    ],
    recording,
  };
}

const wholeFile = (place: string, whole: boolean): readonly SourceReport[] =>
  whole
    ? []
    : [{ id: 'recording', place, status: 'malformed', detail: 'a part of it could not be read' }];

const lines = (count: number): string => (count === 1 ? '1 line' : `${count} lines`);

function lostLines(
  id: string,
  place: string,
  { whole, part, first, cutOff }: Lost,
): readonly SourceReport[] {
  if (first === null) return [];
  const says = [
    ...(whole > 0 ? [`${lines(whole)} could not be read`] : []),
    ...(part > 0 ? [`${lines(part)} could be read in part only`] : []),
  ].join(', ');
  const status = cutOff ? 'truncated' : 'malformed';
  return [{ id, place, status, detail: `${says}, first: ${place}:${first}` }];
}

const lostHookLines = (texts: ReadonlyMap<string, string>): readonly SourceReport[] =>
  [...texts]
    .filter(([name]) => /^python\/\d+\.ndjson$/.test(name))
    .flatMap(([name, text]) => lostLines('python-hook', name, readHookErrors(text).lost));

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
      const { id, place, status, detail, command } = event;
      sources.push({ id, place, status, ...defined({ detail, command }) });
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
  if (texts.has('stderr.tail') && !sources.some(({ id }) => id === 'stderr'))
    sources.push({ id: 'stderr', place: 'stderr.tail', status: 'read' });
  return sources;
}
