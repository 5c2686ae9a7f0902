/** The list of incidents, where there is more than one. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { whenText } from '../../../src/model/incident.ts';
import type { Incident } from '../../../src/model/report.ts';
import { count } from '../labels.ts';
import { LinkButton, toneOf } from '../parts.tsx';

/** So many of a storm's incidents are listed at first; on a phone, where each takes two lines, fewer. */
const severalFrom = matchMedia('(max-width: 40rem)').matches ? 3 : 6;

export function Incidents({
  incidents,
  chosen,
  onChoose,
}: {
  incidents: readonly Incident[];
  chosen: number;
  onChoose: (index: number) => void;
}): JSX.Element {
  const [all, setAll] = useState(false);
  const from = all
    ? 0
    : Math.max(0, Math.min(chosen - severalFrom + 1, incidents.length - severalFrom));
  const shown = all ? incidents : incidents.slice(from, from + severalFrom);
  const deaths = incidents.filter(({ outOfMemory }) => outOfMemory === true).length;
  return (
    <nav class="incidents" aria-label="Incidents">
      <p class="note">
        {count(incidents.length, 'incident')}, {deaths} out of memory
      </p>
      <ol class={all ? 'long' : ''}>
        {shown.map((incident, offset) => (
          <li key={from + offset}>
            <button
              type="button"
              aria-current={from + offset === chosen ? 'true' : undefined}
              onClick={() => onChoose(from + offset)}
            >
              <i class={`dot ${toneOf(incident)}`} aria-hidden="true" />
              <span class="quiet time">{whenText(incident)}</span>
              <span class="what">{incident.headline}</span>
            </button>
          </li>
        ))}
      </ol>
      {shown.length < incidents.length ? (
        <LinkButton onClick={() => setAll(true)}>
          and {incidents.length - shown.length} more
        </LinkButton>
      ) : null}
    </nav>
  );
}
