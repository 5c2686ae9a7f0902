/**
 * Tracebacks of CPython 2.7 to 3.14, IPython and exception groups, whole or cut, with whatever prefix a log put before
 * them; and the last line of one that was pasted alone.
 */
import { defined } from '../../model/defined.ts';
import type { ProgramError } from '../../model/evidence.ts';
import type { StackFrame } from '../../model/report.ts';
import type { Input, Parser } from '../parser.ts';
import { stripPrefix } from '../text/prefix.ts';
import { isAdvice, lineAt, mentions, originOf, whenAt, wholeText } from '../text/lines.ts';
import { exceptionMeaning, meaningOf, type Meaning } from '../text/meaning.ts';
import { tensorMeaning, tensorOnUnknownDevice } from '../text/tensor-device.ts';
import { arrayRequest, requestedBytes } from '../text/sizes.ts';

const id = 'python-traceback';

export const pythonTraceback: Parser = {
  id,
  title: 'Python tracebacks and the exceptions at their end',
  literals: [
    'Traceback (most recent call last)',
    'MemoryError',
    'OutOfMemoryError',
    'OSError',
    'RuntimeError',
    'RecursionError',
    'Errno ',
    'WinError ',
    'bad_alloc',
    'allocate',
    'allocating',
    'OutOfMemory',
    'RESOURCE_EXHAUSTED',
    'out of memory',
    'OOM command',
    'is too big',
    'Maximum allowed',
    'No space left on device',
    'aging file is too small',
    'bad allocation',
    // A last line alone: what it means is told by its words, and most say nothing.
    'Error: ',
    'error: ',
    'emory allocation failed',
    'nsufficient memory',
  ],
  parse,
};

/** Innermost frames that are kept of one traceback: a recursion prints thousands. */
const maxFrames = 200;
/** Lines after which an unfinished traceback is given up. */
const patience = 60;

interface Block {
  readonly start: number;
  /** Outermost first, as printed. */
  readonly frames: StackFrame[];
  lastLine: number;
  /** IPython names the exception above its traceback too: all that is left of it where the end was cut off. */
  readonly named?: string;
}

interface Raised {
  readonly type: string;
  readonly message: string;
  readonly frames: readonly StackFrame[];
  readonly start: number;
  readonly end: number;
  readonly headed: boolean;
}

function* parse(given: Input): Iterable<ProgramError> {
  const input = unfolded(given);
  if (!/Error|Exception|Traceback|OutOfMemory/.test(wholeText(input))) return;
  for (const chain of chains(raisedIn(input), input)) {
    const fact = factOf(chain, input);
    if (fact !== undefined) yield input === given ? fact : asGiven(fact, given);
  }
}

/** Logs write a traceback as one line: `\\n` in JSON, `#012` by rsyslog. Each part becomes a line with the same number. */
function unfolded(input: Input): Input {
  const folded = /\\n {2,8}File |#012 {2,8}File /;
  if (!folded.test(wholeText(input))) return input;
  return {
    name: input.name,
    lines: input.lines.flatMap(({ number, text }) =>
      folded.test(text)
        ? text
            .split(/\\n|#012/)
            .slice(0, 5000)
            .map((part) => ({ number, text: part.replaceAll('\\"', '"') }))
        : [{ number, text }],
    ),
  };
}

/** A quote of an unfolded line stands in the input only where nothing was unescaped and no line was joined. */
function asGiven(fact: ProgramError, given: Input): ProgramError {
  const { quote } = fact.origin;
  if (quote === undefined || wholeText(given).includes(quote)) return fact;
  const first = quote.split('\n')[0]!.split('"')[0]!.trim();
  const { quote: _quote, ...origin } = fact.origin;
  return first !== '' && wholeText(given).includes(first)
    ? { ...fact, origin: { ...origin, quote: first } }
    : { ...fact, origin };
}

// Lines to exceptions --------------------------------------------------------------------------------------------

const header =
  /(?:Traceback|Exception Group Traceback) \((?:most recent call last|innermost last)\)/;
// A quotation mark within a field of CSV stands twice.
const frameLine = /^(.*?)\bFile "{1,2}([^"]{0,1000})"{1,2}, line (\d{1,9})(?:, in ([^\n]{1,300}))?/;
const ipythonFrame =
  /^\s*(?:File )?(~?[^\s:]{0,500}\.py|<ipython-input-[\w-]{1,60}>|\/[^\s:]{1,500}):(\d{1,7}), in ([\w.<>]{1,120})/;
