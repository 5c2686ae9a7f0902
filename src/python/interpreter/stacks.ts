import type { StackFrame, Thread } from '../../model/report.ts';
import type { Code, Interpreter } from './interpreter.ts';
import { gilHolder, interpreterIdsOf, isCollecting } from './runtime-state.ts';
import { isPlausible, type NativeThread } from '../process/memory.ts';

/** A Python call that is under way. */
export interface Frame {
  /** Of the _PyInterpreterFrame (3.11+) or the frame object. */
  readonly address: number;
  readonly code: Code;
  readonly line: number;
  readonly globals: number;
  /** `f_locals`: a dict at module level and in class bodies, else mostly 0. */
  readonly localsDict: number;
  readonly function: number;
  /** First slot: locals, cells and free variables, then the evaluation stack. */
  readonly slots: number;
  /** Up to 3.10 a frame is an object of its own. */
  readonly isObject: boolean;
}

/** A thread that runs Python. */
export interface PythonThread {
  /** Addresses of the PyThreadState and of its PyInterpreterState. */
  readonly state: number;
  readonly interpreter: number;
  /** 0: the main one; null: not known. */
  readonly interpreterId: number | null;
  /** The kernel's id. null: not known. */
  readonly tid: number | null;
  readonly name: string | null;
  readonly holdsGil: boolean;
  readonly collectingGarbage: boolean;
  /** Innermost first. */
  readonly frames: readonly Frame[];
  /** null: the kernel's thread was not found. */
  readonly native: NativeThread | null;
}

/** Deeper stacks are cut: `sys.setrecursionlimit` allows more, but no reader wants them. */
const maxFrames = 100_000;

/** Every thread of every interpreter, the one that was started last first in each. */
function readThreads(python: Interpreter): readonly PythonThread[] {
  const natives = new Map(python.memory.source.threads().map((thread) => [thread.tid, thread]));
  const threads: PythonThread[] = [];
  const ids = interpreterIdsOf(python);
  for (const interpreter of python.interpreters()) {
    const names = threadNames(python, interpreter);
    const holder = gilHolder(python, interpreter);
    const isAtWork = isCollecting(python, interpreter) === true;
    for (const state of python.threadStates(interpreter)) {
      const pthread = python.memory.word(state + python.layout.thread.pthread);
      const tid = nativeId(python, state, pthread, natives);
      const native = tid === null ? null : (natives.get(tid) ?? null);
      const holdsGil = holder !== null && holder === state;
      threads.push({
        state,
        interpreter,
        interpreterId: ids.get(interpreter) ?? null,
        tid,
        name: names.get(pthread) ?? null,
        holdsGil,
        collectingGarbage: isAtWork && holdsGil,
        frames: readFrames(python, state),
        native,
      });
    }
  }
  return threads;
}

/** Every thread with its frames: the main thread first, then in the order in which they were started. */
export function threadsOf(python: Interpreter): readonly PythonThread[] {
  return readThreads(python)
    .toReversed()
    .sort((a, b) => Number(b.name === 'MainThread') - Number(a.name === 'MainThread'));
}

/** A thread as the report has it. */
export function toThread(thread: PythonThread): Thread {
  const { tid, name, interpreterId, holdsGil, collectingGarbage, frames } = thread;
  return {
    id: tid ?? 0,
    name,
    holdsGil,
    ...(collectingGarbage ? { collectingGarbage } : {}),
    ...(interpreterId === null || interpreterId === 0 ? {} : { subinterpreter: interpreterId }),
    stack: frames.map(toStackFrame),
  };
}

/** A call as the report has it. */
export const toStackFrame = ({ code, line }: Frame): StackFrame => ({
  // A code object that was just made may be read in part while the process runs.
  function: code.name || '?',
  file: code.file || null,
  line,
});

/**
 * The kernel's id of a thread: kept from 3.11 on, before in glibc's `struct pthread` (at 720 in 2.36; other releases are searched). Right
 * after a fork it is still the parent's, which is none of its threads.
 */
