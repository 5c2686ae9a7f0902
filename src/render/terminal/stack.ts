import type { Recording } from '../../model/recording.ts';
import type { Incident } from '../../model/report.ts';
import { stackTitle } from '../../model/incident.ts';
import { placeOf } from '../../model/stack.ts';
import { belowDirectory } from '../names.ts';
import { hanging, squeezed } from './layout.ts';
import type { Page } from './page.ts';

/** Where it died, and where its other threads were, with links to the files. */
export function stack(page: Page, incident: Incident, recording: Recording | undefined): void {
  if (incident.stack.length > 0) {
    page.title(`${stackTitle(incident)}, innermost first`);
    frames(page, incident.stack, recording, 40);
  }
  const told = JSON.stringify(incident.stack);
  for (const thread of incident.memory.threads ?? []) {
    // The stack of the death is mostly that of one of the threads, seen once more.
    if (JSON.stringify(thread.stack) === told) continue;
    const within =
      thread.subinterpreter === undefined ? '' : ` of sub-interpreter ${thread.subinterpreter}`;
    page.title(
      `Thread ${thread.name ?? thread.id}${within}${thread.holdsGil ? ' (running Python)' : ''}${thread.collectingGarbage === true ? ' (collecting garbage)' : ''}`,
    );
    frames(page, thread.stack, recording, 12);
  }
}

function frames(
  page: Page,
  all: Incident['stack'],
  recording: Recording | undefined,
  most: number,
): void {
  for (const frame of all.slice(0, most)) {
    const link = frame.file === null ? undefined : absolute(frame.file, recording);
    const place = placeOf(frame);
    page.add(
      ...hanging(
        [{ text: '    ' }],
        [
          { text: frame.function },
          ...(place === ''
            ? []
            : [
                { text: ' ' },
                {
                  text: belowDirectory(place, recording?.cwd),
                  style: ['cyan'] as const,
                  ...(link === undefined ? {} : { link: `file://${link}` }),
                },
              ]),
        ],
        page.width,
      ),
    );
    if (frame.text !== undefined && frame.text.trim() !== '')
      page.add([
        { text: '      ' },
        { text: squeezed(frame.text.trim(), page.width - 6, page.signs.ellipsis), style: ['dim'] },
      ]);
  }
  if (all.length > most)
    page.text(
      [{ text: `${page.signs.ellipsis} ${all.length - most} more frames`, style: ['dim'] }],
      4,
    );
}

const absolute = (file: string, recording: Recording | undefined): string | undefined =>
  file.startsWith('/')
    ? file
    : recording === undefined || file.startsWith('<')
      ? undefined
      : `${recording.cwd.replace(/\/$/, '')}/${file}`;
