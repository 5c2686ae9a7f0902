/** Lines of styled text: wrapping by what a terminal shows, not by code units. */
import { asciiText, safeText } from '../safe-text.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** A stretch of text in one style. `link`: an absolute path or URL, for terminals that have hyperlinks. */
export interface Span {
  readonly text: string;
  readonly style?: readonly Style[];
  readonly link?: string;
}
export type Line = readonly Span[];

/** Combining marks (the variation selectors are such), and the two joiners. */
const zeroWidth = /^(?:\p{Mn}|\p{Me}|\u200c|\u200d)$/u;
/** East Asian wide and full-width blocks, and emoji (Unicode 15, coarse: whole blocks). */
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

/** Columns that a terminal uses for the text. */
export function displayWidth(text: string): number {
  // oxlint-disable-next-line no-control-regex -- the range of printable ASCII
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    if (!zeroWidth.test(character)) width += wide.test(character) ? 2 : 1;
  }
  return width;
}

/** The longest start of `text` that fits in `columns`, at least one character. */
function fitting(text: string, columns: number): string {
  let width = 0;
  let taken = '';
  for (const character of text) {
    width += displayWidth(character);
    if (width > columns && taken !== '') break;
    taken += character;
  }
  return taken;
}

/** Cuts the middle out of `text` so that it fits: a path keeps its start and its file name. */
export function squeezed(text: string, columns: number, ellipsis = '…'): string {
  if (displayWidth(text) <= columns) return text;
  const characters = [...text];
  const room = Math.max(1, columns - displayWidth(ellipsis));
  const tail = Math.floor(room * 0.6);
  let end = '';
  while (characters.length > 0 && displayWidth(end) < tail) end = `${characters.pop()}${end}`;
  return `${fitting(characters.join(''), Math.max(1, room - displayWidth(end)))}${ellipsis}${end}`;
}

/** The start of `text`, with an ellipsis where it did not fit. */
export const clipped = (text: string, columns: number, ellipsis = '…'): string =>
  displayWidth(text) <= columns
    ? text
    : `${fitting(text, Math.max(1, columns - displayWidth(ellipsis)))}${ellipsis}`;

interface Word extends Span {
  /** A space stands before it. */
  readonly spaced: boolean;
}

function inWords(spans: Line): readonly Word[] {
  const words: Word[] = [];
  let spaced = false;
  for (const span of spans) {
    for (const part of safeText(span.text).split(/( +)/)) {
      if (part === '') continue;
      if (part.startsWith(' ')) {
        spaced = true;
        continue;
      }
      words.push({ ...span, text: part, spaced });
      spaced = false;
    }
  }
  return words;
}

/** Breaks styled text into lines of at most `columns`. A word longer than a line is cut. Always one line at least. */
export function wrap(spans: Line, columns: number): readonly Line[] {
  const room = Math.max(8, columns);
  const lines: Span[][] = [[]];
  let used = 0;
  for (const { spaced, ...word } of inWords(spans)) {
    const width = displayWidth(word.text);
    const gap = spaced && used > 0 ? 1 : 0;
    if (used > 0 && used + gap + width > room && (spaced || width <= room)) {
      lines.push([]);
      used = 0;
    } else if (gap > 0) {
      lines.at(-1)?.push({ ...word, text: ' ' });
      used += 1;
    }
    let rest = word.text;
    while (rest !== '') {
      if (used >= room) {
        lines.push([]);
        used = 0;
      }
      const piece = fitting(rest, room - used);
      lines.at(-1)?.push({ ...word, text: piece });
      used += displayWidth(piece);
      rest = rest.slice(piece.length);
    }
  }
  return lines;
}

/** `first` stands before the first line, blanks of the same width before the others. */
export function hanging(first: Line, spans: Line, columns: number): readonly Line[] {
  const indent = first.reduce((sum, { text }) => sum + displayWidth(text), 0);
  const blank: Line = [{ text: ' '.repeat(indent) }];
  return wrap(spans, columns - indent).map((line, index) => [
    ...(index === 0 ? first : blank),
    ...line,
  ]);
}

export interface Ink {
  readonly color: boolean;
  readonly unicode: boolean;
  readonly hyperlinks: boolean;
}

const codes: Readonly<Record<Style, string>> = {
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
};

/** The lines as text for a terminal. The only place that writes escape sequences. */
export function inked(lines: readonly Line[], { color, unicode, hyperlinks }: Ink): string {
  const paint = ({ text, style = [], link }: Span): string => {
    const safe = unicode ? safeText(text) : asciiText(safeText(text));
    const styled =
      color && style.length > 0
        ? `\u001b[${style.map((name) => codes[name]).join(';')}m${safe}\u001b[0m`
        : safe;
    return hyperlinks && link !== undefined
      ? `\u001b]8;;${encodeURI(safeText(link)).replaceAll('#', '%23').replaceAll('?', '%3F')}\u001b\\${styled}\u001b]8;;\u001b\\`
      : styled;
  };
  return lines.map((line) => `${joined(line).map(paint).join('').trimEnd()}\n`).join('');
}

/** Neighbours of one style as one span: fewer escape sequences. */
function joined(line: Line): readonly Span[] {
  const spans: Span[] = [];
  for (const span of line) {
    const last = spans.at(-1);
    if (last && last.link === span.link && String(last.style) === String(span.style))
      spans[spans.length - 1] = { ...last, text: last.text + span.text };
    else spans.push(span);
  }
  return spans;
}
