/** Logs that a web console shows newest first: what led to a death stands below it. */
import type { Evidence, Origin } from '../../model/evidence.ts';
import type { Input } from '../parser.ts';
import { maxPasted, quoteLength, wholeText } from './lines.ts';
import { stripPrefix } from './prefix.ts';

/** Fewer records tell nothing of an order. */
const leastRecords = 2;

/** The lines in the order of time, where every record has one and each is older than the one above; undefined for any other text. */
export function inOrderOfTime(input: Input): Input | undefined {
  if (input.lines.length < leastRecords || wholeText(input).length > maxPasted) return undefined;
  let last = Infinity;
  let [records, older] = [0, 0];
  for (const { text } of input.lines) {
    if (text.trim() === '') continue;
    const time = timeOf(text);
    if (time === undefined || time > last) return undefined;
    if (time < last) older += 1;
    last = time;
    records += 1;
  }
  return records >= leastRecords && older > leastRecords - 1
    ? { name: input.name, lines: [...input.lines].reverse() }
    : undefined;
}

/** Milliseconds; only their order counts. */
function timeOf(text: string): number | undefined {
  const { when } = stripPrefix(text.slice(0, 400));
  if (when?.wall !== undefined) return Date.parse(when.wall);
  if (when?.uptimeSeconds !== undefined) return when.uptimeSeconds * 1000;
  // Python's logging without a zone: `2026-01-31 12:00:00,123`, in brackets or not.
  const printed = /^\W{0,2}(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?/.exec(text);
  if (printed === null) return undefined;
  const seconds = Date.parse(`${printed[1]!.replace(' ', 'T')}Z`);
  return Number.isNaN(seconds) ? undefined : seconds + Number(`0.${printed[2] ?? 0}`) * 1000;
}

/** The fact of a text that was turned round, in words that stand in the text as it came. */
export function asItCame<Fact extends Evidence>(fact: Fact): Fact {
  return { ...fact, origin: turned(fact.origin) };
}

function turned({ quote, place, ...origin }: Origin): Origin {
  const range = /^(.*):(\d+)-(\d+)$/.exec(place);
  return {
    ...origin,
    place: range === null ? place : `${range[1]}:${range[3]}-${range[2]}`,
    ...(quote === undefined ? {} : { quote: turnedQuote(quote) }),
  };
}

/** The last line of a quote that was cut may lack its end. Followed by another line it would not be the input's own words: it stands alone. */
function turnedQuote(quote: string): string {
  const lines = quote.split('\n');
  return quote.length < quoteLength ? lines.reverse().join('\n') : lines.at(-1)!;
}
