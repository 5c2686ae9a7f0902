import type { Memory } from '../process/memory.ts';
import type { Runtime } from './find-runtime.ts';
import { Interpreter, type Code } from './interpreter.ts';
import type { PythonThread } from './stacks.ts';

/**
 * Stacks that were read while the process ran: of each, the calls up to the first whose code is another one when it is read again. A
 * code object that is freed and used again meanwhile has the name of one function and the file of another.
 */
export function unchangedCalls(
  memory: Memory,
  runtime: Runtime,
  threads: readonly PythonThread[],
): readonly PythonThread[] {
  memory.forget();
  const again = new Interpreter(memory, runtime);
  return threads.map((thread) =>
    upTo(thread, ({ code }) => !isSameCode(code, again.code(code.address))),
  );
}

/**
 * Stacks of a process that ended while they were read: of each, the calls up to the first that was not read. Threads without any are
 * left out.
 */
export function readCalls(threads: readonly PythonThread[]): readonly PythonThread[] {
  return threads
    .map((thread) =>
      upTo(thread, ({ code, line }) => code.name === '' || code.file === '' || line <= 0),
    )
    .filter(({ frames }) => frames.length > 0);
}

function upTo(
  thread: PythonThread,
  isEnd: (frame: PythonThread['frames'][number]) => boolean,
): PythonThread {
  const end = thread.frames.findIndex(isEnd);
  return end < 0 ? thread : { ...thread, frames: thread.frames.slice(0, end) };
}

const isSameCode = (a: Code, b: Code | null): boolean =>
  b !== null &&
  a.name === b.name &&
  a.file === b.file &&
  a.firstLine === b.firstLine &&
  Buffer.compare(a.lineTable, b.lineTable) === 0;
