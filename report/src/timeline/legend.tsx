/** Which curves are shown, in which colour, with a button for each. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { formatBytes } from '../../../src/model/units.ts';
import { LinkButton } from '../parts.tsx';
import { greatest, type Curve, type Strip } from './series.ts';

/** Curves shown at first: the largest. The others can be switched on. */
const shownAtFirst = 8;

/** What is in one of both, but not in both. (Set.prototype.symmetricDifference is too new.) */
export function difference(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  const result = new Set(a);
  for (const label of b) if (!result.delete(label)) result.add(label);
  return result;
}

/** All processes but the largest. */
export function hiddenAtFirst(strips: readonly Strip[]): Set<string> {
  const processes = (strips[0]?.curves ?? [])
    .filter(({ kind }) => kind === 'process')
    .map(({ label, values }) => ({ label, most: greatest(values) }))
    .sort((a, b) => b.most - a.most);
  return new Set(processes.slice(shownAtFirst).map(({ label }) => label));
}

/** The same curve has the same colour in every strip. What is shown at first takes the first colours: eight tell apart, no more. */
export function colorsOf(
  strips: readonly Strip[],
  hidden: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const all = strips.flatMap(({ curves }) => curves.map(({ label }) => label));
  const labels = new Set([
    ...all.filter((label) => !hidden.has(label)),
    ...all.filter((label) => hidden.has(label)),
  ]);
  return new Map([...labels].map((label, index) => [label, `series-${(index % 8) + 1}`]));
}

export function Legend({
  curves,
  hidden,
  palette,
  onToggle,
}: {
  curves: readonly Curve[];
  hidden: ReadonlySet<string>;
  palette: ReadonlyMap<string, string>;
  onToggle: (label: string) => void;
}): JSX.Element {
  const [all, setAll] = useState(false);
  const sorted = useMemo(
    () =>
      curves
        .map((curve) => ({ ...curve, most: greatest(curve.values) }))
        .sort(
          (a, b) => Number(b.kind === 'cgroup') - Number(a.kind === 'cgroup') || b.most - a.most,
        ),
    [curves],
  );
  // Short helpers of a few KiB would crowd out what matters.
  const least = Math.max(...sorted.map(({ most }) => most)) * 0.03;
  const shown = all
    ? sorted
    : sorted.filter(({ most }, index) => index < shownAtFirst + 2 && (index < 2 || most >= least));
  return (
    <div class="legend" role="group" aria-label="Curves">
      {shown.map(({ label, most }) => (
        <button
          type="button"
          key={label}
          aria-pressed={!hidden.has(label)}
          onClick={() => onToggle(label)}
        >
          <i class={`swatch ${palette.get(label)}`} aria-hidden="true" />
          <span class="name">{label}</span> <span class="quiet">{formatBytes(most)}</span>
        </button>
      ))}
      {sorted.length > shown.length || all ? (
        <LinkButton onClick={() => setAll(!all)}>
          {all ? 'fewer' : `${sorted.length - shown.length} more`}
        </LinkButton>
      ) : null}
    </div>
  );
}
