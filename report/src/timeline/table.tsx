/** The curves in figures: at the chosen moment, and as a table. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { clock } from '../labels.ts';
import { readings, type Strip } from './series.ts';

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
      <summary>The same as a table</summary>
      {open ? (
        <div class="scroll" tabIndex={0} role="group" aria-label="Figures of the timeline">
          <table>
            <thead>
              <tr>
                <th scope="col">Figure</th>
                <th scope="col">Of</th>
                <th scope="col" class="number">
                  First
                </th>
                <th scope="col" class="number">
                  Highest
                </th>
                <th scope="col" class="number">
                  at
                </th>
                <th scope="col" class="number">
                  Last
                </th>
              </tr>
            </thead>
            <tbody>
              {strips.flatMap(({ title, curves, format }) =>
                curves.map(({ label, atMs, values }) => {
                  const known = [...values.keys()].filter((row) => !Number.isNaN(values[row]));
                  const peak = known.reduce(
                    (best, row) => ((values[row] ?? 0) > (values[best] ?? 0) ? row : best),
                    known[0] ?? 0,
                  );
                  return (
                    <tr key={`${title} ${label}`}>
                      <td>{title}</td>
                      <td>{label}</td>
                      <td class="number">{format(values[known[0] ?? 0] ?? 0)}</td>
                      <td class="number">{format(values[peak] ?? 0)}</td>
                      <td class="number">{clock(atMs[peak] ?? 0)}</td>
                      <td class="number">{format(values[known.at(-1) ?? 0] ?? 0)}</td>
                    </tr>
                  );
                }),
              )}
            </tbody>
          </table>
        </div>
      ) : null}
    </details>
  );
}
