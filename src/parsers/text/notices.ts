/** A table of wordings for "this process was ended so", and the reader that all parsers of such words share. */
import { defined } from '../../model/defined.ts';
import type { DeathNotice, HintId } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { readPhrases, wholeText, type Found } from './lines.ts';
import { integer } from './sizes.ts';
import type { Prose } from '../../model/prose.ts';

export interface NoticeWording {
  readonly reporter: string;
  readonly literal: string;
  /** Groups `pid`, `name`, `code`, `signal` are taken where they took part. */
  readonly pattern: RegExp;
  readonly signal?: string;
  readonly exitCode?: number;
  readonly otherReason?: Prose;
  readonly resource?: DeathNotice['resource'];
  readonly guessesMemory?: boolean;
  readonly vanished?: true;
  /** Nothing where a closer look says that it is not what it seemed. */
  readonly unless?: (found: Found) => boolean;
  /** More than the groups tell. */
  readonly refine?: (found: Found, notice: DeathNotice) => DeathNotice;
  readonly span?: number;
}

const signals: Readonly<Record<string, string>> = {
  '4': 'SIGILL',
  '5': 'SIGTRAP',
  '6': 'SIGABRT',
  '7': 'SIGBUS',
  '8': 'SIGFPE',
  '9': 'SIGKILL',
  '11': 'SIGSEGV',
  '15': 'SIGTERM',
  KILL: 'SIGKILL',
  Killed: 'SIGKILL',
  killed: 'SIGKILL',
  SEGV: 'SIGSEGV',
  ABRT: 'SIGABRT',
  TERM: 'SIGTERM',
  BUS: 'SIGBUS',
};

/** `9`, `KILL`, `SIGKILL`, `Killed` as `SIGKILL`. */
export const signalName = (text: string | undefined): string | undefined =>
  text === undefined
    ? undefined
    : /^SIG[A-Z]+/.test(text)
      ? /^SIG[A-Z]+/.exec(text)![0]
      : signals[text];

/** Shells say 128 + n, Python and others -n, both for signal n. */
export function signalOfCode(code: number | undefined): string | undefined {
  if (code === undefined) return undefined;
  if (code > 128 && code < 160) return signals[String(code - 128)];
  if (code < 0 && code > -32) return signals[String(-code)];
  return undefined;
}

export function* readNotices(
  input: Input,
  source: string,
  wordings: readonly NoticeWording[],
): Iterable<DeathNotice> {
  yield* readPhrases<DeathNotice>(
    input,
    source,
    wordings.map(({ literal, pattern, span, ...wording }) => ({
      literal,
      pattern,
      ...defined({ span }),
      make: (found) => noticeOf(wording, found),
    })),
  );
}

function noticeOf(
  wording: Omit<NoticeWording, 'literal' | 'pattern' | 'span'>,
  found: Found,
): DeathNotice | undefined {
  if (wording.unless?.(found) === true) return undefined;
  const { pid, name, code, signal } = found.groups;
  const exitCode = wording.exitCode ?? integer(code);
  const ended = wording.signal ?? signalName(signal) ?? signalOfCode(exitCode);
  if (ended === undefined && exitCode === undefined && wording.vanished !== true) return undefined;
  const number = integer(pid);
  const hints = hintsIn(found.input);
  const notice: DeathNotice = {
    kind: 'death-notice',
    origin: found.origin,
    reporter: wording.reporter,
    ...defined({ pid: number }),
    ...defined({ name: nameOf(name), signal: ended, exitCode }),
    ...defined({ otherReason: wording.otherReason, resource: wording.resource }),
    ...(wording.vanished === true && ended === undefined ? { vanished: true } : {}),
    ...(wording.guessesMemory === undefined || deniesMemory(found.input)
      ? {}
      : { guessesMemory: wording.guessesMemory }),
    ...hintFields(hints),
  };
  return wording.refine === undefined ? notice : wording.refine(found, notice);
}

/** What makes memory likely, and how it is told. */
interface Hint {
  readonly id: HintId;
  readonly says: Prose;
}

export const hintFields = (hints: readonly Hint[]): Pick<DeathNotice, 'hints' | 'hintIds'> =>
  hints.length === 0
    ? {}
    : { hints: hints.map(({ says }) => says), hintIds: hints.map(({ id }) => id) };

