/** How the resident memory adds up, as one bar. */
import type { JSX } from 'preact';
import { coarseParts, unexplainedPart, type Part } from '../../../src/model/memory-picture.ts';
import type { Accounted } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { percent } from '../../../src/model/words.ts';
import { Bar } from '../parts.tsx';

export function AddsUp({ accounted }: { accounted: Accounted }): JSX.Element {
  const { rssBytes, unexplainedBytes, parts: finer = [] } = accounted;
  const [python, native] = coarseParts(accounted);
  const rest = unexplainedPart(accounted);
  const parts: readonly (readonly [tone: string, part: Part, drawn: number])[] = [
    ['series-1', python, python.bytes],
    ['series-2', native, native.bytes],
    ['series-quiet', rest, Math.max(0, unexplainedBytes)],
  ];
  const drawn = Math.max(1, rssBytes, python.bytes + native.bytes);
  let at = 0;
  return (
    <figure class="adds-up">
      <figcaption>How {formatBytes(rssBytes)} of resident memory adds up</figcaption>
      <svg viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">
        {parts.map(([tone, { what }, bytes]) => {
          const width = (bytes / drawn) * 1000;
          at += width;
          return <rect key={what} class={tone} x={at - width} width={width} height="14" />;
        })}
      </svg>
      <p class="legend">
        {parts.map(([tone, { what, bytes }]) => (
          <span key={what}>
            <i class={`swatch ${tone}`} aria-hidden="true" />
            {what} <span class="quiet">{formatBytes(bytes)}</span>
          </span>
        ))}
      </p>
      {finer.length === 0 ? null : (
        <details class="table-behind">
          <summary>In detail</summary>
          <ul class="weights">
            {finer.map(({ what, bytes }) => (
              <li key={what}>
                <span class="number">{formatBytes(bytes)}</span>
                <Bar share={bytes / Math.max(1, rssBytes)} />
                <span class="number quiet">{percent(bytes / Math.max(1, rssBytes))}</span>
                <span class="what">{what}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </figure>
  );
}
