import type { CoreFile } from '../elf/index.ts';
import type { Thread } from '../model/report.ts';
import { coreSource, openCoreProcess } from './core-process.ts';
import { findRuntime, type Runtime } from './find-runtime.ts';
import { Interpreter } from './interpreter.ts';
import { isRefusal, openProcess, type Refusal } from './live-process.ts';
import { Memory, type MemorySource } from './memory.ts';
import { readThreads, toThread, type PythonThread } from './stacks.ts';

/** A CPython whose memory is open for reading. */
export interface Target {
  readonly memory: Memory;
  readonly source: MemorySource;
  readonly runtime: Runtime;
  readonly python: Interpreter;
}

/** Opens a living process (a number) or a core (a path) and finds its CPython. */
export function openTarget(target: number | string, maxChunks?: number): Target | Refusal {
  const source = typeof target === 'number' ? openProcess(target) : openCoreProcess(target);
  return isRefusal(source) ? source : lookInto(source, maxChunks);
}

/** The Python stacks of a core that is open already; none where it was no Python, or one that cannot be read. */
export function stacksOfCore(core: CoreFile): readonly Thread[] {
  const target = lookInto(coreSource(core, () => {}));
  return isRefusal(target) ? [] : stacksOf(target.python);
}

function lookInto(source: MemorySource, maxChunks?: number): Target | Refusal {
  const memory = new Memory(source, maxChunks);
  const runtime = findRuntime(memory);
  if (isRefusal(runtime)) {
    source.close();
    return runtime;
  }
  return { memory, source, runtime, python: new Interpreter(memory, runtime) };
}

/** The main thread first, then in the order in which they were started. */
export function threadsOf(python: Interpreter): readonly PythonThread[] {
  return readThreads(python)
    .toReversed()
    .sort((a, b) => Number(b.name === 'MainThread') - Number(a.name === 'MainThread'));
}

export const stacksOf = (python: Interpreter): readonly Thread[] => threadsOf(python).map(toThread);

export function versionText({ version }: Runtime): string {
  const { major, minor, patch } = version;
  return patch === null ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
}
