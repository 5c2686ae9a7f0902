import type { Interpreter } from '../interpreter/interpreter.ts';
import type { PythonThread } from '../interpreter/stacks.ts';
import { Census, type CensusOptions } from './census.ts';
import { collectorLists, noGroups, type Groups } from './collector-lists.ts';
import { evaluationStackRoots, threadRoots } from './frame-roots.ts';
import { nativeStackRanges, nativeStackRoots } from './native-stacks.ts';
import { RootNames, type RootName } from './roots.ts';

/** A counted heap. Incomplete (`census.isComplete`) where the deadline came first. */
export interface Heap {
  readonly census: Census;
  readonly names: readonly RootName[];
  readonly groups: Groups;
}

/**
 * Counts the heap from its names on: locals of all calls and modules first, then what only an evaluation stack or a C stack holds, then
 * what is left in the collector's lists. `trace` is called for each object.
 */
export function readHeap(
  python: Interpreter,
  threads: readonly PythonThread[],
  options: CensusOptions,
  trace: Census['trace'] = null,
): Heap {
  const census = new Census(python, options);
  census.trace = trace;
  const roots = new RootNames();
  for (const thread of threads) threadRoots(census, thread, roots);
  interpreterRoots(census);
  census.run();
  for (const thread of threads) evaluationStackRoots(census, thread, roots);
  const stacks = nativeStackRanges(python, threads);
  for (const thread of threads) nativeStackRoots(census, thread, stacks, roots);
  const groups = census.isComplete ? collectorLists(python, census) : noGroups;
  return { census, names: roots.all, groups };
}

/** Modules and builtins of every interpreter. */
function interpreterRoots(census: Census): void {
  const { memory, python } = census;
  const { modules, sysdict, builtins } = python.layout.interpreter;
  for (const interpreter of python.interpreters())
    for (const field of [modules, sysdict, builtins]) {
      const node = census.root(memory.word(interpreter + field), 0);
      if (node !== 0) census.markNamespace(node);
    }
}
