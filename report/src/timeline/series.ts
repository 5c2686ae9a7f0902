/** What was recorded, as the curves that are drawn. */
import type { PackedRecording } from '../../../src/model/page.ts';
import type { Incident } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';
import type { Columns, Unpacked } from '../unpack.ts';
import { firstAt } from './decimate.ts';

export interface Curve {
  readonly label: string;
  readonly kind: 'cgroup' | 'process' | 'host';
  readonly atMs: Float64Array;
  readonly values: Float64Array;
}
export interface Strip {
  readonly id: string;
  readonly title: string;
  readonly format: (value: number) => string;
  readonly curves: readonly Curve[];
  readonly height: number;
  /** The end of the scale, where it is a given one. */
  readonly top?: number;
  /** Below this there is nothing to see: it is told in words. */
  readonly least?: number;
}

const greatestOf = new WeakMap<Float64Array, number>();

/** Asked by scale, legend, colours and more: looked for once, which for ten hours of fifty processes takes longer than drawing them. */
export function greatest(values: Float64Array): number {
  let most = greatestOf.get(values);
  if (most !== undefined) return most;
  most = -Infinity;
  for (let row = 0; row < values.length; row += 1) {
    const value = values[row] ?? Number.NaN;
    if (value > most) most = value;
  }
  greatestOf.set(values, most);
  return most;
}

/** Each of them as a curve, where it has anything to show. */
interface Kind {
  readonly all: readonly Columns[];
  readonly kind: Curve['kind'];
  readonly label: (index: number) => string;
}
type Change = (atMs: Float64Array, values: Float64Array) => Float64Array;

function curvesOf({ all, kind, label }: Kind, column: string, change?: Change): readonly Curve[] {
  return all.flatMap(({ atMs, columns }, index) => {
    const read = columns[column];
    if (!useful(read)) return [];
    const values = change === undefined ? read : change(atMs, read);
    return useful(values) ? [{ label: label(index), kind, atMs, values }] : [];
  });
}

const useful = (values: Float64Array | undefined): values is Float64Array =>
  values !== undefined && greatest(values) > 0;

const perSecond: Change = (atMs, totals) => rate(atMs, totals);
/** Milliseconds of each second, as a percentage. */
const shareOfTime: Change = (atMs, totals) => rate(atMs, totals, 0.1);

/** A running total as what happened each second. */
function rate(atMs: Float64Array, totals: Float64Array, factor = 1): Float64Array {
  const rates = new Float64Array(totals.length).fill(Number.NaN);
  for (let row = 1; row < totals.length; row += 1) {
    const ms = (atMs[row] ?? 0) - (atMs[row - 1] ?? 0);
    const step = (totals[row] ?? Number.NaN) - (totals[row - 1] ?? Number.NaN);
    // A counter that fell was set back: nothing is known of that stretch.
    if (ms > 0 && step >= 0) rates[row] = (step / ms) * 1000 * factor;
  }
  return rates;
}

const wholeNumber = (value: number): string => Math.round(value).toLocaleString('en');
const wholePercent = (value: number): string => `${Math.round(value)} %`;

/** The strips from top to bottom; those without any curve are left out. */
export function stripsOf(
  recording: PackedRecording,
  unpacked: Unpacked,
  incident: Incident | undefined,
): readonly Strip[] {
  const kinds = kindsOf(recording, unpacked);
  return [
    memoryStrip(kinds),
    ...(incident?.limit?.owner === 'rlimit' || incident?.limit?.owner === 'address-space'
      ? [addressStrip(kinds)]
      : []),
    swapStrip(kinds),
    faultStrip(kinds),
    pressureStrip(kinds),
  ].filter(({ curves }) => curves.length > 0);
}

interface Kinds {
  readonly processes: Kind;
  readonly cgroups: Kind;
  /** Those with a limit. */
  readonly limited: Kind;
  readonly host: Kind;
}

function kindsOf(recording: PackedRecording, { processes, cgroups, host }: Unpacked): Kinds {
  const limited = recording.cgroups.flatMap(({ limitBytes }, index) =>
    limitBytes === null ? [] : [index],
  );
  const cgroupName = (index: number): string => `cgroup ${recording.cgroups[index]?.path ?? ''}`;
  return {
    processes: {
      all: processes,
      kind: 'process',
      label: (index) => {
        const { name = '?', pid = 0 } = recording.processes[index] ?? {};
        return `${name} (${pid})`;
      },
    },
    cgroups: { all: cgroups, kind: 'cgroup', label: cgroupName },
    limited: {
      all: limited.flatMap((index) => cgroups[index] ?? []),
      kind: 'cgroup',
      label: (position) => cgroupName(limited[position] ?? 0),
    },
    host: { all: [host], kind: 'host', label: () => 'whole machine' },
  };
}

const memoryStrip = ({ limited, processes }: Kinds): Strip => ({
  id: 'memory',
  title: 'Resident memory',
  format: formatBytes,
  height: 260,
  curves: [...curvesOf(limited, 'currentBytes'), ...curvesOf(processes, 'rssBytes')],
});

const addressStrip = ({ processes }: Kinds): Strip => ({
  id: 'address-space',
  title: 'Address space',
  format: formatBytes,
  height: 150,
  curves: curvesOf(processes, 'vmBytes'),
});

/** The cgroups' figures only where no process has its own. */
function swapStrip({ limited, processes }: Kinds): Strip {
  const ofProcesses = curvesOf(processes, 'swapBytes');
  return {
    id: 'swap',
    title: 'In swap',
    format: formatBytes,
    height: 90,
    curves: ofProcesses.length > 0 ? ofProcesses : curvesOf(limited, 'swapBytes'),
  };
}

const faultStrip = ({ processes }: Kinds): Strip => ({
  id: 'faults',
  title: 'Major faults per second',
  format: wholeNumber,
  height: 90,
  least: 10,
  curves: curvesOf(processes, 'majorFaults', perSecond),
});

const pressureStrip = ({ cgroups, host }: Kinds): Strip => ({
  id: 'pressure',
  title: 'Time lost waiting for memory',
  format: wholePercent,
  top: 108,
  least: 2,
  height: 90,
  curves: [
    ...curvesOf(cgroups, 'psiFullMs', shareOfTime),
    ...curvesOf(host, 'psiFullMs', shareOfTime),
  ],
});

/** Whether a strip has nothing worth drawing. */
export const isQuiet = ({ least = 0, curves }: Strip): boolean =>
  curves.every(({ values }) => greatest(values) < least);

/** What each curve says at a moment, the greatest first; nothing of a process that had not begun or had ended. */
export function readings(
  curves: readonly Curve[],
  atMs: number,
): readonly { readonly curve: Curve; readonly value: number }[] {
  return curves
    .map((curve) => {
      const after = firstAt(curve.atMs, atMs);
      const before = Math.max(0, after - 1);
      const nearer =
        atMs - (curve.atMs[before] ?? 0) <= (curve.atMs[after] ?? Infinity) - atMs ? before : after;
      const known = after < curve.atMs.length && (after > 0 || (curve.atMs[0] ?? Infinity) <= atMs);
      return { curve, value: known ? (curve.values[nearer] ?? Number.NaN) : Number.NaN };
    })
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => b.value - a.value);
}
