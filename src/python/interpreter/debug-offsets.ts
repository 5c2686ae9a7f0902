import type { Layout } from '../layouts/layout.ts';
import { isPlausible, type Memory } from '../process/memory.ts';

/** First bytes of `_PyRuntime` since 3.13. */
export const debugCookie = 'xdebugpy';

/** Words after the cookie that are of interest; the groups which stacks need are among the first seventy. */
const maxWords = 80;

/** Words of `_Py_DebugOffsets`, by their index after the start. */
type Words = (from: number, count: number) => readonly number[];

/** A group of words that was recognised, and where it begins. */
interface Group<Fields> {
  readonly at: number;
  readonly fields: Fields;
}

/**
 * The layout of a 3.14 or later, `before` that of its headers, with what stacks need from its own `_Py_DebugOffsets` (pycore_debug_offsets.h): groups of words, each begun by
 * the size of the struct that it describes. Groups grew while 3.14 was made, so they are not counted but recognised: a frame ends with
 * its first slot, a code object with its first instruction, a thread state points back to its interpreter. null: something does not fit.
 * What a census needs (`tp_basicsize`, keys of dicts, the collector's lists) is not in there.
 */
export function layoutOfDebugOffsets(
  memory: Memory,
  runtimeAddress: number,
  before: Layout,
): Layout | null {
  const words: Words = (from, count) =>
    from + count > maxWords
      ? []
      : Array.from({ length: count }, (_, i) => memory.word(runtimeAddress + 8 * (from + i)));
  const head = headOf(words, before);
  if (head === null) return null;
  const first = memory.word(runtimeAddress + head.runtime.interpretersHead);
  const interpreter = withThread(memory, first, head.interpreter);
  const state = isPlausible(interpreter)
    ? memory.word(interpreter + head.interpreter.threadsHead)
    : 0;
  if (!isPlausible(state)) return null;
  const pointsBack = (field: number) => memory.word(state + field) === interpreter;
  for (const thread of threadGroups(words, pointsBack)) {
    const frame = frameGroup(words, thread.end);
    const code = frame === null ? null : codeGroup(words, frame.at + 6);
    if (frame === null || code === null) continue;
    return {
      ...before,
      ...head,
      thread: { ...before.thread, ...thread.fields },
      frame: { ...before.frame!, ...frame.fields },
      code: { ...before.code, ...code.fields },
    };
  }
  return null;
}

const maxInterpreters = 256;

/**
 * The first interpreter with a thread, from `head` on: a subinterpreter that stands in front of the others has none while nobody runs in it,
 * and nothing can be checked by it. `head` where no one has any.
 */
export function withThread(
  memory: Memory,
  head: number,
  { next, threadsHead }: Pick<Layout['interpreter'], 'next' | 'threadsHead'>,
): number {
  let at = head;
  for (let seen = 0; isPlausible(at) && seen < maxInterpreters; seen += 1) {
    if (memory.word(at + threadsHead) !== 0) return at;
    at = memory.word(at + next);
  }
  return head;
}

/** Whether all fields lie within a struct of this size. */
const isWithin = (size: number, fields: readonly number[]): boolean =>
  fields.every((field) => field < size);

/**
 * cookie, version, free_threaded, runtime_state {size, finalizing, interpreters_head}, interpreter_state {size, id, next, threads_head,
 * threads_main, gc, imports_modules, sysdict, builtins, ceval_gil, gil {start, enabled, locked, holder}, ...}
 */
function headOf(
  words: Words,
  before: Layout,
): Required<Pick<Layout, 'runtime' | 'interpreter' | 'gil'>> | null {
  const [runtimeSize, , interpretersHead] = words(3, 3);
  const [size, , next, threadsHead, , gc, modules, sysdict, builtins, gil] = words(6, 10);
  const [start, , locked, lastHolder] = words(16, 4);
  if (!(size! > 1000 && size! < 2 ** 24)) return null;
  if (!isWithin(size!, [next!, threadsHead!, gc!, modules!, sysdict!, builtins!, gil!]))
    return null;
  const { interpreter } = before;
  const shift = gc! - interpreter.gc!;
  return {
    runtime: { interpretersHead: interpretersHead!, size: runtimeSize! },
    interpreter: {
      gc: gc!,
      gcGenerations: interpreter.gcGenerations! + shift,
      gcPermanent: interpreter.gcPermanent! + shift,
      gcCollecting: interpreter.gcCollecting! + shift,
      gcEnabled: interpreter.gcEnabled! + shift,
      next: next!,
      threadsHead: threadsHead!,
      modules: modules!,
      sysdict: sysdict!,
      builtins: builtins!,
      gil: gil!,
      size: size!,
    },
    gil: { locked: locked! - start!, lastHolder: lastHolder! - start! },
  };
}

/**
 * thread_state {size, prev, next, interp, current_frame, thread_id, native_thread_id, datastack_chunk, status}; 3.15 has {base_frame,
 * last_profiled_frame, last_profiled_frame_seq} before `thread_id`, and {holds_gil, gil_requested, current_exception, exc_state} and
 * err_stackitem {exc_value} at the end. `end`: the word after it.
 */
function* threadGroups(words: Words, pointsBack: (interp: number) => boolean) {
  for (let at = 18; at < 30; at++) {
    const [size, , next, interpreter, currentFrame] = words(at, 5);
    if (!(size! > 100 && size! < 8192)) continue;
    if (!isWithin(size!, [next!, interpreter!, currentFrame!])) continue;
    if (!pointsBack(interpreter!)) continue;
    for (const [profiled, length] of [
      [0, 9],
      [3, 17],
    ] as const) {
      const [pthread, nativeId] = words(at + 5 + profiled, 2);
      if (nativeId! - pthread! !== 8 || !isWithin(size!, [nativeId!])) continue;
      const fields = {
        next: next!,
        interpreter: interpreter!,
        pthread: pthread!,
        nativeId: nativeId!,
        currentFrame: currentFrame!,
      };
      yield { end: at + length, fields };
    }
  }
}

/** interpreter_frame {size, previous, executable, instr_ptr, localsplus, owner, stackpointer, ...} */
function frameGroup(words: Words, at: number): Group<Partial<NonNullable<Layout['frame']>>> | null {
  const [size, previous, code, instruction, localsplus, owner, stackpointer] = words(at, 7);
  if (size! - localsplus! !== 8 || size! > 512) return null;
  if (!isWithin(size!, [previous!, code!, instruction!, owner!, stackpointer!])) return null;
  const fields = {
    code: code!,
    previous: previous!,
    instruction: instruction!,
    localsplus: localsplus!,
    owner: owner!,
    stackpointer: stackpointer!,
  };
  return { at, fields };
}

/** code_object {size, filename, name, qualname, linetable, firstlineno, argcount, localsplusnames, localspluskinds, co_code_adaptive} */
function codeGroup(words: Words, from: number): Group<Partial<Layout['code']>> | null {
  for (let at = from; at < from + 4; at++) {
    const [size, filename, name, qualname, lineTable, firstLine, , names, kinds, bytecode] = words(
      at,
      10,
    );
    if (!(size! > bytecode! && size! - bytecode! <= 8 && size! < 1024)) continue;
    const others = [filename!, name!, qualname!, lineTable!, firstLine!, names!, kinds!];
    if (!isWithin(size!, others)) continue;
    const fields = {
      filename: filename!,
      name: name!,
      qualname: qualname!,
      lineTable: lineTable!,
      firstLine: firstLine!,
      localsplusNames: names!,
      localsplusKinds: kinds!,
      bytecode: bytecode!,
      size: size!,
    };
    return { at, fields };
  }
  return null;
}
