/** Last words of native programs and of runtimes other than Python whose allocation was refused. */
import { defined } from '../../model/defined.ts';
import type { ProgramAbort } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import {
  isAdvice,
  lineAt,
  readPhrases,
  wholeText,
  type Found,
  type Phrase,
} from '../text/lines.ts';
import type { Refusal } from '../text/refusals/refusal.ts';
import { refusals } from '../text/refusals/refusals.ts';
import { impossibleSize } from '../text/known-words.ts';
import { isImpossibleRequest, requestedBytes } from '../text/sizes.ts';

const id = 'native-abort';

export const nativeAbort: Parser = {
  id,
  title:
    'Last words of programs whose allocation failed: C++, Rust, Go, R, PHP, databases, tools; and words that only sound so',
  literals: [...new Set(refusals.map(({ literal }) => literal))],
  parse,
};

function* parse(input: Input): Iterable<ProgramAbort> {
  const crash = crashIn(input);
  yield* readPhrases(
    input,
    id,
    refusals.map((refusal): Phrase<ProgramAbort> => ({
      literal: refusal.literal,
      pattern: refusal.pattern,
      make: (found) => factOf(refusal, found, crash),
    })),
  );
}

/** What the words mean: a size that nobody can have meant is a bug, whatever program names it. */
const meaningIn = (
  { resource = 'memory', actualMeaning }: Refusal,
  words: string,
): Pick<ProgramAbort, 'resource' | 'actualMeaning'> =>
  resource === 'memory' && isImpossibleRequest(words)
    ? impossibleSize
    : { resource, ...defined({ actualMeaning }) };

function factOf(refusal: Refusal, found: Found, crash: Crash | null): ProgramAbort | undefined {
  const { reporter, signal, variant, raises, unless } = refusal;
  const meaning = meaningIn(refusal, found.match[0]);
  const line = lineAt(found.input, found.index);
  if (raises === true && isElsewhere(line, found)) return undefined;
  if (unless?.(found) === true) return undefined;
  const request = requestedBytes(found.match[0]);
  const crashed =
    meaning.resource === 'memory' &&
    crash !== null &&
    crash.at >= found.index &&
    crash.at - found.index <= 12
      ? crash
      : null;
  const ended = signal === 'SIGABRT' ? endedIn(found) : {};
  return {
    kind: 'program-abort',
    origin: found.origin,
    reporter,
    ...ended,
    ...defined({ signal }),
    ...meaning,
    message: found.match[0],
    stack: [],
    ...defined({ requestBytes: request, variant, raises }),
    ...(crashed === null ? {} : { crashed: true, crash: crashed.how }),
  };
}

/** Python's exceptions, the JVM's and the kernel's lines have parsers of their own that know more. */
function isElsewhere(line: string, { match, passage }: Found): boolean {
  const before = passage.slice(Math.max(0, match.index - 200), match.index);
  return (
    isAdvice(before) ||
    // mlock is refused with ENOMEM at the limit of locked memory (ulimit -l): nothing ran out, and most go on without
    /\b(?:m(?:un)?lock(?:all|2)?\b|lock(?:ing)? (?:\w{1,12} ){0,2}memory\b)[^\n]{0,100}$/i.test(
      before,
    ) ||
    /(?:(?<!java\.[\w.]{0,40})(?<![A-Za-z0-9])[A-Z]\w{0,60}(?:Error|Exception)(?:\(['"]?|: ?)|\[Errno \d+\] ?)[^`]{0,190}$/.test(
      before,
    ) ||
    /\[enforce fail at|os::commit_memory|__vm_enough_memory|(?<!cv::)OutOfMemoryError(?!\(\))|errno=12|page allocation failure/.test(
      line,
    )
  );
}

/** Lines within which the shell tells who aborted. */
const shellLines = 6;

/** `job.sh: line 19: 4711 Aborted (core dumped) tool -t 20`, zsh's `[1]    4711 abort (core dumped)  tool`: whose last words these were. */
function endedIn({ input, index }: Found): Pick<ProgramAbort, 'pid' | 'name' | 'victimNearby'> {
  for (let at = index; at <= index + shellLines && at < input.lines.length; at += 1) {
    const match =
      /(?:: line \d{1,6}: {1,3}(\d{1,9}) Aborted|\[\d{1,4}\] ? ?[+-]? {0,8}(\d{1,9}) abort) {0,30}(?:\(core dumped\))? {0,30}(?:(?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?!env\b)([\w./~][^\s'"]{0,200}))?/.exec(
        input.lines[at]!.text.slice(0, 4096),
      );
    if (match === null) continue;
    const name = match[3]?.split('/').at(-1);
    return {
      pid: Number(match[1] ?? match[2]),
      victimNearby: true,
      ...(name === undefined || name === '' ? {} : { name }),
    };
  }
  return {};
}

interface Crash {
  readonly at: number;
  readonly how: 'segfault' | 'abort';
}

/** A crash told of by the shell or by an exit status: it hides the allocation that failed before. */
function crashIn(input: Input): Crash | null {
  const whole = wholeText(input);
  if (!/Segmentation fault|SIGSEGV|3221226505|3221225477|C0000409|C0000005|-107374/i.test(whole))
    return null;
  for (const [at, { text }] of input.lines.entries()) {
    if (/Segmentation fault|SIGSEGV|3221225477|C0000005|-1073741819/i.test(text))
      return { at, how: 'segfault' };
    // 0xC0000409: Windows' fast-fail, which is how Rust and C++ abort there
    if (/3221226505|C0000409|-1073740791/i.test(text))
      return { at: Math.max(at, input.lines.length - 1), how: 'abort' };
  }
  return null;
}
