/** The others that died with it, and our page on its cause. */
import type { JSX } from 'preact';
import type { PageData } from '../../../src/model/page.ts';
import type { Incident } from '../../../src/model/report.ts';
import { count } from '../labels.ts';
import { Markdown } from '../markdown.tsx';
import { Section } from '../parts.tsx';

export function Related({ incident }: { incident: Incident }): JSX.Element | null {
  const { related = [] } = incident;
  if (related.length === 0) return null;
  return (
    <Section
      id="related"
      title="Other processes involved"
      note={count(related.length, 'process', 'processes')}
    >
      <ul class="ruled-out">
        {related.slice(0, 200).map(({ pid, name, how }, index) => (
          <li key={index}>
            <code>
              {name ?? 'process'} ({pid})
            </code>{' '}
            {how}
          </li>
        ))}
      </ul>
    </Section>
  );
}

export function About({
  incident,
  documents,
}: {
  incident: Incident;
  documents: PageData['documents'];
}): JSX.Element | null {
  const text = documents[incident.cause];
  if (text === undefined) return null;
  return (
    <Section id="about" title="About this cause" note={incident.cause}>
      <details class="table-behind">
        <summary>{/^# (.*)$/m.exec(text)?.[1] ?? incident.cause}</summary>
        <Markdown text={text} />
      </details>
    </Section>
  );
}
