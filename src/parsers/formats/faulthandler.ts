/**
 * Python's faulthandler: `Fatal Python error: Segmentation fault` with every thread's stack, and its `Timeout`.
 * The words tell where it crashed, not why.
 */
import type { DeathNotice, ProgramAbort } from '../../model/evidence.ts';
import type { StackFrame } from '../../model/report.ts';
import type { Input, Parser } from '../parser.ts';
import { elsewhere, lineAt, originOf, wholeText } from '../text/lines.ts';

const id = 'faulthandler';

const signals: Readonly<Record<string, string>> = {
  'Segmentation fault': 'SIGSEGV',
  Aborted: 'SIGABRT',
  'Bus error': 'SIGBUS',
  'Illegal instruction': 'SIGILL',
  'Floating point exception': 'SIGFPE',
  // Windows: `Windows fatal exception: access violation`
  'access violation': 'SIGSEGV',
  'stack overflow': 'SIGSEGV',
};

export const faulthandler: Parser = {
  id,
  title: "faulthandler's dump of a crash",
  literals: ['Fatal Python error: ', 'fatal exception: ', 'set_nomemory'],
  parse,
};

function* parse(input: Input): Iterable<DeathNotice | ProgramAbort> {
  yield* injected(input);
  if (!/Fatal Python error: |fatal exception: /.test(wholeText(input))) return;
  for (const [at, { text }] of input.lines.entries()) {
    if (!text.includes('atal ')) continue;
    const match =
      /(?:Fatal Python error: |Windows fatal exception: )(Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception|access violation|stack overflow)/.exec(
        text.slice(0, 2000),
      );
    if (match === null) {
      // The interpreter gave up at start-up or found itself broken; its words on memory are read elsewhere.
      const other = /Fatal Python error: (?!.{0,200}[Mm]emory)(.{3,200})/.exec(text.slice(0, 2000));
      // 3.6 to 3.10 `Cannot recover from stack overflow.`, 3.11 to 3.13 `Unrecoverable stack overflow`, 3.14 `... (used 8040 kB)`.
      if (other !== null && /stack overflow/i.test(other[1]!))
        yield {
          kind: 'program-abort',
          origin: originOf(input, id, at),
          reporter: 'the interpreter',
          signal: 'SIGABRT',
          resource: 'stack',
          message: 'the interpreter ran out of stack and gave up',
          stack: stackAfter(input, at),
        };
      else if (other !== null)
        yield {
          kind: 'death-notice',
          origin: originOf(input, id, at),
          reporter: 'the interpreter',
          signal: 'SIGABRT',
          stack: stackAfter(input, at),
        };
      continue;
    }
    const stack = stackAfter(input, at);
    yield {
      kind: 'death-notice',
      origin: originOf(input, id, at),
      reporter: 'faulthandler',
      signal: signals[match[1]!]!,
      // A page of /dev/shm that could not be had is a bus error, and there is no word on it elsewhere.
      ...(match[1] === 'Bus error' &&
      stack.some(({ file }) =>
        /multiprocessing\/(?:shared_memory|heap|sharedctypes)\.py$|torch\/multiprocessing\//.test(
          file ?? '',
        ),
      )
        ? { otherReason: 'shared memory', resource: 'shm' as const }
        : {}),
      stack,
    };
  }
}

/** CPython's own fault injection: the allocations that failed were made to fail, and a crash after them did not look. */
function* injected(input: Input): Iterable<ProgramAbort> {
  const at = input.lines.findIndex(({ text }) => /\bset_nomemory\b/.test(text));
  const crash = elsewhere(
    input,
    /Segmentation fault|SIGSEGV|EXC_BAD_ACCESS|SIGABRT|Assertion .{1,300} failed|Aborted/,
  );
  if (at === -1 || crash === null) return;
  const segfault = /Segmentation|SIGSEGV|BAD_ACCESS/.test(crash[0]);
  yield {
    kind: 'program-abort',
    origin: originOf(input, id, at),
    reporter: 'CPython',
    signal: segfault ? 'SIGSEGV' : 'SIGABRT',
    resource: 'memory',
    variant: 'injected',
    message: crash[0],
    stack: [],
    crashed: true,
    crash: segfault ? 'segfault' : 'abort',
  };
}

const jitted = / \[jitted\]\s*$/;

/** The current thread's frames, innermost first as they are printed. */
function stackAfter(input: Input, at: number): readonly StackFrame[] {
  const frames: StackFrame[] = [];
  let wasCompiled = false;
  for (let next = at + 1; next < Math.min(at + 400, input.lines.length); next += 1) {
    const text = lineAt(input, next);
    // The next crash has frames of its own.
    if (text.includes('Fatal Python error: ')) break;
    const match = /File "([^"]{1,1000})", line (\d{1,9}) in (.{1,200})$/.exec(text.trimEnd());
    if (match !== null) {
      const [name, isCompiled] = [match[3]!.trim().replace(jitted, ''), jitted.test(match[3]!)];
      const last = frames.at(-1);
      // PyPy tells a call that runs as machine code twice.
      const isTold = wasCompiled && last?.function === name && last.file === match[1];
      if (!isTold) frames.push({ function: name, file: match[1]!, line: Number(match[2]) });
      wasCompiled = isCompiled;
    } else if (frames.length > 0) break;
  }
  return frames;
}
