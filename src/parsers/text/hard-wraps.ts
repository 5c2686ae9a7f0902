/** Lines that a terminal broke at its edge, in the middle of words: copied out of it, the words are in two. */
import type { Evidence } from '../../model/evidence.ts';
import type { Input, Line } from '../parser.ts';
import { clean, maxPasted, originOf, wholeText } from './lines.ts';

/** No terminal is narrower. */
const leastWidth = 40;
/** One message is not longer. */
const mostParts = 12;

/** A text whose broken lines are whole again, and which lines of the text as it came each of them was made of. */
interface Mended {
  readonly input: Input;
  /** By the number of the first line: indices of the first and the last one. */
  readonly joined: ReadonlyMap<number, readonly [from: number, to: number]>;
}

/** Undefined where nothing looks broken. */
export function mended(input: Input): Mended | undefined {
  if (wholeText(input).length > maxPasted) return undefined;
  const lines: Line[] = [];
  const joined = new Map<number, readonly [number, number]>();
  for (let at = 0; at < input.lines.length;) {
    const to = endOfBroken(input, at);
    const { number, text } = input.lines[at]!;
    const whole = withoutPadding(
      to === at
        ? text
        : input.lines
            .slice(at, to + 1)
            .map((line) => clean(line.text))
            .join(''),
    );
    lines.push({ number, text: whole });
    if (to > at || whole.length < text.length) joined.set(number, [at, to]);
    at = to + 1;
  }
  return joined.size === 0 ? undefined : { input: { name: input.name, lines }, joined };
}

/** A terminal's row, filled up with blanks and copied with the next one: `128 b              ytes exhausted`. */
const withoutPadding = (text: string): string =>
  text.includes('                    ')
    ? text.replace(/(?<=[\w.,)'"]) {20,}(?=[\w.,('"/])/g, '')
    : text;

/** A new record, a frame, a row of a table or a list: not the rest of the line above. */
const beginsAnew =
  /^(?: {2}|\t|[-*+#>|[{}\]]|\d{4}[-/]\d\d|\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d |<\d{1,3}>|(?:Traceback|During|File|at|Caused by|Error|Exception|Killed|Aborted|Segmentation|Bus error|terminate|INFO|WARN|ERROR|DEBUG|FATAL)\b|\w{1,60}(?:\.\w{1,60}){0,5}(?:Error|Exception|Warning)\b)/;

/** The last line of what begins at `at`: rows of one width, all full but the last. */
function endOfBroken({ lines }: Input, at: number): number {
  const width = clean(lines[at]!.text).length;
  let to = at;
  while (to + 1 < lines.length && to - at < mostParts - 1) {
    const [row, next] = [clean(lines[to]!.text), clean(lines[to + 1]!.text)];
    if (row.length !== width || width < leastWidth || next.length > width) break;
    if (next.trim() === '' || !/\S$/.test(row) || beginsAnew.test(next)) break;
    to += 1;
  }
  return to;
}

const words: ReadonlySet<Evidence['kind']> = new Set([
  'program-error',
  'program-abort',
  'death-notice',
  'killer-record',
]);

/** Those facts of the mended text that only the mending shows, quoted as they came. */
export function onlyWhole(
  input: Input,
  { joined }: Mended,
  whole: readonly Evidence[],
  broken: readonly Evidence[],
): readonly Evidence[] {
  const told = new Set(broken.map(({ origin }) => origin.line));
  return whole.flatMap((fact) => {
    const range = joined.get(fact.origin.line ?? -1);
    if (range === undefined || !words.has(fact.kind)) return [];
    const [from, to] = range;
    for (let at = from; at <= to; at += 1) if (told.has(input.lines[at]!.number)) return [];
    return [{ ...fact, origin: originOf(input, fact.origin.source, from, to) }];
  });
}
