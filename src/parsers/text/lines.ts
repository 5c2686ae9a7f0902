import { defined } from '../../model/defined.ts';
import type { Evidence, Origin, When } from '../../model/evidence.ts';
import { trigramsOf, type Trigrams } from '../search/trigram-filter.ts';
import type { Input } from '../parser.ts';
import { stripPrefix } from './prefix.ts';
import { isoTime } from '../../model/units.ts';

/**
 * Reading words out of text that people paste: colours, mail quoting and hard wraps are looked through,
 * quotes stay the very text of the input.
 */

// eslint-disable-next-line no-control-regex -- terminal escapes are what is looked for
const escapes = /\u001B(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[@-Z\\^_])/g;
/** Longest stretch of one line that a phrase is looked for in: hostile lines are megabytes long. */
const windowLength = 4096;
export const quoteLength = 600;

/** Without colours, carriage return and mail quoting. */
export function clean(text: string): string {
  const unwrapped = text.startsWith('{"log":"')
    ? dockerLog(text)
    : // journalctl -o json, log shippers: the words hold quotes of their own
      text.startsWith('{') && text.includes('\\"')
      ? text.replaceAll('\\"', '"')
      : text;
  const plain = unwrapped.includes('\u001B') ? unwrapped.replace(escapes, '') : unwrapped;
  // Markdown that was kept as it was typed: `**\* mmap`, `oom\_score`
  const marked = /\\[*_]/.test(plain) ? plain.replace(/\\(?=[*_])/g, '') : plain;
  const bare = marked.includes('>') ? marked.replace(/^(?:[ \t]{0,3}>[ \t]?)+(?!>)/, '') : marked;
  return bare.endsWith('\r') ? bare.replace(/\r+$/, '') : bare;
}

/** Docker's json-file driver: `{"log":"text\\n","stream":"stderr","time":"…"}`. */
function dockerLog(text: string): string {
  const match = /^\{"log":"((?:[^"\\]|\\.){0,100000})"/.exec(text);
  if (match === null) return text;
  try {
    return String(JSON.parse(`"${match[1]}"`)).trimEnd();
  } catch {
    return text;
  }
}

const collapse = (text: string): string => {
  const words = clean(text);
  return /\s\s|[^\S ]|^\s|\s$/.test(words) ? words.replace(/\s+/g, ' ').trim() : words;
};

export interface Found {
  readonly match: RegExpExecArray;
  /** Named groups that took part. */
  readonly groups: Readonly<Record<string, string | undefined>>;
  readonly origin: Origin;
  /** Of the line in `input.lines` where the match starts. */
  readonly index: number;
  /** Cleaned words of that line and the next ones, white space collapsed. */
  readonly passage: string;
  readonly input: Input;
}

/** One wording of a format: a literal that must stand in the line, and what it says. */
export interface Phrase<Fact extends Evidence = Evidence> {
  readonly literal: string;
  /** Matched against the line and the ones it was wrapped onto, white space collapsed. Linear: no nested repetition. */
  readonly pattern: RegExp;
  /** Lines that one message may have been wrapped over. */
  readonly span?: number;
  /** Nothing where a closer look says that it is not what it seemed. */
  readonly make: (found: Found) => Fact | undefined;
}

const wholeTexts = new WeakMap<Input, string>();

/** All lines as one string: to see at once whether a needle is anywhere. Kept while the input lives. */
export function wholeText(input: Input): string {
  let whole = wholeTexts.get(input);
  if (whole === undefined) {
    whole = input.lines.map(({ text }) => text).join('\n');
    wholeTexts.set(input, whole);
  }
  return whole;
}

/** Longest text that is searched for what stands elsewhere in it. */
const maxSearched = 4_000_000;
const searches = new WeakMap<Input, Map<string, RegExpExecArray | null>>();

/** The first match anywhere in the input; each pattern is looked for once, however often it is asked for. */
export function elsewhere(input: Input, pattern: RegExp): RegExpExecArray | null {
  let known = searches.get(input);
  if (known === undefined) {
    known = new Map();
    searches.set(input, known);
  }
  const key = `${pattern.flags}/${pattern.source}`;
  let match = known.get(key);
  if (match === undefined) {
    const whole = wholeText(input);
    match = pattern.exec(whole.length > maxSearched ? whole.slice(0, maxSearched) : whole);
    known.set(key, match);
  }
  return match;
}

export const mentions = (input: Input, pattern: RegExp): boolean =>
  elsewhere(input, pattern) !== null;

/** Advice, manuals and changelogs name errors too: the words before tell. Not `when` or `where`: reports use them. */
export const isAdvice = (before: string): boolean =>
  /\b(?:if you|if your|to avoid|avoids?|avoiding|fix(?:e[sd])?|prevents?|may(?! {1,2}\d)|might|can occur|in case|for example|such as|e\.g\.)\b[^.]{0,80}$/i.test(
    before.slice(-160),
  );