function nativeId(
  python: Interpreter,
  state: number,
  pthread: number,
  natives: ReadonlyMap<number, NativeThread>,
): number | null {
  const { memory } = python;
  const { nativeId: offset } = python.layout.thread;
  const kept = offset === undefined ? 0 : memory.word(state + offset);
  if (kept !== 0 && (natives.size === 0 || natives.has(kept))) return kept;
  if (natives.size === 1) return [...natives.keys()][0]!;
  if (!isPlausible(pthread)) return null;
  for (const offset of [720, ...Array.from({ length: 256 }, (_, i) => i * 4)]) {
    const id = memory.u32(pthread + offset);
    if (natives.has(id)) return id;
  }
  return null;
}

/** `threading._active`: thread ident (pthread_self) to Thread, whose `_name` is kept by name. */
function threadNames(python: Interpreter, interpreter: number): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  const threading = python.moduleDict(interpreter, 'threading');
  if (threading === 0) return names;
  const active = python.dictValue(threading, '_active');
  python.eachEntry(
    active,
    (ident, thread) => {
      const id = python.integer(ident);
      // 2.7 mangles it: Thread.__name.
      const name = python.attribute(thread, python.isPython2 ? '_Thread__name' : '_name');
      if (id !== null && name !== 0) names.set(id, python.string(name, 80));
    },
    32_768,
  );
  return names;
}

function readFrames(python: Interpreter, state: number): readonly Frame[] {
  const { memory, layout } = python;
  const { thread } = layout;
  let at: number;
  if (thread.currentFrame !== undefined) at = memory.word(state + thread.currentFrame);
  else if (thread.cframe !== undefined) {
    const cframe = memory.word(state + thread.cframe);
    at = isPlausible(cframe) ? memory.word(cframe + thread.cframeCurrentFrame!) : 0;
  } else at = memory.word(state + thread.frame!);
  const frames: Frame[] = [];
  const seen = new Set<number>();
  while (isPlausible(at) && !seen.has(at) && seen.size < maxFrames) {
    seen.add(at);
    const frame = layout.frame === undefined ? objectFrame(python, at) : slotFrame(python, at);
    if (frame !== null) frames.push(frame);
    at = memory.word(at + (layout.frame?.previous ?? layout.frameObject.back));
  }
  return frames;
}

/** 3.11 and later: frames in the thread's own stack chunks. null: not a Python call. */
function slotFrame(python: Interpreter, address: number): Frame | null {
  const { memory, minor } = python;
  const layout = python.layout.frame!;
  // 3: FRAME_OWNED_BY_CSTACK, a shim between C and Python (3.12+).
  if (minor >= 12 && memory.u8(address + layout.owner) >= 3) return null;
  const code = python.code(python.reference(memory.word(address + layout.code)));
  if (code === null) return null;
  // 3.13 runs `__init__` through a trampoline of its own code object, with no file and no line.
  if (code.file === '__init__' && code.firstLine <= 1) return null;
  const bytecode = code.address + python.layout.code.bytecode!;
  const instruction = (memory.word(address + layout.instruction) - bytecode) / 2;
  return {
    address,
    code,
    line: instruction < 0 ? code.firstLine : python.line(code, instruction),
    globals: memory.word(address + layout.globals),
    localsDict: memory.word(address + layout.locals),
    function: python.reference(memory.word(address + layout.function)),
    slots: address + layout.localsplus,
    isObject: false,
  };
}

/** Up to 3.10. */
function objectFrame(python: Interpreter, address: number): Frame | null {
  const { memory, minor } = python;
  const layout = python.layout.frameObject;
  const code = python.code(memory.word(address + layout.code!));
  if (code === null) return null;
  // -1: not started. 3.10 counts instructions, before it was bytes.
  const last = memory.i32(address + layout.lasti!);
  const offset = minor === 10 ? last * 2 : last;
  return {
    address,
    code,
    line: last < 0 ? code.firstLine : python.line(code, offset),
    globals: memory.word(address + layout.globals!),
    localsDict: memory.word(address + layout.locals!),
    function: 0,
    slots: address + layout.localsplus!,
    isObject: true,
  };
}
