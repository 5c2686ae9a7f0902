import type { Input } from '../parser.ts';
import { clean } from './lines.ts';

/** A JSON value found in text, with the lines it stood on (indices). */
export interface FoundJson {
  readonly value: unknown;
  readonly from: number;
  readonly to: number;
}

/** Longest document that is parsed. */
const maxLength = 16_000_000;
/** Characters that may be looked at in vain, in multiples of the input: thousands of brackets that never close end the search. */
const patience = 8;

/**
 * JSON documents in text: one whole document, several one after the other, or documents on lines of their own between
 * other words. A document begins at a line that starts with a bracket and ends where the brackets close; what does not
 * parse is passed over.
 */
export function* jsonValues(input: Input): Iterable<FoundJson> {
  const budget = {
    left: 100_000 + patience * input.lines.reduce((sum, { text }) => sum + text.length, 0),
  };
  for (let from = 0; from < input.lines.length; from += 1) {
    const start = /^[\s`'"]{0,40}([[{])/.exec(clean(input.lines[from]!.text.slice(0, 100)));
    if (start === null) continue;
    const to = closingLine(input, from, budget);
    if (to === -1) continue;
    const text = input.lines
      .slice(from, to + 1)
      .map(({ text }) => clean(text))
      .join('\n');
    const value = parsed(text.slice(text.indexOf(start[1]!)));
    if (value === undefined) continue;
    yield { value, from, to };
    from = to;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // `},` at the end of a cut-out, quotes or fences behind it
    const trimmed = text.replace(/(?<![,;\s'"`])[,;\s'"`]+$/, '');
    if (trimmed === text) return undefined;
    try {
      return JSON.parse(trimmed) as unknown;
    } catch {
      return undefined;
    }
  }
}

/** Where the brackets that open on a line close: strings and escapes are honoured. -1 where they do not. */
function closingLine(input: Input, from: number, budget: { left: number }): number {
  let depth = 0;
  let inString = false;
  let length = 0;
  for (let at = from; at < input.lines.length; at += 1) {
    const text = clean(input.lines[at]!.text);
    length += text.length;
    budget.left -= text.length;
    if (length > maxLength || budget.left < 0) return -1;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (inString) {
        if (code === 0x5c) index += 1;
        else if (code === 0x22) inString = false;
      } else if (code === 0x22) inString = true;
      else if (code === 0x7b || code === 0x5b) depth += 1;
      else if (code === 0x7d || code === 0x5d) depth -= 1;
    }
    // A string does not go on over a line's end: the text is no JSON.
    if (inString) return -1;
    if (depth <= 0) return at;
  }
  return -1;
}