/** `- **OOMKilled**: the container was over its limit`: a list that explains words, and tells of nothing that happened. */
export const isDefinition = (line: string): boolean =>
  /^\s*(?:[-*+]|\d{1,2}\.)\s+(?:\*\*|[`"“])[^*`"”]{2,60}(?:\*\*|[`"”])\S{0,3}\s*(?:[-–—:=→(]|is\b|means\b)[^0-9]*$/.test(
    line.slice(0, 600),
  );

/** Every fact that one of the phrases tells of, in the order of the lines; of phrases whose matches overlap the first. */
export function* readPhrases<Fact extends Evidence>(
  input: Input,
  source: string,
  phrases: readonly Phrase<Fact>[],
): Iterable<Fact> {
  const whole = wholeText(input);
  // In what a person pastes, a mail program may have broken a line in the middle of the needle.
  const pasted = whole.length <= maxPasted ? flatText(input) : '';
  const trigrams = trigramsIn(input);
  const active = phrases.filter(
    ({ literal }) =>
      trigrams.mayHave(literal) &&
      (whole.includes(literal) || (literal.includes(' ') && pasted.includes(literal))),
  );
  if (active.length === 0) return;
  const taken = new Map<number, (readonly [from: number, to: number])[]>();
  for (const [index, line] of input.lines.entries()) {
    for (const phrase of active) {
      if (
        !line.text.includes(phrase.literal) &&
        !(pasted !== '' && isBroken(input, index, phrase.literal))
      )
        continue;
      for (const found of occurrences(input, source, index, phrase)) {
        const from = found.match.index;
        const to = from + found.match[0].length;
        const ranges = taken.get(found.index) ?? [];
        if (ranges.some(([start, end]) => from < end && start < to)) continue;
        const fact = phrase.make(found);
        if (fact === undefined) continue;
        ranges.push([from, to]);
        taken.set(found.index, ranges);
        yield timed(fact, found.input, found.index);
      }
    }
  }
}

const trigramsOfInputs = new WeakMap<Input, Trigrams>();

/** What stands in the input, or in `more`, whether as it is or with its lines in one. Kept: every parser asks for its phrases. */
export function trigramsIn(input: Input, more = ''): Trigrams {
  let trigrams = trigramsOfInputs.get(input);
  if (trigrams === undefined) {
    const whole = wholeText(input);
    trigrams = trigramsOf(whole, whole.length <= maxPasted ? flatText(input) : '', more);
    trigramsOfInputs.set(input, trigrams);
  }
  return trigrams;
}

/** Up to this length a text is taken for a paste, in which a mail program may have broken a line in the middle of a needle. */
export const maxPasted = 131_072;
const flatTexts = new WeakMap<Input, string>();

/** All words of a small input in one line. */
export function flatText(input: Input): string {
  let flat = flatTexts.get(input);
  if (flat === undefined) {
    flat = input.lines.map((_, index) => wordsAt(input, index, '')).join(' ');
    flatTexts.set(input, flat);
  }
  return flat;
}

/** The needle begins on this line and ends on the next. */
function isBroken(input: Input, index: number, literal: string): boolean {
  if (!literal.includes(' ') || index + 1 >= input.lines.length) return false;
  const end = wordsAt(input, index, literal).slice(-literal.length);
  const start = wordsAt(input, index + 1, literal).slice(0, literal.length);
  return `${end} ${start}`.includes(literal);
}

/** The time that the line's prefix tells, where the fact has none of its own. */
export function timed<Fact extends Evidence>(fact: Fact, input: Input, index: number): Fact {
  if (fact.when !== undefined) return fact;
  const when = whenAt(input, index);
  return when === undefined ? fact : { ...fact, when };
}

export function whenAt(input: Input, index: number): When | undefined {
  return (
    journalTime(input.lines[index]?.text ?? '') ??
    stripPrefix(lineAt(input, index).slice(0, 400)).when
  );
}

/** The time of a line of journalctl -o json: microseconds since 1970, since boot. */
function journalTime(text: string): When | undefined {
  if (!text.startsWith('{"') || !text.includes('"__REALTIME_TIMESTAMP"')) return undefined;
  const field = (name: string): string | undefined => {
    const at = text.indexOf(`"${name}"`);
    return at < 0
      ? undefined
      : /^\s?:\s?"([0-9a-f]{1,32})"/.exec(
          text.slice(at + name.length + 2, at + name.length + 50),
        )?.[1];
  };
  const wallMicroseconds = Number(field('__REALTIME_TIMESTAMP') ?? Number.NaN);
  const wall = wallMicroseconds > 0 ? isoTime(wallMicroseconds / 1000) : undefined;
  if (wall === undefined) return undefined;
  const bootId = field('_BOOT_ID');
  return { wall, ...defined({ bootId }) };
}

/** Matches on a line, or on the line before where the message was wrapped in front of the needle. */
function* occurrences(
  input: Input,
  source: string,
  index: number,
  { literal, pattern, span = 4 }: Phrase,
): Iterable<Found> {
  const here = passageAt(input, index, span, literal);
  let any = false;
  for (const match of here.text.matchAll(global(pattern))) {
    if (match.index >= here.firstLength) break;
    any = true;
    yield found(input, source, index, here, match);
  }
  if (any || index === 0) return;
  const before = passageAt(input, index - 1, span + 1, literal);
  const match = pattern.exec(before.text);
  if (match !== null && match.index < before.firstLength)
    yield found(input, source, index - 1, before, match);
}

const globals = new WeakMap<RegExp, RegExp>();
function global(pattern: RegExp): RegExp {
  let copy = globals.get(pattern);
  if (copy === undefined) {
    copy = new RegExp(pattern.source, `${pattern.flags.replace('g', '')}g`);
    globals.set(pattern, copy);
  }
  return copy;
}

interface Passage {
  readonly text: string;
  readonly firstLength: number;
  /** Length of the text after each line. */
  readonly ends: readonly number[];
}

const collapsed = new WeakMap<Input, (string | undefined)[]>();

/** A line's words; kept, because every phrase of every parser asks for the same lines. */
function wordsAt(input: Input, index: number, literal: string): string {
  const line = input.lines[index]!.text;
  // The window into a long line depends on the needle.
  if (line.length > windowLength) return collapse(windowAround(line, literal));
  let kept = collapsed.get(input);
  if (kept === undefined) {
    kept = [];
    collapsed.set(input, kept);
  }
  return (kept[index] ??= collapse(line));
}

function passageAt(input: Input, index: number, span: number, literal: string): Passage {
  let text = wordsAt(input, index, literal);
  const ends: number[] = [text.length];
  for (let at = index + 1; at < Math.min(index + span, input.lines.length); at += 1) {
    text += ` ${wordsAt(input, at, literal)}`;
    ends.push(text.length);
  }
  return { text, firstLength: ends[0]!, ends };
}

function windowAround(text: string, literal: string): string {
  if (text.length <= windowLength) return text;
  const at = Math.max(0, text.indexOf(literal));
  const from = Math.max(0, at - windowLength / 4);
  return text.slice(from, from + windowLength);
}

function found(
  input: Input,
  source: string,
  index: number,
  { text, ends }: Passage,
  match: RegExpExecArray,
): Found {
  const end = match.index + match[0].length;
  const lines = Math.max(1, ends.findIndex((length) => length >= end) + 1);
  return {
    match,
    groups: match.groups ?? {},
    origin: originOf(input, source, index, index + lines - 1, match[0].slice(0, 24)),
    index,
    passage: text,
    input,
  };
}

/** Of a record of journalctl -o json the message, where that is what is meant. */
function messageAround(record: string, at: number): string | null {
  if (!record.startsWith('{"')) return null;
  const from = record.lastIndexOf('"MESSAGE"', at);
  const message =
    from < 0
      ? null
      : /^"MESSAGE"\s?:\s?"(?:[^"\\]|\\.){0,600}/.exec(record.slice(from, from + 700))?.[0];
  return message != null && from + message.length > at ? message : null;
}

/** Origin of a stretch of lines (indices, both inclusive); long lines are quoted around `near`. */
export function originOf(
  input: Input,
  source: string,
  from: number,
  to: number = from,
  near = '',
): Origin {
  const lines = input.lines.slice(from, to + 1);
  const first = lines[0]?.number ?? 1;
  const last = lines.at(-1)?.number ?? first;
  let quote = lines
    .map(({ text }) => text)
    .join('\n')
    .trim();
  if (quote.length > quoteLength) {
    const at = Math.max(0, quote.indexOf(near));
    const start = Math.max(0, Math.min(at - 100, quote.length - quoteLength));
    quote = (messageAround(quote, at) ?? quote.slice(start)).slice(0, quoteLength);
  }
  return {
    source,
    place: `${input.name}:${first === last ? first : `${first}-${last}`}`,
    line: first,
    ...(quote === '' ? {} : { quote }),
  };
}

/** Cleaned text of a line, '' beyond the ends. */
export const lineAt = (input: Input, index: number): string => {
  const text = input.lines[index]?.text;
  return text === undefined
    ? ''
    : clean(text.length > windowLength ? text.slice(0, windowLength) : text);
};
