/** What changed between two runs: the verdict, the figures, who held the memory and which lines allocated it. */
import { mainIncident } from '../model/incident.ts';
import type { Recording } from '../model/recording.ts';
import type { Incident, Report } from '../model/report.ts';
import { formatBytes, formatDuration } from '../model/units.ts';
import { safeCopy } from './safe-text.ts';
import {
  clipped,
  displayWidth,
  hanging,
  inked,
  type Ink,
  type Line,
  type Span,
} from './terminal/layout.ts';
import { inWords, type Prose } from '../model/prose.ts';
import { placeOf } from '../model/stack.ts';
import { limitName } from './names.ts';

export interface Run {
  readonly name: string;
  readonly report: Report;
  readonly recording: Recording | undefined;
}

/** A figure of both runs. null: not known in that run. */
export interface Change {
  readonly what: string;
  readonly before: number | null;
  readonly after: number | null;
}

export interface Comparison {
  readonly before: { readonly name: string; readonly headline: Prose | null };
  readonly after: { readonly name: string; readonly headline: Prose | null };
  readonly limit: { readonly before: string | null; readonly after: string | null };
  readonly peakRssBytes: Change;
  readonly durationMs: Change;
  /** Greatest change first. */
  readonly holders: readonly Change[];
  readonly lines: readonly Change[];
  readonly types: readonly Change[];
}

export function compareRuns(before: Run, after: Run): Comparison {
  const [first, second] = [
    mainIncident(before.report.incidents),
    mainIncident(after.report.incidents),
  ];
  return {
    before: { name: before.name, headline: first?.headline ?? null },
    after: { name: after.name, headline: second?.headline ?? null },
    limit: {
      before: first?.limit == null ? null : limitName(first.limit),
      after: second?.limit == null ? null : limitName(second.limit),
    },
    peakRssBytes: { what: 'peak', before: peakOf(before), after: peakOf(after) },
    durationMs: {
      what: 'time',
      before: before.recording?.durationMs ?? null,
      after: after.recording?.durationMs ?? null,
    },
    holders: changes(holdersOf(before), holdersOf(after)),
    lines: changes(linesOf(first), linesOf(second)),
    types: changes(typesOf(before), typesOf(after)),
  };
}

function peakOf({ report, recording }: Run): number | null {
  const peaks = [
    ...(recording?.processes ?? []).map(({ peakRssBytes }) => peakRssBytes),
    ...report.incidents.map(({ memory }) => memory.peakRssBytes),
  ].filter((bytes) => bytes !== undefined);
  return peaks.length === 0 ? null : Math.max(...peaks);
}

/** The incident's picture, else the last look: a run that ended well has looks too. */
function pictureOf({ report, recording }: Run): Incident['memory'] {
  const own = mainIncident(report.incidents)?.memory;
  return own?.holders === undefined && own?.types === undefined
    ? (recording?.looks.at(-1)?.picture ?? own ?? {})
    : own;
}

const holdersOf = (run: Run): ReadonlyMap<string, number> =>
  summed(
    (pictureOf(run).holders ?? []).map(({ name, function: where, retainedBytes }) => [
      where === null ? name : `${name} in ${where}`,
      retainedBytes,
    ]),
  );
const typesOf = (run: Run): ReadonlyMap<string, number> =>
  summed((pictureOf(run).types ?? []).map(({ type, bytes }) => [type, bytes]));
const linesOf = (incident: Incident | undefined): ReadonlyMap<string, number> =>
  summed(
    (incident?.memory.allocations ?? [])
      .filter(({ when }) => when === 'peak')
      .map((allocation) => [
        placeOf(allocation) || (allocation.function ?? 'unknown place'),
        allocation.bytes,
      ]),
  );

function summed(pairs: readonly (readonly [string, number])[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const [name, bytes] of pairs) sums.set(name, (sums.get(name) ?? 0) + bytes);
  return sums;
}

/** What is in neither picture is not known, not 0: a look lists only the largest. */
function changes(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): readonly Change[] {
  if (before.size === 0 || after.size === 0) return [];
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((what) => ({ what, before: before.get(what) ?? null, after: after.get(what) ?? null }))
    .sort(
      (a, b) =>
        Math.abs((b.after ?? 0) - (b.before ?? 0)) - Math.abs((a.after ?? 0) - (a.before ?? 0)),
    );
}

export interface ComparisonOptions extends Ink {
  readonly columns: number;
}

export function renderComparison(comparison: Comparison, options: ComparisonOptions): string {
  const safe = safeCopy(comparison, !options.unicode);
  const { limit, peakRssBytes, durationMs } = safe;
  const width = Math.min(options.columns, 110) - 1;
  const figures = (change: Change, format: (value: number) => string): readonly Line[] =>
    change.before === null && change.after === null
      ? []
      : [row(change, format, width, options.unicode)];
  const tables = [
    ['Which variables held it', safe.holders],
    ['Which lines allocated what was live at the peak', safe.lines],
    ['Which types it was made of', safe.types],
  ] as const;
  const lines: Line[] = [
    ...headline('before', safe.before, width),
    ...headline('after', safe.after, width),
    [],
    ...figures(peakRssBytes, formatBytes),
    ...figures(durationMs, formatDuration),
    ...(limit.before === limit.after
      ? []
      : hanging(
          [{ text: '  limit  ' }],
          [{ text: `${limit.before ?? 'none known'}, then ${limit.after ?? 'none known'}` }],
          width,
        )),
    ...tables
      .filter(([, changed]) => changed.length > 0)
      .flatMap(([title, changed]): readonly Line[] => [
        [],
        [{ text: `  ${title}`, style: ['bold'] }],
        ...changed.slice(0, 8).flatMap((change) => figures(change, formatBytes)),
      ]),
  ];
  return inked(lines, options);
}

const headline = (label: string, run: Comparison['before'], width: number): readonly Line[] =>
  hanging(
    [{ text: `  ${label.padEnd(7)}`, style: ['dim'] }],
    [
      { text: run.headline === null ? 'no death' : inWords(run.headline), style: ['bold'] },
      { text: ` ${run.name}`, style: ['dim'] },
    ],
    width,
  );

function row(
  { what, before, after }: Change,
  format: (value: number) => string,
  width: number,
  unicode: boolean,
): Line {
  const figure = (value: number | null): string =>
    (value === null ? 'not seen' : format(value)).padStart(11);
  const figures = `${figure(before)} ${unicode ? '→' : '->'} ${figure(after)}`;
  const room = Math.max(12, width - 2 - figures.length - 12);
  const name = clipped(what, room, unicode ? '…' : '...');
  return [
    { text: `  ${name}${' '.repeat(Math.max(0, room - displayWidth(name)))}` },
    { text: figures },
    changeText(before, after),
  ];
}

function changeText(before: number | null, after: number | null): Span {
  if (before === null || after === null || before === 0) return { text: '' };
  const ratio = after / before;
  if (Math.abs(ratio - 1) < 0.005) return { text: '       same', style: ['dim'] };
  const text =
    ratio >= 10
      ? `${Math.round(ratio)} times`
      : `${ratio > 1 ? '+' : '-'}${Math.round(Math.abs(ratio - 1) * 100)} %`;
  return { text: text.padStart(11), style: [ratio > 1 ? 'red' : 'green'] };
}
