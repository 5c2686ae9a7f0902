/** What to do, and what remains unknown. */
import type { JSX } from 'preact';
import { unknownTitle } from '../../../src/model/incident.ts';
import type { Incident, Remedy, Unknown } from '../../../src/model/report.ts';
import { capital } from '../../../src/model/words.ts';
import { Command, Section, Whole } from '../parts.tsx';
import { isBlank, inWords } from '../../../src/model/prose.ts';

export function Remedies({ incident }: { incident: Incident }): JSX.Element | null {
  const { remedies, unknown } = incident;
  if (remedies.length + unknown.length === 0) return null;
  if (remedies.length === 0)
    return (
      <Section id="remedies" title={unknownTitle(unknown)}>
        <Unknowns unknown={unknown} />
      </Section>
    );
  return (
    <Section id="remedies" title="What to do">
      <ol class="remedies">
        {remedies.map((remedy, index) => (
          <RemedyItem key={index} remedy={remedy} />
        ))}
      </ol>
      {unknown.length === 0 ? null : (
        <>
          <h3>{unknownTitle(unknown)}</h3>
          <Unknowns unknown={unknown} />
        </>
      )}
    </Section>
  );
}

const RemedyItem = ({ remedy: { title, detail, command } }: { remedy: Remedy }): JSX.Element => (
  <li>
    <strong>{title}</strong>
    {isBlank(detail) ? null : (
      <p>
        <Whole text={inWords(detail)} />
      </p>
    )}
    {command === null ? null : <Command text={command} />}
  </li>
);

const Unknowns = ({ unknown }: { unknown: readonly Unknown[] }): JSX.Element => (
  <ul class="unknowns">
    {unknown.map(({ what, why, command }, index) => (
      <li key={index}>
        <strong>{capital(inWords(what))}</strong>
        <p>{why}</p>
        {command === null ? null : <Command text={command} />}
      </li>
    ))}
  </ul>
);
