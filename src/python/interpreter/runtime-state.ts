import { isPlausible } from '../process/memory.ts';
import type { Interpreter } from './interpreter.ts';

/** Whether the garbage collector is at work. null: not known (3.6). */
export function isCollecting(
  { layout, memory, runtime }: Interpreter,
  interpreter: number,
): boolean | null {
  if (layout.interpreter.gcCollecting !== undefined)
    return memory.i32(interpreter + layout.interpreter.gcCollecting) !== 0;
  if (layout.runtime?.gcCollecting !== undefined && runtime.runtimeAddress !== null)
    return memory.i32(runtime.runtimeAddress + layout.runtime.gcCollecting) !== 0;
  return null;
}

/**
 * Whether the collector runs by itself, over all that is there: neither gc.disable() nor gc.freeze() was called in any interpreter. null: not
 * known (before 3.14).
 */
export function isCollectorOn(python: Interpreter): boolean | null {
  const { layout, memory } = python;
  const { gcEnabled, gcPermanent } = layout.interpreter;
  if (gcEnabled === undefined || gcPermanent === undefined) return null;
  return python.interpreters().every((interpreter) => {
    const frozen = interpreter + gcPermanent;
    return memory.i32(interpreter + gcEnabled) !== 0 && memory.word(frozen) === frozen;
  });
}

/** Address of the thread state that holds the GIL; 0: none does, null: not known. */
export function gilHolder(
  { layout, memory, runtime }: Interpreter,
  interpreter: number,
): number | null {
  if (layout.gil !== undefined && layout.interpreter.gil !== undefined) {
    const gil = memory.word(interpreter + layout.interpreter.gil);
    if (!isPlausible(gil)) return null;
    return memory.i32(gil + layout.gil.locked) === 1 ? memory.word(gil + layout.gil.lastHolder) : 0;
  }
  if (layout.runtime?.threadCurrent !== undefined && runtime.runtimeAddress !== null)
    return memory.word(runtime.runtimeAddress + layout.runtime.threadCurrent);
  return runtime.threadCurrent === null ? null : memory.word(runtime.threadCurrent);
}

/** Where `id` lies in the `PyInterpreterState` of 3.7 to 3.11. 3.6 has none. */
const interpreterIds: Readonly<Record<number, number>> = { 7: 16, 8: 16, 9: 24, 10: 24, 11: 48 };

/** The ids of the interpreters, by address: 0 is the main one. Empty: not known. */
export function interpreterIdsOf(python: Interpreter): ReadonlyMap<number, number> {
  const { layout, memory, minor } = python;
  // From 3.12 on it follows `next`.
  const offset = minor >= 12 ? layout.interpreter.next + 8 : interpreterIds[minor];
  if (offset === undefined) return new Map();
  const ids = new Map(python.interpreters().map((at) => [at, memory.word(at + offset)]));
  const different = new Set(ids.values());
  return different.has(0) && different.size === ids.size ? ids : new Map();
}

/** Addresses of the heads of the collector's lists: three generations and, from 3.7 on, the permanent one, of each interpreter. */
export function collectorHeads(python: Interpreter): readonly number[] {
  const { layout, runtime } = python;
  const { generationSize } = layout.gc;
  const heads: number[] = [];
  const add = (base: number, generations: number, permanent: number) => {
    for (let i = 0; i < 3; i++) heads.push(base + generations + i * generationSize);
    heads.push(base + permanent);
  };
  const { gcGenerations, gcPermanent } = layout.interpreter;
  if (gcGenerations !== undefined)
    for (const interpreter of python.interpreters()) add(interpreter, gcGenerations, gcPermanent!);
  else if (layout.runtime?.gcGenerations !== undefined && runtime.runtimeAddress !== null)
    add(runtime.runtimeAddress, layout.runtime.gcGenerations, layout.runtime.gcPermanent!);
  else if (runtime.generations36 !== null)
    for (let i = 0; i < 3; i++) heads.push(runtime.generations36 + i * generationSize);
  return heads;
}
