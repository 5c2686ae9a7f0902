/** What changed between two runs: the verdict, the figures, who held the memory and which lines allocated it. */
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
import { limitName, placeOf } from './labels.ts';
import { inWords, type Prose } from '../model/prose.ts';

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
  const [first, second] = [worstOf(before.report), worstOf(after.report)];
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

const worstOf = ({ incidents }: Report): Incident | undefined =>
  incidents.findLast(({ outOfMemory }) => outOfMemory === true) ?? incidents.at(-1);

function peakOf({ report, recording }: Run): number | null {
  const peaks = [
    ...(recording?.processes ?? []).map(({ peakRssBytes }) => peakRssBytes),
    ...report.incidents.map(({ memory }) => memory.peakRssBytes),
  ].filter((bytes) => bytes !== undefined);
  return peaks.length === 0 ? null : Math.max(...peaks);
}

/** The incident's picture, else the last look: a run that ended well has looks too. */
function pictureOf({ report, recording }: Run): Incident['memory'] {
  const own = worstOf(report)?.memory;
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
  const {
    before,
    after,
    limit,
    peakRssBytes,
    durationMs,
    holders,
    lines: allocating,
    types,
  } = safeCopy(comparison, !options.unicode);
  const width = Math.min(options.columns, 110) - 1;
  const ellipsis = options.unicode ? '…' : '...';
  const lines: Line[] = [];
  for (const [label, { name, headline }] of [
    ['before', before],
    ['after', after],
  ] as const)
    lines.push(
      ...hanging(
        [{ text: `  ${label.padEnd(7)}`, style: ['dim'] }],
        [
          { text: headline === null ? 'no death' : inWords(headline), style: ['bold'] },
          { text: ` ${name}`, style: ['dim'] },
        ],
        width,
      ),
    );
  lines.push([]);
  const row = ({ what, before: a, after: b }: Change, format: (value: number) => string): void => {
    const figures = `${(a === null ? 'not seen' : format(a)).padStart(11)} ${options.unicode ? '→' : '->'} ${(b === null ? 'not seen' : format(b)).padStart(11)}`;
    const room = Math.max(12, width - 2 - figures.length - 12);
    const name = clipped(what, room, ellipsis);
    lines.push([
      { text: `  ${name}${' '.repeat(Math.max(0, room - displayWidth(name)))}` },
      { text: figures },
      changeText(a, b),
    ]);
  };
  if (peakRssBytes.before !== null || peakRssBytes.after !== null) row(peakRssBytes, formatBytes);
  if (durationMs.before !== null || durationMs.after !== null) row(durationMs, formatDuration);
  if (limit.before !== limit.after)
    lines.push(
      ...hanging(
        [{ text: '  limit  ' }],
        [{ text: `${limit.before ?? 'none known'}, then ${limit.after ?? 'none known'}` }],
        width,
      ),
    );
  for (const [title, rows] of [
    ['Which variables held it', holders],
    ['Which lines allocated it, at the peak', allocating],
    ['Which types it was', types],
  ] as const) {
    if (rows.length === 0) continue;
    lines.push([], [{ text: `  ${title}`, style: ['bold'] }]);
    for (const change of rows.slice(0, 8)) row(change, formatBytes);
  }
  return inked(lines, options);
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
