/**
 * Backtraces as gdb, lldb and AddressSanitizer print them, where there is no core to read: an allocation that failed stands
 * in the frames themselves, or a NULL that a failed allocation inside the interpreter leaves behind.
 */
import type { ProgramAbort } from '../../model/evidence.ts';
import type { StackFrame } from '../../model/report.ts';
import type { Input, Parser } from '../parser.ts';
import { lineAt, originOf, wholeText } from '../text/lines.ts';

const id = 'debugger-listing';
const maxFrames = 64;

interface Listed {
  readonly frame: StackFrame;
  readonly at: number;
  /** What stands behind the function: arguments, place, remarks. */
  readonly rest: string;
}

/** What nobody calls but the runtime that was refused memory, just before it gives up. */
const handlers = [
  {
    reporter: 'rust',
    literal: '_oom',
    pattern: /(?:^|::)(?:rust_oom|__rg_oom|__rdl_oom)$/,
  },
  { reporter: 'rust', literal: 'alloc_error', pattern: /(?:^|::)handle_alloc_error(?:$|::)/ },
  { reporter: 'mozalloc', literal: 'mozalloc_handle_oom', pattern: /^mozalloc_handle_oom$/ },
  {
    reporter: 'Chromium',
    literal: 'OnNoMemory',
    pattern: /^(?:base::)?(?:internal::)?OnNoMemoryInternal$|TerminateBecauseOutOfMemory$/,
  },
  { reporter: 'LLVM', literal: 'report_bad_alloc_error', pattern: /report_bad_alloc_error$/ },
  { reporter: 'tcmalloc', literal: 'throw_oom', pattern: /allocate_full_cpp_throw_oom/ },
  { reporter: 'gnulib', literal: 'xalloc_die', pattern: /^xalloc_die$/ },
] as const;

export const debuggerListing: Parser = {
  id,
  title: 'Backtraces of gdb, lldb and AddressSanitizer as text',
  literals: [
    'operator new',
    '__throw_bad_alloc',
    ...handlers.map(({ literal }) => literal),
    'Py_DECREF',
    'Py_INCREF',
    'Py_XDECREF',
    'Py_TYPE',
  ],
  parse,
};

