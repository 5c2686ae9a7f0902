import type { Evidence } from '../model/evidence.ts';

/** A line of an input, decoded, without its end. Numbers count from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** What a parser is given: the interesting stretch of an input, never more than fits in memory. */
export interface Input {
  /** Name for `origin.place`: the file's name as the user gave it, `stdin`, `/dev/kmsg`, … Never used to recognise a format. */
  readonly name: string;
  readonly lines: readonly Line[];
}

/**
 * One format. A parser never throws on bad input, never invents a value, and keeps the text and its place.
 * One file a format, one entry in `parsers/index.ts`, one folder in `fixtures/`.
 */
export interface Parser {
  readonly id: string;
  readonly title: string;
  /**
   * Literal strings one of which stands in everything this parser understands: lets the scanner skip
   * what is of no interest in a file of gigabytes without decoding it. Case matters. Of inputs beyond 512 KiB only
   * needles of at least 8 bytes are looked for, so have one for whatever proves a death. None: the parser adds
   * to what others found and makes no stretch interesting by itself.
   */
  readonly literals: readonly string[];
  readonly parse: (input: Input) => Iterable<Evidence>;
}
