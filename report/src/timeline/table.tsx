/** The curves in figures: at the chosen moment, and as a table. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { clock } from '../labels.ts';
import { DataTable } from '../parts.tsx';
import { readings, type Curve, type Strip } from './series.ts';

/** What the curves say at the chosen moment, for the eye and for those who hear it. */
export const AtMoment = ({
  strips,
  hidden,
  atMs,
}: {
  strips: readonly Strip[];
  hidden: ReadonlySet<string>;
  atMs: number;
}): JSX.Element => (
  <p class="at-moment" role="status">
    At {clock(atMs)}:{' '}
    {strips
      .flatMap(({ title, curves, format }, index) =>
        readings(
          curves.filter(({ label }) => !hidden.has(label)),
          atMs,
        )
          .slice(0, index === 0 ? 4 : 1)
          .map(
            ({ curve, value }) =>
              `${curve.label} ${format(value)}${index === 0 ? '' : ` (${title.toLowerCase()})`}`,
          ),
      )
      .join(', ') || 'nothing was read'}
  </p>
);

/** What the picture shows, for those who cannot see it: each curve's start, peak and end. */
export function FiguresTable({ strips }: { strips: readonly Strip[] }): JSX.Element | null {
  const [open, setOpen] = useState(false);
  if (strips.length === 0) return null;
  return (
    <details
      class={`table-behind ${open ? '' : 'not-on-paper'}`}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>Show as a table</summary>
      {open ? (
        <DataTable
          label="Figures of the timeline"
          headings={['Figure', 'Of', '#First', '#Highest', '#at', '#Last']}
        >
          {strips.flatMap(({ title, curves, format }) =>
            curves.map((curve) => (
              <Figures key={`${title} ${curve.label}`} {...{ title, curve, format }} />
            )),
          )}
        </DataTable>
      ) : null}
    </details>
  );
}

function Figures({
  title,
  curve: { label, atMs, values },
  format,
}: Pick<Strip, 'title' | 'format'> & { readonly curve: Curve }): JSX.Element {
  const known = [...values.keys()].filter((row) => !Number.isNaN(values[row]));
  const at = (row: number | undefined): number => values[row ?? 0] ?? 0;
  const peak = known.reduce((best, row) => (at(row) > at(best) ? row : best), known[0] ?? 0);
  return (
    <tr>
      <td>{title}</td>
      <td>{label}</td>
      <td class="number">{format(at(known[0]))}</td>
      <td class="number">{format(at(peak))}</td>
      <td class="number">{clock(atMs[peak] ?? 0)}</td>
      <td class="number">{format(at(known.at(-1)))}</td>
    </tr>
  );
}