const ipythonOldFrame = /^\s*([~/.<\w][^\s]{0,500}) in ([\w.<>]{1,120})(?:\(.{0,300}\))?\s*$/;
const ipythonCell =
  /^\s*(Cell In ?\[\d{1,6}\]|Input In \[\d{1,6}\])(?:, in)?,? (?:line (\d{1,7})|<(?:cell line: )?(\d{1,7})>|([\w.<>]{1,120})\()/;
/** `MemoryError          Traceback (most recent call last)`, above the frames. */
const ipythonHead =
  /^[\s`]*((?:\w{1,80}\.){0,12}_?[A-Z]\w{1,80}) {1,100}Traceback \(most recent call last\)/;
/** Types that say nothing without their words. */
const sayNothing =
  /(?:^|\.)(?:Runtime|OS|System|Internal|Database|Operational)?(?:Error|Exception)$/;
const ipythonArrow = /^-{1,6}> ?(\d{1,7})(?: |$)/;
/** An exception's name at the end of its traceback: dotted, or ending as exceptions do. */
const raisedLine =
  /^((?:[A-Za-z_]\w{0,80}\.){0,12}(?:_{0,2}[A-Z]\w{0,100}(?:Error|Exception|Warning|Exit|Interrupt|Failure|Killed|Died|Timeout|Group|BrokenProcessPool|BrokenExecutor|StopIteration|KilledWorker|CalledProcess\w{1,20}|NotFound|Refused|OutOfMemory)|BrokenProcessPool|KilledWorker|OutOfMemory|DiskFull|Exception|error)(?:\[\w{1,30}\])?)(?::(?: (.{0,3000}))?)?$/;

/** What logs put before a line, and pytest (`E   `), exception groups (`  | `), torchrun (`[rank0]: `), worker names. */
function bare(text: string): string {
  return (
    text
      // pytest's own crash, and a worker's traceback within it
      .replace(/^INTERNALERROR> ?(?:E {1,80})?/, '')
      .replace(/^[\s|+]*(?:\|[\s|+]*)?/, '')
      .replace(/^E {1,12}(?=[A-Za-z])/, '')
      .replace(
        /^(?:\[(?:default\d{1,4}\]:\[)?rank ?\d{1,5}\]:? ?|\[\d{1,4},\d{1,5}\]<std(?:err|out)>:|[\w.-]{1,40} +\| +|\((?:pid|[A-Za-z][\w .]{0,40} pid)=\d{1,9}[^)]{0,60}\) )+/,
        '',
      )
      .replace(/^[-*]\s+/, '')
      .trim()
  );
}

/** `[batch] `, `[worker-3] `: names of whose output it is. Not a level, which says more. */
const tags =
  /^(?:\[(?!(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\])[A-Za-z][\w./-]{0,40}\] ){1,3}(?=\S)/i;

/** The words after time, level and logger name. */
function withoutLogPrefix(text: string): string {
  const words = bare(
    stripPrefix(
      bare(
        stripPrefix(
          bare(text)
            .replace(/^\d{1,7} (?=\[)/, '')
            .replace(tags, ''),
        ).text,
      ),
    ).text,
  );
  const match =
    /^(?:.{0,160}?(?:\b(?:ERROR|CRITICAL|FATAL|WARN(?:ING)?|INFO|DEBUG|error|fatal)\b|[\w-]{1,60}\[[\w.-]{1,40}\])[^A-Za-z"'`]{0,40}?(?:\[[\w.:/-]{1,80}\] ?|[\w.]{1,80}(?::\d{1,6})? ?[-:|] ?){0,3})((?:[A-Za-z_]\w*\.)*_?[A-Z]\w*(?:Error|Exception|Pool|Worker)\b.*)$/.exec(
      words,
    );
  return match?.[1] ?? words;
}

