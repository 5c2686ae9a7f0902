import type { Evidence } from '../model/evidence.ts';
import { contained } from '../model/faults.ts';
import type { SourceReport } from '../model/report.ts';
import { parsers as allParsers } from './index.ts';
import type { Input, Parser } from './parser.ts';
import { mended, onlyWhole } from './text/hard-wraps.ts';
import { asItCame, inOrderOfTime } from './text/newest-first.ts';
import { isInQuotedBlock, isQuoted } from './text/quotes.ts';
import { trigramsIn, maxPasted, wholeText } from './text/lines.ts';

/** Splits decoded text into numbered lines. CR LF and a missing last line end are no trouble. */
export function linesOf(text: string, firstNumber = 1): Input['lines'] {
  const texts = text.split('\n');
  if (texts.at(-1) === '') texts.pop();
  return texts.map((line, index) => ({
    number: firstNumber + index,
    text: line.endsWith('\r') ? line.slice(0, -1) : line,
  }));
}

/** The text of a stretch of bytes. What is not UTF-8 becomes U+FFFD; UTF-16 (PowerShell's `>`) is told by its mark. */
export function decode(bytes: Uint8Array): string {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : null;
  return new TextDecoder(utf16 ?? 'utf-8').decode(bytes);
}

/** Everything a parser could be interested in. */
export const allLiterals: readonly string[] = [
  ...new Set(allParsers.flatMap(({ literals }) => literals)),
];

/**
 * Runs every parser one of whose needles stands in the input, and those that have none. A parser with a fault of its own takes nothing
 * with it: what it had found stays, and `onFault` is given a source that says so. A log that came newest first is read from its end;
 * what a terminal had broken in the middle of words is read whole as well.
 */
export function parseInput(
  input: Input,
  parsers: readonly Parser[] = allParsers,
  onFault: (source: SourceReport) => void = () => {},
): Evidence[] {
  const older = inOrderOfTime(input);
  const facts =
    older === undefined
      ? parseLines(input, parsers, onFault)
      : parseLines(older, parsers, onFault).map(asItCame);
  const whole = mended(input);
  const more =
    whole === undefined
      ? []
      : onlyWhole(
          input,
          whole,
          parseLines(whole.input, parsers, () => {}),
          facts,
        );
  return [...facts, ...more].map((fact) => withDoubt(fact, input));
}

function parseLines(
  input: Input,
  parsers: readonly Parser[],
  onFault: (source: SourceReport) => void,
): Evidence[] {
  const text = wholeText(input);
  const flat = text.length <= maxPasted ? text.replace(/(?<!\s)\s*\n[>|\s]*/g, ' ') : '';
  const trigrams = trigramsIn(input, flat);
  return parsers.flatMap((parser) =>
    parser.literals.length === 0 ||
    parser.literals.some(
      (literal) => trigrams.mayHave(literal) && (text.includes(literal) || flat.includes(literal)),
    )
      ? factsOf(parser, input, onFault)
      : [],
  );
}

/**
 * What the kernel says, it says in its log: in a sentence or a letter somebody quotes it. A program's own words stand in sentences of
 * its log, too; in Markdown and letters they do not.
 */
function withDoubt(fact: Evidence, input: Input): Evidence {
  const { line, quote } = fact.origin;
  if (line === undefined) return fact;
  const isKernel = fact.kind.startsWith('kernel-');
  if (!isKernel && fact.kind !== 'program-error' && fact.kind !== 'program-abort') return fact;
  return (isKernel ? isQuoted(input, line, quote) : isInQuotedBlock(input, line))
    ? { ...fact, origin: { ...fact.origin, doubt: 'quoted' } }
    : fact;
}

function factsOf(
  parser: Parser,
  input: Input,
  onFault: (source: SourceReport) => void,
): readonly Evidence[] {
  const facts: Evidence[] = [];
  contained(
    `parser ${parser.id} on ${input.name}`,
    () => {
      for (const fact of parser.parse(input)) facts.push(fact);
    },
    ({ says }) =>
      onFault({
        id: parser.id,
        place: input.name,
        status: 'malformed',
        detail: `a fault of coroner itself: ${says}`,
      }),
  );
  return facts;
}
