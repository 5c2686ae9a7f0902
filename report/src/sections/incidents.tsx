/** The list of incidents, where there is more than one. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { whenText } from '../../../src/model/incident.ts';
import type { Incident } from '../../../src/model/report.ts';
import { count } from '../labels.ts';
import { LinkButton, toneOf } from '../parts.tsx';

/** So many of a storm's incidents are listed at first; on a phone, where each takes two lines, fewer. */
const isPhone = matchMedia('(max-width: 40rem)').matches;
const severalFrom = isPhone ? 3 : 6;

/** What the filter looks in. */
const textOf = ({ headline, cause, victim }: Incident): string =>
  `${headline} ${cause} ${victim?.name ?? ''} ${victim?.pid ?? ''}`.toLowerCase();

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
  const [sought, setSought] = useState('');
  const words = sought.trim().toLowerCase();
  const from = all
    ? 0
    : Math.max(0, Math.min(chosen - severalFrom + 1, incidents.length - severalFrom));
  const rows = incidents.map((incident, index) => ({ incident, index }));
  const shown =
    words !== ''
      ? rows.filter(({ incident }) => textOf(incident).includes(words))
      : all
        ? rows
        : rows.slice(from, from + severalFrom);
  const deaths = incidents.filter(({ outOfMemory }) => outOfMemory === true).length;
  return (
    <nav class="incidents" aria-label="Incidents">
      <p class="note">
        {count(incidents.length, 'incident')}, {deaths} out of memory; number {chosen + 1} is told
        below
      </p>
      {incidents.length <= severalFrom || (isPhone && !all) ? null : (
        <input
          type="search"
          class="filter"
          placeholder="Filter: a word of the headline, a cause, a name"
          aria-label="Filter the incidents"
          value={sought}
          onInput={(event) => setSought(event.currentTarget.value)}
        />
      )}
      <ol class={all ? 'long' : ''}>
        {shown.map(({ incident, index }) => (
          <li key={index}>
            <button
              type="button"
              aria-current={index === chosen ? 'true' : undefined}
              onClick={() => onChoose(index)}
            >
              <i class={`dot ${toneOf(incident)}`} aria-hidden="true" />
              <span class="quiet time">{whenText(incident)}</span>
              <span class="what">{incident.headline}</span>
            </button>
          </li>
        ))}
      </ol>
      {words === '' && shown.length < incidents.length ? (
        <LinkButton onClick={() => setAll(true)}>
          and {incidents.length - shown.length} more
        </LinkButton>
      ) : null}
    </nav>
  );
}
