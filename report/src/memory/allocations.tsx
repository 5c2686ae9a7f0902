/** Which lines had allocated the memory: as a flame graph and as a list. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { isSum, momentWords, tellingMoment } from '../../../src/model/memory-picture.ts';
import type { Allocation, MemoryPicture } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { percent } from '../../../src/model/words.ts';
import { Flame } from '../flame/index.tsx';
import { shortPlace } from '../labels.ts';
import { Bar, Choice, Section } from '../parts.tsx';

export function Allocations({
  memory,
  nearest,
}: {
  memory: MemoryPicture;
  /** Which of the two moments that are kept a chosen one is nearer to. */
  nearest: 'peak' | 'death' | null;
}): JSX.Element | null {
  const all = memory.allocations ?? [];
  const moments = (['peak', 'refusal', 'death'] as const).filter((moment) =>
    all.some(({ when }) => when === moment),
  );
  const [asked, setAsked] = useState<Allocation['when']>(tellingMoment(memory) ?? 'peak');
  useEffect(() => setAsked(nearest ?? tellingMoment(memory) ?? 'peak'), [nearest, memory]);
  const when = moments.includes(asked) ? asked : (moments[0] ?? 'peak');
  const chosen = all
    .filter((allocation) => allocation.when === when)
    .sort((a, b) => b.bytes - a.bytes);
  // The interpreter's own start alone is nobody's line.
  if (chosen.every(isSum)) return null;
  const live = `what was live at ${momentWords[when]}`;
  return (
    <Section
      id="allocations"
      title="Which lines allocated it"
      note={nearest === null ? live : `${live}: the recorded moment nearer to the chosen one`}
    >
      {moments.length > 1 ? (
        <Choice
          label="Moment"
          options={moments.map((moment) => [moment, `At ${momentWords[moment]}`] as const)}
          value={when}
          onChange={setAsked}
        />
      ) : null}
      <Flame allocations={chosen} />
      <ol class="weights">
        {chosen.slice(0, 12).map((allocation, index) => (
          <Line key={index} allocation={allocation} />
        ))}
      </ol>
    </Section>
  );
}

function Line({ allocation }: { allocation: Allocation }): JSX.Element {
  const { bytes, share, plusMinus, text, function: name } = allocation;
  const place = shortPlace(allocation);
  return (
    <li>
      <span class="number">{formatBytes(bytes)}</span>
      <Bar share={share} />
      <span class="number quiet">
        {percent(share)}
        {plusMinus > 0.005 && share >= 0.01 ? ` ±${percent(plusMinus)}` : ''}
      </span>
      <span class="what">
        <code>{place || (name ?? 'unknown place')}</code>
        {name === null || place === '' ? null : <span class="quiet"> in {name}</span>}
        {text === undefined ? null : <code class="line">{text.trim()}</code>}
      </span>
    </li>
  );
}
