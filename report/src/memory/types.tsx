/** Of which types the memory was. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { MemoryPicture } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { count } from '../labels.ts';

const typesAtFirst = 15;

export function Types({ types }: { types: NonNullable<MemoryPicture['types']> }): JSX.Element {
  const [all, setAll] = useState(false);
  const shown = types.slice(0, all ? 200 : typesAtFirst);
  return (
    <details class="table-behind">
      <summary>{count(types.length, 'type')} that it was made of</summary>
      <div class="scroll" tabIndex={0} role="group" aria-label="Types">
        <table>
          <thead>
            <tr>
              <th scope="col">Type</th>
              <th scope="col" class="number">
                Objects
              </th>
              <th scope="col" class="number">
                Memory
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ type, count: objects, bytes }) => (
              <tr key={type}>
                <td>
                  <code>{type}</code>
                </td>
                <td class="number">{objects.toLocaleString('en')}</td>
                <td class="number">{formatBytes(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {all || types.length <= typesAtFirst ? null : (
        <button type="button" class="link" onClick={() => setAll(true)}>
          {count(types.length - typesAtFirst, 'more type')}
        </button>
      )}
    </details>
  );
}
