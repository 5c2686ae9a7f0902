/** What was read, and what became of the rest. */
import type { JSX } from 'preact';
import type { SourceReport } from '../../../src/model/report.ts';
import { statusWords } from '../../../src/model/words.ts';
import { count } from '../labels.ts';
import { DataTable, Section } from '../parts.tsx';

export function Sources({ sources }: { sources: readonly SourceReport[] }): JSX.Element | null {
  if (sources.length === 0) return null;
  return (
    <Section id="sources" title="What was read" note={count(sources.length, 'source')}>
      <DataTable label="Sources" headings={['Source', 'Where', 'Result']} cards>
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
      </DataTable>
    </Section>
  );
}