function* raisedIn(input: Input): Iterable<Raised> {
  let block: Block | null = null;
  for (let at = 0; at < input.lines.length; at += 1) {
    const raw = input.lines[at]!.text;
    // Cheap look first: most lines of a log are of no interest.
    if (
      block === null &&
      !/Traceback|Error|Exception|File "|Pool|KilledWorker|OutOfMemory/.test(
        raw.length > 4096 ? raw.slice(0, 4096) : raw,
      )
    )
      continue;
    const text = lineAt(input, at);
    if (header.test(text)) {
      if (block !== null) yield* cutShort(block);
      block = newBlock(at, ipythonHead.exec(text)?.[1]);
      continue;
    }
    const frame = frameOf(text, input, at, block);
    if (frame !== null) {
      block ??= newBlock(at);
      block.frames.push(frame);
      if (block.frames.length > maxFrames) block.frames.shift();
      block.lastLine = at;
      continue;
    }
    if (block !== null) {
      const arrow = ipythonArrow.exec(text);
      const last = block.frames.at(-1);
      if (arrow !== null && last !== undefined) {
        block.frames[block.frames.length - 1] = { ...last, line: Number(arrow[1]) };
        block.lastLine = at;
        continue;
      }
    }
    const words = withoutLogPrefix(text);
    // Markdown around the last line of a traceback; elsewhere a bold name is a heading.
    const match =
      raisedLine.exec(words) ??
      (block === null || isComment(text, words, block, at)
        ? null
        : raisedLine.exec(unmarked(words)));
    if (match !== null && !isSource(text, match[1]!, block)) {
      yield {
        type: match[1]!,
        message: messageFrom(input, at, match[2] ?? '', block !== null),
        frames: block?.frames ?? [],
        start: block?.start ?? at,
        end: at,
        headed: block !== null,
      };
      block = null;
      continue;
    }
    if (block !== null && at - block.lastLine > patience) {
      yield* cutShort(block);
      block = null;
    }
    if (block === null) yield* inlineIn(input, at, text);
  }
  if (block !== null) yield* cutShort(block);
}

const newBlock = (at: number, named?: string): Block => ({
  start: at,
  frames: [],
  lastLine: at,
  ...defined({ named }),
});

/** A traceback whose last line never came: what its head says of it, where that says something. */
function* cutShort({ named, frames, start }: Block): Iterable<Raised> {
  if (named === undefined || frames.length === 0 || sayNothing.test(named)) return;
  if (!raisedLine.test(named)) return;
  yield { type: named, message: '', frames, start, end: start, headed: true };
}

/** Without the marks of Markdown and HTML around it, and with its underscores as they were. */
function unmarked(words: string): string {
  const inner = words
    .replace(/^(?:[*`~#]|<(?:b|i|em|strong|code|pre)>){1,12} ?/, '')
    .replace(/(?:[*`~]|<\/(?:b|i|em|strong|code|pre)>){1,12}$/, '')
    .replaceAll('\\_', '_');
  // The end of a field of CSV.
  return inner.endsWith('"') && inner.split('"').length % 2 === 0 ? inner.slice(0, -1) : inner;
}

function frameOf(text: string, input: Input, at: number, block: Block | null): StackFrame | null {
  const cpython = frameLine.exec(text);
  if (cpython !== null) {
    const [, before = '', file = '', line, name] = cpython;
    return frame(
      name ?? '<module>',
      file === '' ? '<unknown>' : file,
      Number(line),
      sourceAfter(input, at, before.trimEnd()),
    );
  }
  if (block === null) return null;
  const named = ipythonFrame.exec(text);
  if (named !== null) return frame(named[3]!, named[1]!, Number(named[2]));
  const cell = ipythonCell.exec(text);
  if (cell !== null)
    return frame(cell[4] ?? '<cell>', cell[1]!, Number(cell[2] ?? cell[3] ?? 0) || null);
  const old = ipythonOldFrame.exec(text);
  if (old !== null) return frame(old[2]!, old[1]!, null);
  return null;
}

