/** Memory against its limit as a few rows of block characters. */
import { nameWithPid } from '../../model/name-with-pid.ts';
import type { Incident } from '../../model/report.ts';
import type { RecordedProcess, Recording, Series } from '../../model/recording.ts';

export interface Curve {
  readonly title: string;
  readonly limitBytes: number | null;
  /** What the limit counts otherwise than the curve does. */
  readonly limitNote?: string;
  /** What the kernel remembers, where that is more than the points; it may have risen higher after the last reading. */
  readonly peak?: { readonly bytes: number; readonly isLeast: boolean };
  readonly points: readonly { readonly atMs: number; readonly bytes: number }[];
  readonly endMs: number;
  /** When it was killed or failed, where that moment was noted. */
  readonly diedMs: number | null;
}

const pointsOf = (series: Series, column: string): Curve['points'] =>
  series.atMs.flatMap((atMs, index) => {
    const bytes = series.columns[column]?.[index];
    return bytes === undefined || bytes === null ? [] : [{ atMs, bytes }];
  });

/** The curve that tells most about this death: the limiting cgroup, else the victim under its rlimit, else the host. */
export function informativeCurve(incident: Incident, recording: Recording): Curve | undefined {
  const { limit, victim } = incident;
  const ends = [
    ...recording.processes.flatMap(({ samples }) => samples.atMs.slice(-1)),
    ...recording.cgroups.flatMap(({ samples }) => samples.atMs.slice(-1)),
    recording.durationMs ?? 0,
  ];
  const endMs = Math.max(1, ...ends);
  // A kill is the death; a refusal may have been survived, the exception that came of it less likely.
  const [diedMs = null] = (['kill', 'exception', 'failed-allocation'] as const).flatMap(
    (deadly) =>
      recording.events.findLast(
        ({ what, pid }) =>
          what === deadly && (pid === undefined || victim?.pid === undefined || pid === victim.pid),
      )?.atMs ?? [],
  );
  const cgroup =
    recording.cgroups.find(({ path }) => limit?.owner === 'cgroup' && path === limit.path) ??
    (limit === null || limit.owner === 'unknown'
      ? recording.cgroups.find(({ limitBytes }) => limitBytes !== null)
      : undefined);
  if (cgroup !== undefined) {
    const points = pointsOf(cgroup.samples, 'currentBytes');
    if (points.length > 1)
      return {
        title: `Memory of cgroup ${cgroup.path}`,
        limitBytes: limit?.bytes ?? cgroup.limitBytes,
        points: withDeath(points, incident, diedMs),
        endMs,
        diedMs,
      };
  }
  const process =
    recording.processes.find(({ pid }) => pid === victim?.pid) ??
    [...recording.processes].sort((a, b) => (b.peakRssBytes ?? 0) - (a.peakRssBytes ?? 0))[0];
  if (process === undefined) return undefined;
  const virtual =
    limit?.owner === 'rlimit' && (limit.path === 'RLIMIT_AS' || limit.path === undefined);
  const points = pointsOf(process.samples, virtual ? 'vmBytes' : 'rssBytes');
  // A level line tells nothing that its figure among the answers does not.
  return points.every(({ bytes }) => bytes === points[0]?.bytes)
    ? undefined
    : {
        title: `${virtual ? 'Address space' : 'Memory'} of ${nameWithPid(process)}`,
        limitBytes: limit?.owner === 'rlimit' || limit?.owner === 'budget' ? limit.bytes : null,
        ...(limit?.owner === 'budget' ? { limitNote: asBudget } : {}),
        ...(virtual ? {} : peakOf(process)),
        points,
        endMs,
        diedMs,
      };
}

/** A curve is one process, with the pages of its libraries: it may pass the line, or stay far below it. */
const asBudget = 'for all processes together, without pages of files';

const peakOf = ({ peakRssBytes, peakIsLeast = false }: RecordedProcess): Pick<Curve, 'peak'> =>
  peakRssBytes === undefined ? {} : { peak: { bytes: peakRssBytes, isLeast: peakIsLeast } };

