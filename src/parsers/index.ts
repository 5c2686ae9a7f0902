import type { Parser } from './parser.ts';

/** Every parser. A new format is one file, one line here, one folder in fixtures/. */
export const parsers: readonly Parser[] = [];
