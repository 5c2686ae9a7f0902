/** What could be held more cheaply, each with our page on how. */
import type { JSX } from 'preact';
import type { PageData } from '../../../src/model/page.ts';
import type { Smell } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { Markdown } from '../markdown.tsx';

export function Smells({
  smells,
  documents,
}: {
  smells: readonly Smell[];
  documents: PageData['documents'];
}): JSX.Element {
  return (
    <div class="smells">
      <h3>What could be held more cheaply</h3>
      <ul>
        {smells.map(({ id, says, savesBytes }, index) => (
          <li key={index}>
            <strong>saves {formatBytes(savesBytes)}</strong> {says}
            {documents[id] === undefined ? null : (
              <details>
                <summary>How</summary>
                <Markdown text={documents[id]} />
              </details>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
