/** What was read, and what became of the rest. */
import type { JSX } from 'preact';
import type { SourceReport } from '../../../src/model/report.ts';
import { statusWords } from '../../../src/model/words.ts';
import { count } from '../labels.ts';
import { Section } from '../parts.tsx';

export function Sources({ sources }: { sources: readonly SourceReport[] }): JSX.Element | null {
  if (sources.length === 0) return null;
  return (
    <Section id="sources" title="What was read" note={count(sources.length, 'source')}>
      <div class="scroll" tabIndex={0} role="group" aria-label="Sources">
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">Source</th>
              <th scope="col">Where</th>
              <th scope="col">What became of it</th>
            </tr>
          </thead>
          <tbody>
            {sources.map(({ id, place, status, detail, command }, index) => (
              <tr key={index}>
                <td>{id}</td>
                <td>
                  <code>{place}</code>
                </td>
                <td>
                  <span class={`tag ${status === 'read' ? 'good' : 'warn'}`}>
                    {statusWords[status]}
                  </span>{' '}
                  {detail ?? ''}
                  {command === undefined ? null : <code class="line">{command}</code>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}
