/** What was read, and what could not be. */
import type { SourceReport } from '../../model/report.ts';
import { statusWords } from '../../model/words.ts';
import type { Page } from './page.ts';

export function sourcesRead(page: Page, sources: readonly SourceReport[]): void {
  if (sources.length === 0) return;
  page.title('What was read');
  for (const { id, place, status, detail, command } of sources) {
    page.item(
      {
        text: status === 'read' ? page.signs.proves : page.signs.unknown,
        style: [status === 'read' ? 'green' : 'yellow'],
      },
      [
        { text: id },
        {
          text: ` ${place}${status === 'read' ? '' : `: ${statusWords[status]}`}${detail === undefined ? '' : ` (${detail})`}`,
          style: ['dim'],
        },
      ],
    );
    if (command !== undefined) page.command(command, 4);
  }
}

export function nothingFound(page: Page, sources: readonly SourceReport[]): void {
  const missing = sources.filter(({ status }) => status !== 'read');
  page.text([{ text: 'No death was found in what could be read.', style: ['bold'] }], 0);
  if (page.options.quiet) return;
  if (page.options.verbose) sourcesRead(page, sources);
  else if (missing.length > 0) {
    page.title('What could not be read');
    for (const { id, place, status, detail, command } of missing.slice(0, 6)) {
      page.item({ text: page.signs.unknown, style: ['yellow'] }, [
        { text: `${id} ` },
        { text: `${place}: ${detail ?? statusWords[status]}`, style: ['dim'] },
      ]);
      if (command !== undefined) page.command(command, 4);
    }
  }
}