/** The process that held most; nothing where it is level. */
export function curveOfRun({ processes, durationMs }: Recording): Curve | undefined {
  const [largest] = [...processes].sort((a, b) => (b.peakRssBytes ?? 0) - (a.peakRssBytes ?? 0));
  if (largest === undefined) return undefined;
  const points = pointsOf(largest.samples, 'rssBytes');
  return points.every(({ bytes }) => bytes === points[0]?.bytes)
    ? undefined
    : {
        title: `Memory of ${nameWithPid(largest)}`,
        limitBytes: null,
        ...peakOf(largest),
        points,
        endMs: Math.max(1, durationMs ?? 0, ...largest.samples.atMs.slice(-1)),
        diedMs: null,
      };
}

/** A cgroup's kill happens at its limit and nowhere else: one point that no sample was quick enough for. */
function withDeath(
  points: Curve['points'],
  { cause, limit }: Incident,
  diedMs: number | null,
): Curve['points'] {
  if (cause !== 'kernel-cgroup-oom' || diedMs === null || limit?.bytes == null) return points;
  const bytes = limit.bytes;
  return [...points, { atMs: diedMs, bytes }].sort((a, b) => a.atMs - b.atMs);
}

export interface ChartSize {
  readonly columns: number;
  readonly rows: number;
}
export interface ChartRow {
  readonly cells: readonly {
    readonly sign: string;
    readonly kind: 'memory' | 'limit' | 'end' | 'empty';
  }[];
}
export interface Chart {
  readonly topBytes: number;
  readonly rows: readonly ChartRow[];
}

const blocks = ' ▁▂▃▄▅▆▇█';

/** Bars from 0 to the limit (or a little over the peak); the last column with a value is marked as the end. */
export function drawChart(
  curve: Curve,
  { columns, rows }: ChartSize,
  { unicode, endMark }: { readonly unicode: boolean; readonly endMark: boolean },
): Chart {
  const peak = Math.max(1, ...curve.points.map(({ bytes }) => bytes));
  const limit = curve.limitBytes ?? 0;
  // A limit far above the peak would flatten the curve: then the peak is the scale.
  const limitShown = limit > 0 && limit <= peak * 20;
  const topBytes = limitShown ? Math.max(limit, peak) : peak;
  const heights: (number | null)[] = Array.from({ length: columns }, () => null);
  for (const { atMs, bytes } of curve.points) {
    const column = Math.min(columns - 1, Math.floor((atMs / curve.endMs) * columns));
    heights[column] = Math.max(heights[column] ?? 0, bytes / topBytes);
  }
  // Between two readings the last one holds.
  const lastSeen = heights.findLastIndex((height) => height !== null);
  for (let column = 1; column <= lastSeen; column += 1)
    heights[column] ??= heights[column - 1] ?? null;
  const endColumn = !endMark
    ? -1
    : curve.diedMs === null
      ? lastSeen
      : Math.min(columns - 1, Math.floor((curve.diedMs / curve.endMs) * columns));
  const drawn = Array.from({ length: rows }, (_, row): ChartRow => {
    const floor = (rows - 1 - row) / rows;
    return {
      cells: heights.map((height, column) => {
        const top = row === 0;
        if (top && column === endColumn) return { sign: unicode ? '✖' : 'X', kind: 'end' };
        const part = height === null ? 0 : Math.min(1, Math.max(0, (height - floor) * rows));
        // The lowest row shows that there is something; higher rows only what rounds to an eighth.
        const eighths = Math.max(part > 0 && row === rows - 1 ? 1 : 0, Math.round(part * 8));
        if (unicode ? eighths > 0 : part >= 0.25)
          return {
            sign: unicode ? blocks.charAt(eighths) : part >= 0.75 ? '#' : part >= 0.5 ? '+' : '.',
            kind: 'memory',
          };
        return top && limitShown && limit >= peak * 0.98
          ? { sign: unicode ? '┄' : '-', kind: 'limit' }
          : { sign: ' ', kind: 'empty' };
      }),
    };
  });
  return { topBytes, rows: drawn };
}
