/** Of which types the memory was. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { MemoryPicture } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { count } from '../labels.ts';
import { DataTable, LinkButton } from '../parts.tsx';

const typesAtFirst = 15;

export function Types({ types }: { types: NonNullable<MemoryPicture['types']> }): JSX.Element {
  const [all, setAll] = useState(false);
  const shown = types.slice(0, all ? 200 : typesAtFirst);
  return (
    <details class="table-behind">
      <summary>{count(types.length, 'type')} that it was made of</summary>
      <DataTable label="Types" headings={['Type', '#Objects', '#Memory']}>
        {shown.map(({ type, count: objects, bytes }) => (
          <tr key={type}>
            <td>
              <code>{type}</code>
            </td>
            <td class="number">{objects.toLocaleString('en')}</td>
            <td class="number">{formatBytes(bytes)}</td>
          </tr>
        ))}
      </DataTable>
      {all || types.length <= typesAtFirst ? null : (
        <LinkButton onClick={() => setAll(true)}>
          {count(types.length - typesAtFirst, 'more type')}
        </LinkButton>
      )}
    </details>
  );
}
