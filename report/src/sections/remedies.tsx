/** What to do, and what could not be told. */
import type { JSX } from 'preact';
import type { Incident, Remedy, Unknown } from '../../../src/model/report.ts';
import { capital } from '../../../src/model/words.ts';
import { Command, Section, Whole } from '../parts.tsx';

export function Remedies({ incident }: { incident: Incident }): JSX.Element | null {
  const { remedies, unknown } = incident;
  if (remedies.length + unknown.length === 0) return null;
  const isTellable = unknown.some(({ command }) => command !== null);
  if (remedies.length === 0)
    return (
      <Section
        id="remedies"
        title="What could not be told"
        {...(isTellable ? { note: 'and how to find out' } : {})}
      >
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
          <h3>What could not be told{isTellable ? ', and how to find out' : ''}</h3>
          <Unknowns unknown={unknown} />
        </>
      )}
    </Section>
  );
}

const RemedyItem = ({ remedy: { title, detail, command } }: { remedy: Remedy }): JSX.Element => (
  <li>
    <strong>{title}</strong>
    {detail === '' ? null : (
      <p>
        <Whole text={detail} />
      </p>
    )}
    {command === null ? null : <Command text={command} />}
  </li>
);

const Unknowns = ({ unknown }: { unknown: readonly Unknown[] }): JSX.Element => (
  <ul class="unknowns">
    {unknown.map(({ what, why, command }, index) => (
      <li key={index}>
        <strong>{capital(what)}</strong>
        <p>{why}</p>
        {command === null ? null : <Command text={command} />}
      </li>
    ))}
  </ul>
);
