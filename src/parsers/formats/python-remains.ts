/**
 * What is left of a MemoryError where memory was so full that CPython could not print it: no traceback, no file, the word
 * MemoryError in odd places, or an interpreter that gave up.
 */
import type { ProgramAbort, ProgramError } from '../../model/evidence.ts';
import type { StackFrame } from '../../model/report.ts';
import type { Input, Parser } from '../parser.ts';
import {
  lineAt,
  originOf,
  readPhrases,
  wholeText,
  type Found,
  type Phrase,
} from '../text/lines.ts';

const id = 'python-remains';

export const pythonRemains: Parser = {
  id,
  title: 'What is left of a MemoryError that Python could not print',
  literals: [
    'MemoryError',
    'lost sys.stderr',
    'sys.unraisablehook',
    'error return without exception set',
    'Fatal Python error',
    'sys.excepthook is missing',
  ],
  parse,
};

function* parse(input: Input): Iterable<ProgramError | ProgramAbort> {
  const whole = wholeText(input);
  if (whole.includes('MemoryError')) {
    yield* bareChains(input);
    yield* readPhrases(input, id, dumps);
  }
  yield* readPhrases(input, id, fatal);
  if (whole.includes('error return without exception set')) yield* readPhrases(input, id, unwound);
}

/** The exception's name, alone on its line, again and again, without any `Traceback` (3.6 to 3.12). */
function* bareChains(input: Input): Iterable<ProgramError> {
  for (let at = 0; at < input.lines.length; at += 1) {
    if (!isBare(lineAt(input, at)) || !startsAlone(input, at)) continue;
    let last = at;
    for (;;) {
      const joint = nextWords(input, last);
      if (
        joint === -1 ||
        !lineAt(input, joint).trim().startsWith('During handling of the above exception')
      )
        break;
      const next = nextWords(input, joint);
      if (next === -1 || !isBare(lineAt(input, next))) break;
      last = next;
    }
    if (last === at) continue; // one MemoryError alone is the last line of a traceback
    yield remains(originOf(input, id, at, last), 'bare-name', '');
    at = last;
  }
}

const isBare = (text: string): boolean => text.trim() === 'MemoryError';

function nextWords(input: Input, at: number): number {
  for (let next = at + 1; next < Math.min(at + 4, input.lines.length); next += 1)
    if (lineAt(input, next).trim() !== '') return next;
  return -1;
}

function startsAlone(input: Input, at: number): boolean {
  for (let before = at - 1; before >= Math.max(0, at - 3); before -= 1) {
    const text = lineAt(input, before);
    if (text.trim() === '') continue;
    return !/^\s+|^\s*File "|Traceback|During handling/.test(text);
  }
  return true;
}

const remains = (
  origin: ProgramError['origin'],
  kind: 'bare-name' | 'object-dump' | 'lost-exception' | 'ignored',
  message: string,
  stack: readonly StackFrame[] = [],
): ProgramError => ({
  kind: 'program-error',
  origin,
  language: 'python',
  type: kind === 'lost-exception' ? 'SystemError' : 'MemoryError',
  message,
  resource: 'memory',
  stack,
  fate: kind === 'ignored' ? 'ignored' : 'uncaught',
  class: kind,
  headed: kind !== 'bare-name',
});

/** The object dump of `_PyObject_Dump` when stderr is lost (3.8 to 3.13; the older wording: 3.6 and 3.7; 2.7's `ignored`). */
const dumps: readonly Phrase<ProgramError>[] = [
  {
    literal: 'object type name',
    span: 5,
    pattern: /object type name ?: (?:MemoryError\b.{0,200}|.{0,80}\bMemoryError\(\))/,
    make: (found) => remains(aroundDump(found), 'object-dump', '', framesBefore(found)),
  },
  {
    literal: 'MemoryError',
    span: 1,
    pattern: /^type ?: MemoryError$/,
    make: (found) => remains(aroundDump(found), 'object-dump', '', framesBefore(found)),
  },
  {
    literal: 'Exception MemoryError',
    pattern: /Exception MemoryError: (?:MemoryError\(.{0,100}?\)|<.{0,100}?>) in .{1,300}? ignored/,
    make: ({ origin }) => remains(origin, 'ignored', ''),
  },
  {
    literal: 'sys.unraisablehook',
    span: 2,
    pattern:
      /Exception ignored (?:on building|in) sys\.unraisablehook(?: arguments)?:? MemoryError/,
    make: ({ origin }) => remains(origin, 'ignored', ''),
  },
];

/** The dump with its neighbours: `object address` before, `lost sys.stderr` behind. */
function aroundDump({ input, index }: Found): ProgramError['origin'] {
  const dump = /^(?:object |type|refcount|address|lost sys\.stderr)/;
  let from = index;
  while (from > 0 && index - from < 5 && dump.test(lineAt(input, from - 1).trim())) from -= 1;
  let to = index;
  while (to - index < 5 && dump.test(lineAt(input, to + 1).trim())) to += 1;
  return originOf(input, id, from, to);
}

/** Frames of a traceback that broke off into the dump. */
function framesBefore({ input, index }: Found): StackFrame[] {
  const frames: StackFrame[] = [];
  for (let at = index - 1; at >= Math.max(0, index - 40); at -= 1) {
    const match = /File "([^"]{1,500})", line (\d{1,9})(?:, in (\S{1,200}))?/.exec(
      lineAt(input, at),
    );
    if (match !== null)
      frames.push({ function: match[3] ?? '<module>', file: match[1]!, line: Number(match[2]) });
    else if (/Traceback/.test(lineAt(input, at))) return frames;
  }
  return frames;
}

/** 3.11 to 3.13: memory ran out while a deep recursion was unwound, and the exception got lost. */
const unwound: readonly Phrase<ProgramError>[] = [
  {
    literal: 'error return without exception set',
    pattern:
      /SystemError: (?:<.{1,200}> returned NULL without setting an exception|error return without exception set)/,
    make: (found) => {
      const frames = framesBefore(found);
      const recursion = Array.from({ length: 6 }, (_, back) =>
        lineAt(found.input, found.index - back),
      ).some((text) => /Previous line repeated \d{3,} more times/.test(text));
      // Without the recursion it is the bug of some extension module.
      return recursion
        ? remains(
            originOf(found.input, id, found.index - 1, found.index),
            'lost-exception',
            found.match[0],
            frames,
          )
        : undefined;
    },
  },
];

const abort = (origin: ProgramAbort['origin'], message: string): ProgramAbort => ({
  kind: 'program-abort',
  origin,
  reporter: 'Fatal Python error',
  signal: 'SIGABRT',
  resource: 'memory',
  message,
  stack: [],
});

/** The interpreter's own last words for lack of memory, 2.7 to 3.13. */
const fatal: readonly Phrase<ProgramAbort>[] = [
  {
    literal: 'Fatal Python error',
    // The message begins with its words, or with the C function (3.8 and later): words further on are another's.
    pattern:
      /Fatal Python error: (?:[\w.]{1,60}: )?(?:Cannot recover from MemoryErrors?|Out of memory and PyExc_MemoryError|out of memory\b(?!:)|memory allocation failed|Could not preallocate MemoryError|Not enough memory|can't allocate).{0,160}/,
    // A mail may wrap the message once; the words of later lines are another's.
    span: 2,
    make: ({ origin, match }) => abort(origin, match[0]),
  },
];
