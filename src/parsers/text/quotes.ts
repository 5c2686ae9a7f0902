/**
 * Whether a line is quoted rather than logged: in a sentence, between backticks or quotation marks, in a Markdown quotation or fence,
 * or indented below prose. What is quoted happened, if at all, elsewhere and at another time.
 */
import type { Input } from '../parser.ts';
import { stripPrefix } from './prefix.ts';

/** Beyond this a text is a log, not a letter. */
const mostLines = 5000;

/** `quote`: the words that were read. */
export function isQuoted(input: Input, lineNumber: number, quote: string | undefined): boolean {
  const index = lineNumber - (input.lines[0]?.number ?? 1);
  const text = input.lines[index]?.text;
  if (text === undefined) return false;
  // One line of JSON is a record, whatever is quoted in it.
  if (/^\s*[[{]"/.test(text)) return false;
  return (
    isInSentence(text, quote?.split('\n')[0] ?? '') ||
    (input.lines.length <= mostLines && isInMarkdown(input, index, text))
  );
}

/** In a Markdown quotation or fence, in a letter's, or indented below prose. */
export function isInQuotedBlock(input: Input, lineNumber: number): boolean {
  const index = lineNumber - (input.lines[0]?.number ?? 1);
  const text = input.lines[index]?.text;
  return text !== undefined && input.lines.length <= mostLines && isInMarkdown(input, index, text);
}

/** A word, a space, a word, and no sign of a log's prefix. */
const prose = /^[^\w]*(?:[A-Za-z][a-z']*,? ){2,}[A-Za-z'"`“‘«(]*:? ?$|[`“‘«]$/;
const kernelWords =
  /Memory cgroup out of memory|Out of memory: |Killed process \d|oom-kill:constraint|[\w./:-]{1,64} invoked oom-killer|\S{1,64}\[\d{1,9}\]: segfault at/;

function isInSentence(text: string, quote: string): boolean {
  const { text: words } = stripPrefix(text);
  const at = kernelWords.exec(words)?.index ?? (quote === '' ? -1 : words.indexOf(quote));
  if (at <= 0) return false;
  const before = words.slice(0, at);
  return prose.test(before) || (/["'`]$/.test(before) && / [a-z]+ /.test(before));
}

function isInMarkdown(input: Input, index: number, text: string): boolean {
  if (/^ {0,3}> /.test(text)) return true;
  const fences = fencesOf(input);
  if ((fences[index] ?? 0) % 2 === 1) return true;
  if (!/^(?: {4}|\t)\S/.test(text)) return false;
  // An indented block below a sentence; a log that is indented as a whole has none.
  for (let above = index - 1; above >= 0; above -= 1) {
    const other = input.lines[above]!.text;
    if (other.trim() === '' || /^(?: {4}|\t)/.test(other)) continue;
    return /^[A-Z#*-].* .* .*[.:]$/.test(other) && !stripPrefix(other).prefixed;
  }
  return false;
}

/** How many fences stand above each line. */
const counted = new WeakMap<Input, readonly number[]>();
function fencesOf(input: Input): readonly number[] {
  const known = counted.get(input);
  if (known !== undefined) return known;
  let fences = 0;
  const list = input.lines.map(({ text }) => {
    if (/^ {0,3}(?:```|~~~)/.test(text)) fences += 1;
    return fences;
  });
  counted.set(input, list);
  return list;
}
