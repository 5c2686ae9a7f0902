import { isPlausible } from '../process/memory.ts';
import type { Frame, PythonThread } from '../interpreter/stacks.ts';
import { awaiting, type Awaiting } from './awaiting.ts';
import type { Census } from './census.ts';
import type { RootNames } from './roots.ts';

/** CO_FAST_CELL and CO_FAST_FREE: the slot holds a cell, in which the variable's value lies. */
const cell = 0x40;
const free = 0x80;

/** Roots of a thread that have names of their own: locals of its calls, its dict of locals, the exception that it raises. */
export function threadRoots(census: Census, thread: PythonThread, roots: RootNames): void {
  const { memory, python } = census;
  const { dict, currentException } = python.layout.thread;
  for (const [depth, frame] of thread.frames.entries()) localRoots(census, frame, depth, roots);
  const locals = census.root(memory.word(thread.state + dict), 0);
  roots.unnamed(locals, 'thread-locals', 'attribute', null);
  const exception = census.root(memory.word(thread.state + currentException), 0);
  roots.unnamed(exception, 'exception', 'stack', thread.frames[0] ?? null);
}

function localRoots(census: Census, frame: Frame, depth: number, roots: RootNames): void {
  const { memory, python } = census;
  const { code, slots } = frame;
  for (const [i, name] of code.names.entries()) {
    const value = python.reference(memory.word(slots + 8 * i));
    if (!isPlausible(value)) continue;
    const isCell = (code.kinds[i]! & (cell | free)) !== 0 && python.typeName(value) === 'cell';
    if (isCell) {
      // `ob_ref` of PyCellObject.
      const content = census.root(memory.word(value + 16), 0);
      const scope = (code.kinds[i]! & free) === 0 ? 'local' : 'closure';
      roots.variable(content, name, scope, frame, depth);
    }
    const node = census.root(value, 0);
    if (isCell) continue;
    // The compiler's name for what a comprehension goes over.
    if (name === '.0') roots.unnamed(node, 'iterator', 'local', frame, depth);
    else roots.variable(node, name, 'local', frame, depth);
  }
  if (frame.localsDict !== 0 && frame.localsDict !== frame.globals) {
    const node = census.root(frame.localsDict, 0);
    if (node !== 0) census.markNamespace(node);
  }
}

/**
 * What lies on an evaluation stack and nothing named holds: a list that a comprehension builds, arguments of a call. Works until the
 * census has followed everything, or its time is over.
 */
export function evaluationStackRoots(census: Census, thread: PythonThread, roots: RootNames): void {
  for (const [depth, frame] of thread.frames.entries()) {
    census.root(frame.function, 0);
    census.run();
    if (!census.isComplete) return;
    const start = frame.slots + 8 * frame.code.names.length;
    let awaited: Awaiting | null | undefined;
    for (let i = 0; i < frame.code.stackSize; i++) {
      const node = census.lateRoot(census.python.reference(census.memory.word(start + 8 * i)), 0);
      if (node !== 0 && awaited === undefined)
        awaited = awaiting(census.python, thread.frames, depth);
      roots.beingBuilt(node, frame, depth, awaited ?? null);
      census.run();
    }
  }
}
