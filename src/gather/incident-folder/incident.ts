import type { Evidence } from '../../model/evidence.ts';
import type {
  EventLine,
  IncidentEnd,
  IncidentStart,
  SampleLine,
} from '../../model/incident-folder.ts';
import type { Recording } from '../../model/recording.ts';
import type { SourceReport } from '../../model/report.ts';
import { parsers } from '../../parsers/index.ts';
import { snapshotEvidence, snapshotsIn } from './snapshots.ts';
import type { Parser } from '../../parsers/parser.ts';
import { toRecording } from './series.ts';
import { oomDaemonEvidence, kernelEvidence } from './killers.ts';
import { sampledEvidence } from './samples.ts';
import {
  addMomentsOfFailure,
  parseJson,
  parseLines,
  loadTimeline,
  type Numbered,
} from './events.ts';
import { hookErrors, textEvidence } from './output.ts';

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
  const timeline = loadTimeline(start, events, samples);
  addMomentsOfFailure(texts, timeline);
  const output = [
    ...hookErrors(texts, timeline, withParsers),
    ...textEvidence(texts, timeline, withParsers),
  ];
  const kernel = kernelEvidence(start, texts, timeline, output, withParsers);
  const killed = new Set(
    kernel.flatMap((fact) => (fact.kind === 'kernel-oom-kill' ? [fact.victim.pid ?? 0] : [])),
  );
  const recorded = sampledEvidence(start, timeline, killed);
  const snapshots = snapshotsIn(texts);
  const snapshotFacts = snapshotEvidence(
    snapshots,
    (pid) => timeline.processes.get(pid)?.gone?.atMs ?? null,
  );
  return {
    start,
    end,
    evidence: [
      ...kernel,
      ...oomDaemonEvidence(start, texts, timeline, withParsers),
      ...output,
      ...recorded,
      ...snapshotFacts,
    ],
    sources: sourcesOf(start, end, texts, events),
    recording: toRecording(start, end, timeline, events, samples, output, snapshots),
  };
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