/** What a sentence says of the process where a name could stand: `worker process has terminated: signal: killed`. */
const predicates =
  /^(?:process|command|terminated|killed|died|dead|exited|exit|failed|failure|error|crashed|ended|stopped|aborted|finished|unexpectedly|abnormally|abruptly|status|reason|because|with)$/i;

function nameOf(given: string | undefined): string | undefined {
  const name = given?.trim().slice(0, 80);
  return name === undefined || name === '' || predicates.test(name) ? undefined : name;
}

/** A named limit or a figure of memory is no sign that it ran out; only these words are. */
const memoryWords: readonly (readonly [RegExp, Hint])[] = [
  [
    /\b(?:ran|runs|running|run|was|is|went) out of (?:memory|RAM)\b|\bOOM\b|\bOOM[- ]?[Kk]ill|out[- ]of[- ]memory|内存不足|内存溢出|爆内存|メモリ不足|메모리 부족|нехватк\w* памяти|sin memoria|memoria insuficiente|mémoire insuffisante|nicht genug Speicher|zu wenig (?:Arbeits)?[Ss]peicher|estouro de memória|falta de memória|(?:n[o']t|no) (?:be |have |has |having )?(?:enough|sufficient) (?:\w{1,12} )?(?:memory|RAM)\b|\binsufficient (?:\w{1,12} )?(?:memory|RAM)\b/i,
    { id: 'memory-ran-out', says: 'the text speaks of memory running out' },
  ],
];

/** The text itself says that it was not memory. */
const denied =
  /\b(?:not|no|isn't|wasn't|never)(?: an?| the)? (?:OOM|out[- ]of[- ]memory)\b|\bno (?:\w{1,16} ){1,3}(?:of|from|by|for) (?:the |an? )?(?:OOM|out[- ]of[- ]memory)\b|\b(?:only|less than|under|below|just) ~?\d{1,2}(?:\.\d+)? ?% of (?:the )?(?:\w{1,12} )?(?:memory|RAM)\b|\b(?:plenty|lots|loads|tons) of (?:\w{1,12} )?(?:memory|RAM)\b|\b(?:memory|RAM) (?:is|was) (?:still )?(?:available|free)\b|nothing to do with (?:the )?memory|not (?:a )?memory (?:issue|problem|related)|unrelated to memory|memory (?:was|is) (?:fine|plenty|not the)|메모리와 무관|与内存无关|メモリとは無関係/i;

/** Whether the text itself says that memory was there. A long log holds many words: only a short text speaks of one death. */
export function deniesMemory(input: Input): boolean {
  let message = denials.get(input);
  if (message === undefined) {
    const whole = wholeText(input);
    message = whole.length <= 65_536 && denied.test(whole);
    denials.set(input, message);
  }
  return message;
}
const denials = new WeakMap<Input, boolean>();

const hintsOfInputs = new WeakMap<Input, readonly Hint[]>();

/** Words elsewhere in the text that make memory likely; never a proof. Kept: every notice asks for them. */
function hintsIn(input: Input): readonly Hint[] {
  let hints = hintsOfInputs.get(input);
  if (hints === undefined) {
    hints = findHints(wholeText(input));
    hintsOfInputs.set(input, hints);
  }
  return hints;
}

function findHints(whole: string): readonly Hint[] {
  const text =
    whole.length > 262_144
      ? ''
      : whole
          // what a supervisor always says is no second witness
          .replace(
            /Perhaps out of memory\?|system ran out of memory or someone|high memory usage causing|due to memory pressure \(OOM\)|excessive memory usage causing/g,
            '',
          )
          .replace(/["']?OOM[- ]?[Kk]illed["']?\s{0,3}[:= ]\s{0,3}["']?(?:false|no)\b/g, '');
  if (denied.test(text)) return [];
  return memoryWords.flatMap(([pattern, hint]) => (pattern.test(text) ? [hint] : []));
}

export const noticeParser = (
  id: string,
  title: string,
  wordings: readonly NoticeWording[],
): Parser => ({
  id,
  title,
  literals: [...new Set(wordings.map(({ literal }) => literal))],
  parse: (input) => readNotices(input, id, wordings),
});