function* parse(input: Input): Iterable<ProgramAbort> {
  if (!/#\d/.test(wholeText(input))) return;
  // `coredumpctl info` has a parser that knows whose stack it is.
  if (wholeText(input).includes('Stack trace of thread')) return;
  for (const stack of stacksIn(input)) {
    const fact =
      refusedNew(stack, input) ?? refusalHandler(stack, input) ?? interpretersNull(stack, input);
    if (fact !== undefined) yield fact;
  }
}

/** `#5  operator new (sz=17179869184)` below `std::terminate` and `abort`: what std::bad_alloc looks like from outside. */
function refusedNew(stack: readonly Listed[], input: Input): ProgramAbort | undefined {
  const asked = stack.findIndex(({ frame }) =>
    /^(?:operator new(?:\[\])?|(?:std::)?__throw_bad_alloc|_ZSt17__throw_bad_allocv)$/.test(
      frame.function,
    ),
  );
  const ended = stack.findIndex(({ frame }) =>
    /^(?:__GI_)?abort$|terminate(?:_handler)?$|__cxa_throw$|_ZSt9terminatev/.test(frame.function),
  );
  if (asked === -1 || ended === -1 || ended > asked) return undefined;
  const size = stack
    .map(({ rest }) => /\((?:sz|size|count|__n)=(\d{1,19})\)/.exec(rest)?.[1])
    .find((text) => text !== undefined);
  return {
    ...common(stack, asked + 1, input),
    reporter: 'std::bad_alloc',
    message: 'operator new threw, and nobody caught it',
    ...(size === undefined ? {} : { requestBytes: Number(size) }),
  };
}

function refusalHandler(stack: readonly Listed[], input: Input): ProgramAbort | undefined {
  for (const { reporter, pattern } of handlers) {
    const asked = stack.findLastIndex(({ frame }) => pattern.test(frame.function));
    if (asked !== -1)
      return {
        ...common(stack, asked + 1, input),
        reporter,
        signal: 'SIGABRT',
        message: 'the handler of a refused allocation stands in the backtrace',
      };
  }
  return undefined;
}

/** A reference count of NULL. Debug builds and free-threaded ones read it by an atomic load. */
const counts = /^_?Py_X?(?:DECREF|INCREF)(?:_\w{1,20})?$|^_?Py_(?:TYPE|REFCNT)$/;
const cpython = /(?:^|\/)(?:Python|Objects|Modules|Parser)\/[\w./-]{1,120}\.(?:c|h)$/;

/**
 * `Py_DECREF(NULL)` called by the interpreter's own C code. Its functions give NULL where they raised, and a failed
 * allocation is what most of its unchecked places forget: a hint, no proof.
 */
function interpretersNull(stack: readonly Listed[], input: Input): ProgramAbort | undefined {
  const counted = stack.findIndex(({ frame }) => counts.test(frame.function));
  const caller = stack[counted + 1];
  if (counted === -1 || counted > 3 || caller === undefined) return undefined;
  if (!cpython.test(caller.frame.file ?? '')) return undefined;
  const first = stack[0]!.at;
  const said = Array.from({ length: stack.at(-1)!.at - first + 7 }, (_, step) =>
    lineAt(input, first + step),
  ).join('\n');
  return /(?:=|==) ?(?:NULL|\(nil\)|0x0\b)|\(Py\w{1,40} \*\) 0x0\b|\(NULL\)/.test(said)
    ? {
        ...common(stack, counted + 1, input),
        reporter: 'CPython',
        crashed: true,
        crash: 'segfault',
        indirect: true,
        message: 'the interpreter counted the references of NULL',
      }
    : undefined;
}

/** The caller on is of interest: the frames before are the allocator's and the signal's. */
const common = (stack: readonly Listed[], caller: number, input: Input) =>
  ({
    kind: 'program-abort',
    // A long quote is cut to what stands around the frame that tells.
    origin: originOf(
      input,
      id,
      stack[0]!.at,
      (stack[caller] ?? stack.at(-1)!).at,
      stack[caller - 1]?.frame.function,
    ),
    resource: 'memory',
    stack: stack.slice(caller).map(({ frame }) => frame),
  }) as const;

/** `#1  0x00007f… in operator new (sz=8) at new_op.cc:54`, `#2 do_warn   Python/_warnings.c:1139`, `frame #1: 0x… lib`fn + 12`. */
function listed(text: string, at: number): (Listed & { readonly number: number }) | undefined {
  const head =
    /^[\s|>]{0,12}(?:\* )?(?:frame )?#(\d{1,3}):? {1,4}(?:0x[0-9a-fA-F]{1,16} (?:in )?)?(?:[\w.+-]{1,60}`)?/.exec(
      text,
    );
  if (head === null) return undefined;
  const words = text.slice(head[0].length);
  const name = /^(?:operator new(?:\[\])?|[A-Za-z_~][\w:~<>*&]{0,200})/.exec(words);
  if (name === null) return undefined;
  const rest = words.slice(name[0].length);
  const place =
    /(?:^|\s)((?:[\w.+-]{0,100}\/){0,20}[\w.+-]{1,80}\.(?:cc|cpp|cxx|c|hpp|h|rs))(?::(\d{1,7}))?(?=$|[\s:,)])/.exec(
      rest,
    );
  return {
    number: Number(head[1]),
    frame: {
      function: name[0],
      file: place?.[1] ?? null,
      line: place?.[2] === undefined ? null : Number(place[2]),
    },
    at,
    rest,
  };
}

/** Stretches of frames that count up, innermost first. */
function* stacksIn(input: Input): Iterable<readonly Listed[]> {
  let stack: Listed[] = [];
  let last = -1;
  for (const [at, { text }] of input.lines.entries()) {
    if (!text.includes('#')) continue;
    const one = listed(lineAt(input, at).slice(0, 1000), at);
    if (one === undefined) continue;
    if (stack.length > 0 && (one.number <= last || at - stack.at(-1)!.at > 4)) {
      yield stack;
      stack = [];
    }
    last = one.number;
    if (stack.length < maxFrames) stack.push(one);
  }
  if (stack.length > 0) yield stack;
}
