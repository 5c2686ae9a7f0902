import type { Layout } from '../layouts/layout.ts';
import { isPlausible, type Memory } from '../process/memory.ts';

/** First bytes of `_PyRuntime` since 3.13. */
export const debugCookie = 'xdebugpy';

/** Words after the cookie that are of interest; the groups which stacks need are among the first sixty. */
const maxWords = 80;

/**
 * The layout of a 3.14, as far as stacks need it, from its own `_Py_DebugOffsets` (pycore_debug_offsets.h): groups of words, each begun by
 * the size of the struct that it describes. Groups grew while 3.14 was made, so they are not counted but recognised: a frame ends with
 * its first slot, a code object with its first instruction, a thread state points back to its interpreter. Whatever does not fit: null.
 * What a census needs (`tp_basicsize`, keys of dicts, the collector's lists) is not in there.
 */
export function layoutOf314(memory: Memory, runtimeAddress: number, before: Layout): Layout | null {
  const word = (index: number) => memory.word(runtimeAddress + 8 * index);
  // cookie, version, free_threaded, runtime_state {size, finalizing, interpreters_head}, interpreter_state {size, id, next,
  // threads_head, threads_main, gc, imports_modules, sysdict, builtins, ceval_gil, gil {start, enabled, locked, holder}, ...}
  const [interpretersHead, next, threadsHead] = [word(5), word(8), word(9)];
  const [modules, sysdict, builtins, gil] = [word(12), word(13), word(14), word(15)];
  const interpreterSize = word(6);
  const isWithin = (size: number, ...fields: readonly number[]) =>
    fields.every((field) => field < size);
  if (!(interpreterSize > 1000 && interpreterSize < 2 ** 24)) return null;
  if (!isWithin(interpreterSize, next, threadsHead, modules, sysdict, builtins, gil)) return null;
  const interpreter = memory.word(runtimeAddress + interpretersHead);
  const thread = isPlausible(interpreter) ? memory.word(interpreter + threadsHead) : 0;
  if (!isPlausible(thread)) return null;
  for (let threadAt = 18; threadAt < 30; threadAt++) {
    // thread_state {size, prev, next, interp, current_frame, thread_id, native_thread_id, datastack_chunk, status}
    const [threadSize, , nextThread, back, currentFrame, pthread, nativeId] = words(threadAt, 9);
    if (!(threadSize! > 100 && threadSize! < 8192)) continue;
    if (!isWithin(threadSize!, nextThread!, back!, currentFrame!, pthread!, nativeId!)) continue;
    if (memory.word(thread + back!) !== interpreter) continue;
    // interpreter_frame {size, previous, executable, instr_ptr, localsplus, owner, stackpointer, ...}
    const frameAt = threadAt + 9;
    const [frameSize, previous, executable, instruction, localsplus, owner, stacktop] = words(
      frameAt,
      7,
    );
    if (frameSize! - localsplus! !== 8 || frameSize! > 512) continue;
    if (!isWithin(frameSize!, previous!, executable!, instruction!, owner!, stacktop!)) continue;
    for (let codeAt = frameAt + 6; codeAt < frameAt + 10; codeAt++) {
      // code_object {size, filename, name, qualname, linetable, firstlineno, argcount, localsplusnames, localspluskinds, co_code_adaptive}
      const [size, filename, name, qualname, lineTable, firstLine, , names, kinds, bytecode] =
        words(codeAt, 10);
      if (!(size! > bytecode! && size! - bytecode! <= 8 && size! < 1024)) continue;
      if (!isWithin(size!, filename!, name!, qualname!, lineTable!, firstLine!, names!, kinds!))
        continue;
      return {
        ...before,
        runtime: { interpretersHead, size: word(3) },
        interpreter: { next, threadsHead, modules, sysdict, builtins, gil, size: interpreterSize },
        gil: { locked: word(18) - word(16), lastHolder: word(19) - word(16) },
        thread: {
          ...before.thread,
          next: nextThread!,
          interpreter: back!,
          pthread: pthread!,
          nativeId: nativeId!,
          currentFrame: currentFrame!,
        },
        frame: {
          ...before.frame!,
          code: executable!,
          previous: previous!,
          instruction: instruction!,
          localsplus: localsplus!,
          owner: owner!,
          stacktop: stacktop!,
        },
        code: {
          ...before.code,
          filename: filename!,
          name: name!,
          qualname: qualname!,
          lineTable: lineTable!,
          firstLine: firstLine!,
          localsplusNames: names!,
          localsplusKinds: kinds!,
          bytecode: bytecode!,
          size: size!,
        },
      };
    }
  }
  return null;

  function words(from: number, count: number): readonly number[] {
    return from + count > maxWords ? [] : Array.from({ length: count }, (_, i) => word(from + i));
  }
}
