import type { Evidence } from '../model/evidence.ts';
import { parsers as allParsers } from './index.ts';
import type { Input, Parser } from './parser.ts';

/** Splits decoded text into numbered lines. CR LF and a missing last line end are no trouble. */
export function linesOf(text: string, firstNumber = 1): Input['lines'] {
  const texts = text.split('\n');
  if (texts.at(-1) === '') texts.pop();
  return texts.map((line, index) => ({
    number: firstNumber + index,
    text: line.endsWith('\r') ? line.slice(0, -1) : line,
  }));
}

/** Runs every parser one of whose needles stands in the input, and those that have none. */
export function parseInput(input: Input, parsers: readonly Parser[] = allParsers): Evidence[] {
  const text = input.lines.map((line) => line.text).join('\n');
  return parsers.flatMap((parser) =>
    parser.needles.length === 0 || parser.needles.some((needle) => text.includes(needle))
      ? [...parser.parse(input)]
      : [],
  );
}
