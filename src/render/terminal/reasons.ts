/** Why it is believed, what it was not, what is not known, what to do. */
import { evidenceTitle, unknownTitle } from '../../model/incident.ts';
import type { Incident, Reason, Remedy, Unknown } from '../../model/report.ts';
import { capital } from '../../model/words.ts';
import { shortened } from '../safe-text.ts';
import { clipped, hanging, squeezed, type Span } from './layout.ts';
import type { Page } from './page.ts';
import { isBlank, inWords } from '../../model/prose.ts';

export function evidence(
  page: Page,
  incident: Pick<Incident, 'because' | 'against' | 'outOfMemory'>,
  most: number,
): void {
  const { because, against } = incident;
  if (because.length + against.length === 0) return;
  page.title(evidenceTitle(incident));
  for (const reason of because.slice(0, most))
    reasonItem(page, { text: page.signs.proves, style: ['green'] }, reason);
  for (const reason of against.slice(0, most))
    reasonItem(
      page,
      { text: page.signs.against, style: ['yellow'] },
      { ...reason, says: `against it: ${reason.says}` },
    );
}

function reasonItem(page: Page, sign: Span, { says, place, quote }: Reason): void {
  page.item(sign, [{ text: inWords(says) }]);
  const room = page.width - 4;
  if (quote !== undefined && quote !== '') {
    const lines = quote.split('\n').filter((line) => line.trim() !== '');
    if (page.options.verbose) {
      for (const line of lines.slice(0, 40))
        page.add(
          ...hanging(
            [{ text: '    ' }],
            [{ text: shortened(line, 2000), style: ['dim'] }],
            page.width,
          ),
        );
      if (lines.length > 40)
        page.text(
          [{ text: `${page.signs.ellipsis} ${lines.length - 40} more lines`, style: ['dim'] }],
          4,
        );
    } else {
      page.add([
        { text: '    ' },
        { text: clipped(informativeLine(lines), room, page.signs.ellipsis), style: ['dim'] },
      ]);
    }
  }
  if (page.options.verbose && place !== '')
    page.add([
      { text: '    ' },
      { text: squeezed(place, room, page.signs.ellipsis), style: ['cyan', 'dim'] },
    ]);
}

/** What stands before a kernel message: the head of a /dev/kmsg record, syslog's date and host, the time since boot, the caller. */
const logPrefix =
  /^(?:\d+,\d+,\d+,[^;]*;|(?:[^[\]]{0,80}\bkernel: ?)?(?:\[ *\d+\.\d+\] ?)?(?:\[ *[TC]\d+\] ?)?)/;

/** Of a traceback the last line, which names the exception; else the first. */
const informativeLine = (lines: readonly string[]): string =>
  ((lines[0]?.startsWith('Traceback') === true ? lines.at(-1) : lines[0]) ?? '')
    .trim()
    .replace(logPrefix, '');

export function ruledOut(page: Page, { ruledOut: all }: Incident, most = Infinity): void {
  if (all.length === 0) return;
  page.title('What it was not');
  for (const { cause, variant, because } of all.slice(0, most))
    page.item({ text: page.signs.rules, style: ['dim'] }, [
      { text: variant === undefined ? cause : `${cause} (${variant})` },
      { text: `: ${because}`, style: ['dim'] },
    ]);
}

export function unknowns(page: Page, shown: readonly Unknown[]): void {
  if (shown.length === 0) return;
  page.title(unknownTitle(shown));
  for (const { what, why, command } of shown) {
    page.item({ text: page.signs.unknown, style: ['yellow'] }, [
      { text: capital(inWords(what)) },
      { text: `: ${why}`, style: ['dim'] },
    ]);
    if (command !== null) page.command(command, 4);
  }
}

export function remedies(page: Page, all: readonly Remedy[], most = Infinity, brief = false): void {
  if (all.length === 0) return;
  page.title('What now?');
  all.slice(0, most).forEach(({ title, detail, command }, index) => {
    page.item({ text: `${index + 1}.`, style: ['dim'] }, [
      { text: isBlank(detail) ? inWords(title) : beforeMore(inWords(title)) },
      ...(isBlank(detail)
        ? []
        : [
            {
              text: ` ${brief ? firstSentence(inWords(detail)) : detail}`,
              style: ['dim'] as const,
            },
          ]),
    ]);
    if (command !== null) page.command(command, 5);
  });
}

/** With a full stop, where another sentence follows and nothing ends this one yet. */
const beforeMore = (text: string): string => (/[.:!?]$/.test(text) ? text : `${text}.`);

const firstSentence = (text: string): string =>
  /^.{20,}?[.;](?=\s|$)/s.exec(text)?.[0].replace(/[.;]$/, '') ?? text;