const frame = (name: string, file: string, line: number | null, text?: string): StackFrame => ({
  function: name.trim().replace(/\s.*$/, '').replace(/\(.*$/, ''),
  file,
  line,
  ...defined({ text }),
});

/** Prefixes of one logger differ in their digits: times, counters. */
const prefixShape = (prefix: string): string => prefix.replace(/\d/g, '0');

/** The source line under a frame, where it was printed. `prefix`: what a log had put before the frame. */
function sourceAfter(input: Input, at: number, prefix: string): string | undefined {
  const line = lineAt(input, at + 1);
  const next =
    prefix !== '' && prefixShape(line.slice(0, prefix.length)) === prefixShape(prefix)
      ? line.slice(prefix.length)
      : line;
  const words = bare(stripPrefix(next).text);
  if (words === '' || frameLine.test(next) || header.test(next) || /^[\^~\s]+$/.test(words))
    return undefined;
  if (raisedLine.test(words) && !/^\s{4,}/.test(next)) return undefined;
  return words.slice(0, 300);
}

/** `raise MemoryError` and `except MemoryError:` under a frame are source text. */
function isSource(text: string, type: string, block: Block | null): boolean {
  return (
    block !== null &&
    block.frames.length > 0 &&
    /^\s{4,}/.test(text) &&
    !/^\s*(?:E {2}|\|)/.test(text) &&
    /^\s*(?:raise|except|class|return)\b/.test(text) &&
    text.includes(type)
  );
}

/** `# MemoryError` under a frame is source text as well, a heading of Markdown is not. */
const isComment = (text: string, words: string, block: Block, at: number): boolean =>
  words.startsWith('#') && (/^\s{4,}/.test(text) || at === block.lastLine + 1);

/** The message with the lines it was wrapped over, as far as they go on it and not on something else. */
function messageFrom(input: Input, at: number, first: string, inBlock: boolean): string {
  let message = first.trim();
  // Windows and cloud consoles wrap at 80 or 120; a message that ends a traceback goes on until an empty line.
  for (let next = at + 1; next <= at + 8 && next < input.lines.length; next += 1) {
    const text = lineAt(input, next);
    const words = bare(text);
    if (words === '' || header.test(text) || frameLine.test(text) || raisedLine.test(words)) break;
    // Debug pages put the type on a line of its own.
    const parted = message === '' && /^Unable to allocate \d/.test(words);
    if (!inBlock && !parted && message.length < 40 && !/[\w,(]$/.test(message)) break;
    if (
      /^(?:-[+-]-|\[?\d{4}-\d\d-\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:|\$ |bash: |real\t|exit=|\[\s*\d+\.\d+\]|During handling|The above exception|-- |=== |###)/.test(
        words,
      )
    )
      break;
    message = `${message} ${words}`.slice(0, 3000);
  }
  return message.replace(/\s+/g, ' ').trim();
}

/** `… failed with \`numpy._core._exceptions._ArrayMemoryError: Unable to allocate 77.4 GiB\`.`: an exception named in a sentence. */
function* inlineIn(input: Input, at: number, text: string): Iterable<Raised> {
  if (/^\s*(?:raise|except|class|import|from|catch|def|#|\/\/)\b/.test(text)) return;
  const mention =
    /(?:^|[\s`'"“‘«„(*|>:\]-])((?:[A-Za-z_]\w{0,80}\.){0,12}(?:[A-Z_]\w{0,80}(?:Error|Exception|BrokenProcessPool)|error(?=: OpenCV)))(\(['"]?| ?: ?)([^`]{0,1500})/.exec(
      text,
    );
  const alone =
    /(?:fail(?:ed|s|ing)?|die[ds]?|crash(?:ed|es)?|end(?:ed|s)|exit(?:ed|s)|threw|throws|raised|raises|hit|got|gets|with|by|due to|caused by)(?: (?:with|on|by|in|a|an|the|python))* [`*'"]{0,3}((?:[a-z_]\w{0,40}\.){0,6}_?(?:Array)?MemoryError)\b/i.exec(
      text,
    );
  const match = mention ?? alone;
  if (match === null) return;
  const before = text.slice(0, match.index + 1);
  if (isAdvice(before)) return;
  if (
    /(?:raise|except|catch|class|instanceof|isinstance\(\w+,|throw new|import|handle|handles|handling)\s*\(?$/.test(
      before.trim(),
    )
  )
    return;
  yield {
    type: match[1]!,
    message: mention === null ? '' : mentionedMessage(input, at, text, mention[2]!, mention[3]!),
    frames: [],
    start: at,
    end: at,
    headed: false,
  };
}

/** The message of a mention: up to the bracket or backtick that closes it, over the lines that a full line was wrapped onto. */
function mentionedMessage(
  input: Input,
  at: number,
  line: string,
  opener: string,
  rest: string,
): string {
  let message = rest;
  const closes = (text: string): boolean =>
    /`/.test(line.slice(line.indexOf(rest) + rest.length)) ||
    (opener.startsWith('(') && /(?:^|['"])\)|^[^'"()]{0,200}\)$/.test(text));
  for (let step = 1; step <= 2 && !closes(message) && line.length >= 60; step += 1) {
    const text = lineAt(input, at + step);
    const words = bare(text);
    if (words === '' || header.test(text) || frameLine.test(text) || /^[[\d]/.test(words)) break;
    message = `${message} ${words.split('`')[0]!}`;
    if (words.includes('`')) break;
  }
  if (opener.startsWith('(')) message = message.split(/^\)|['"]\)/)[0]!;
  return message.replace(/\s+/g, ' ').trim().slice(0, 1500);
}

// Exceptions to facts --------------------------------------------------------------------------------------------

const joiner =
  /During handling of the above exception|The above exception was the direct cause|^\s*"{3}\s*$|^\s*$|RemoteTraceback|ExceptionWithTraceback/;

/** Exceptions that were raised while another was handled belong together, the first cause first. */
function* chains(raised: Iterable<Raised>, input: Input): Iterable<readonly Raised[]> {
  let chain: Raised[] = [];
  for (const one of raised) {
    const last = chain.at(-1);
    if (last !== undefined && !joined(last, one, input)) {
      yield chain;
      chain = [];
    }
    chain.push(one);
  }
  if (chain.length > 0) yield chain;
}

function joined(before: Raised, after: Raised, input: Input): boolean {
  if (
    /RemoteTraceback|ExceptionWithTraceback|_RemoteTraceback/.test(before.type) &&
    after.start - before.end <= 3
  )
    return true;
  if (after.start - before.end > 12) return false;
  let link = false;
  for (let at = before.end + 1; at < after.start; at += 1) {
    const text = lineAt(input, at);
    if (
      /During handling of the above exception|The above exception was the direct cause/.test(text)
    )
      link = true;
    else if (!joiner.test(text) && !link && at > before.end + 8) return false;
  }
  return link;
}

function factOf(chain: readonly Raised[], input: Input): ProgramError | undefined {
  const judged = chain.map((one) => ({ one, meaning: meaningOfRaised(one, input) }));
  const telling = judged.find(({ meaning }) => meaning !== undefined);
  const last = chain.at(-1)!;
  const chosen = telling?.one ?? last;
  const meaning = telling?.meaning;
  // Others read these: the guard or the pool that speaks knows more than the type. A server's words are the client's.
  if (
    meaning?.resource !== 'none' &&
    (elsewhere.test(chosen.type) || elsewhere.test(`${chosen.type}: ${chosen.message}`))
  )
    return undefined;
  if (meaning === undefined && !(last.headed && last.frames.length > 0)) return undefined;
  const from = telling === undefined ? last.end : chosen.end;
  const words = `${chosen.type}: ${chosen.message}`;
  const request = requestedBytes(words);
  const array = arrayRequest(words);
  const stack =
    chain.find(({ frames }) => frames.length > 0 && frames === chosen.frames)?.frames ??
    chosen.frames;
  const where = surroundings(input, chosen.start);
  const when =
    whenAt(input, from) ?? whenAt(input, chosen.start) ?? whenAt(input, chosen.start - 1);
  return {
    kind: 'program-error',
    origin: originOf(
      input,
      id,
      from,
      from + wrappedLines(input, from, chosen),
      chosen.type.slice(-20),
    ),
    language: 'python',
    type: chosen.type,
    message: chosen.message,
    resource: meaning?.resource ?? 'none',
    stack: [...(stack.length > 0 ? stack : outer(chain))].reverse(),
    fate: where.fate,
    ...defined({ threadName: where.threadName, requestBytes: request }),
    ...(array === undefined ? {} : { array: { shape: array.shape, dtype: array.dtype } }),
    ...(limitIn(words) === undefined ? {} : { limitBytes: limitIn(words)! }),
    ...defined({ pid: where.pid }),
    ...(meaning?.variant === undefined ? {} : { variant: meaning.variant }),
    ...(meaning?.actualMeaning === undefined ? {} : { actualMeaning: meaning.actualMeaning }),
    ...defined({ when }),
    ...(meaning?.resource === 'memory'
      ? {
          class: /[./]?(?:MemoryError|_ArrayMemoryError)$/.test(chosen.type)
            ? 'memory-error'
            : 'other-exception',
        }
      : {}),
    headed: chosen.headed,
  };
}

const outer = (chain: readonly Raised[]): readonly StackFrame[] =>
  chain.find(({ frames }) => frames.length > 0)?.frames ?? [];

/** Exceptions of pools, guards and shells: their own parsers read them. */
const elsewhere =
  /^OutOfMemoryError\b|\bNoMemoryError\b|RayOutOfMemoryError|BrokenProcessPool|TerminatedWorkerError|KilledWorker|WorkerLostError|ray\.exceptions|WorkerCrashedError|CalledProcessError.{0,4000}died with|ChildFailedError|ProcessExitedException|ProcessRaisedException|DataLoader worker|AirflowException.{0,200}Negsignal|ChildProcessCrash|NannyError|^java\.|^org\.apache\.spark\.|Py4J/;

/** A library built for other pages fails at its first allocation, whatever the machine has free. */
const foreignPages = /<jemalloc>: Unsupported system page size/;

/** TensorFlow lists the roots of an error, and their devices, below it. */
const isTensorError = ({ type }: Raised, meaning: Meaning | undefined): boolean =>
  meaning?.variant === tensorOnUnknownDevice ||
  (type.endsWith('ResourceExhaustedError') &&
    meaning?.resource === 'memory' &&
    meaning.variant === undefined);

function meaningOfRaised(one: Raised, input: Input): Meaning | undefined {
  const frames = one.frames.map(({ file, text }) => `${file ?? ''} ${text ?? ''}`).join(' ');
  const meaning =
    one.type.endsWith('ArrowMemoryError') && mentions(input, foreignPages)
      ? meaningOf('<jemalloc>: Unsupported system page size')
      : exceptionMeaning(one.type, one.message);
  if (isTensorError(one, meaning)) return tensorMeaning(input, one.end);
  if (meaning?.resource === 'gpu' && /pin_memory|cudaHostAlloc/.test(frames.slice(-600)))
    return { resource: 'memory', variant: 'pinned-host-memory' };
  if (
    meaning?.resource === 'disk' &&
    /multiprocessing\/(?:heap|shared_memory|synchronize)|torch\/multiprocessing|\/dev\/shm/.test(
      `${frames} ${one.message}`,
    )
  )
    return { resource: 'shm' };
  // A memory error of an ordinary type is one only where its words say so.
  if (meaning !== undefined && meaning.resource === 'memory' && one.type.endsWith('Warning'))
    return undefined;
  return meaning;
}

function limitIn(words: string): number | undefined {
  const used = /\((\d[\d.]* ?[KMGT]i?B)\/(\d[\d.]* ?[KMGT]i?B) used\)/.exec(words);
  return used === null ? undefined : (sizeOf(used[2]!) ?? undefined);
}
const sizeOf = (text: string): number | undefined => requestedBytes(`tried to allocate ${text}`);

function wrappedLines(input: Input, at: number, { message }: Raised): number {
  let lines = 0;
  while (lines < 6) {
    const words = bare(lineAt(input, at + lines + 1)).replace(/\s+/g, ' ');
    if (words === '' || !message.includes(words)) break;
    lines += 1;
  }
  return lines;
}

/** What stands before a traceback: whose it is and whether anybody caught it. */
function surroundings(
  input: Input,
  start: number,
): { fate: ProgramError['fate']; threadName?: string; pid?: number } {
  const here = lineAt(input, start);
  const before = `${lineAt(input, start - 2)}\n${lineAt(input, start - 1)}\n${here}`;
  const thread = /Exception in thread (.{1,80}?)(?: \((\w{1,60})\))?:/.exec(before);
  if (thread !== null) return { fate: 'thread', threadName: thread[1]! };
  if (
    /Exception ignored (?:in|on)|Task exception was never retrieved|Exception in callback|Unhandled exception in event loop/.test(
      before,
    )
  )
    return { fate: 'ignored' };
  const process = /^Process (?:[\w.-]{1,60}):/m.exec(before);
  const pid = /\bpid[ =:]{1,2}(\d{1,9})\b/.exec(here);
  const at = pid === null ? {} : { pid: Number(pid[1]) };
  if (process !== null) return { fate: 'uncaught', ...at };
  if (/\b(?:ERROR|CRITICAL|WARNING|EXCEPTION)\b|^(?:error|exception)\b/im.test(before))
    return { fate: 'caught', ...at };
  return { fate: header.test(here) ? 'uncaught' : 'unknown', ...at };
}
