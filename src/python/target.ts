import { missingFileText, type CoreFile, type MissingFile } from '../elf/index.ts';
import { OwnModules } from './heap/own-modules.ts';
import { findRuntime, type Runtime } from './interpreter/find-runtime.ts';
import { Interpreter } from './interpreter/interpreter.ts';
import type { BinaryPlaces } from './process/binary-places.ts';
import { coreSource, openCoreProcess } from './process/core-process.ts';
import { isRefusal, openProcess, type Refusal } from './process/live-process.ts';
import { Memory, type ChunkPool, type MemorySource } from './process/memory.ts';

/** A CPython whose memory is open for reading. */
export interface Target {
  readonly memory: Memory;
  readonly source: MemorySource;
  readonly runtime: Runtime;
  readonly python: Interpreter;
}

/** What stays true of a program from one snapshot to the next. Finding it again would take longer than the rest of a short stop. */
export class ProcessKnowledge {
  private program: string | null = null;
  private found: Runtime | null = null;
  private foundModules = new OwnModules();

  get modules(): OwnModules {
    return this.foundModules;
  }

  /**
   * The CPython of the program in a process, if it was found before and begins with the same interpreter: a new subinterpreter stands in front
   * of the others, and one that ended leaves freed memory. null: it must be looked for, as always in 3.6, which tells its first nowhere.
   */
  runtimeIn(memory: Memory, program: string | undefined): Runtime | null {
    const { found } = this;
    if (found === null || program !== this.program) return null;
    const { interpreter, layout, runtimeAddress } = found;
    if (runtimeAddress === null || layout.runtime === undefined) return null;
    const isFirst = memory.word(runtimeAddress + layout.runtime.interpretersHead) === interpreter;
    return isFirst && memory.word(interpreter + layout.interpreter.modules) !== 0 ? found : null;
  }

  learn(program: string | undefined, runtime: Runtime): void {
    if (program !== this.program) this.foundModules = new OwnModules();
    this.program = program ?? null;
    this.found = runtime;
  }
}

/** Chunks of 2^16 bytes, for values here and there and for stacks. A census takes chunks of 1 MiB of its own. */
export const smallChunks = 16;

/** How often a process that changes while it is opened is tried. */
const maxAttempts = 5;
const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Opens a living process (a pid) or a core (a path) and finds its CPython. At most `maxChunks` chunks of 2^`shift` bytes are kept in
 * memory; they come from `pool`, or else from the system. `known` serves where an earlier opening has left it. `closeTarget` ends it.
 * `places`: where the files of a core lie.
 */
export function openTarget(
  target: number | string,
  maxChunks?: number,
  shift?: number,
  pool?: ChunkPool,
  known?: ProcessKnowledge,
  places?: BinaryPlaces,
): Target | Refusal {
  const source = typeof target === 'number' ? openProcess(target) : openCoreProcess(target, places);
  return isRefusal(source) ? source : targetIn(source, maxChunks, shift, pool, known);
}

/** Finds the CPython of a core that is open already, and that stays open when the target is closed. */
export function targetInCore(core: CoreFile): Target | Refusal {
  return targetIn(
    coreSource(core, () => {}),
    256,
    smallChunks,
  );
}

/** Closes the process or the core, and gives the chunks back to their pool. */
export function closeTarget({ source, memory }: Target): void {
  memory.release();
  source.close();
}

/** `3.12.1`, or `3.12` where the patch release is not known. */
export function versionText({ version }: Runtime): string {
  const { major, minor, patch } = version;
  return patch === null ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
}

/** Closes the source where no CPython is found in it. */
function targetIn(
  source: MemorySource,
  maxChunks?: number,
  shift?: number,
  pool?: ChunkPool,
  known?: ProcessKnowledge,
): Target | Refusal {
  for (let attempt = 1; ; attempt++) {
    const memory = new Memory(source, maxChunks, shift, pool);
    const runtime = known?.runtimeIn(memory, source.program) ?? findRuntime(memory);
    if (!isRefusal(runtime)) {
      known?.learn(source.program, runtime);
      return { memory, source, runtime, python: new Interpreter(memory, runtime) };
    }
    memory.release();
    const isCurrent = source.isCurrent();
    // Threads come and go while it is read: what did not fit together may fit the next time.
    const mayPass = source.kind === 'process' && isCurrent && runtime.mayPass === true;
    if (mayPass && attempt < maxAttempts) {
      Atomics.wait(sleepCell, 0, 0, 1);
      continue;
    }
    source.close();
    return refusalFor(source, runtime, isCurrent);
  }
}

/** What a CPython is known by stands in these files: the executable, or libpython. */
const holdsPython = ({ path }: MissingFile) => /python[^/]*$/.test(path);

function refusalFor(source: MemorySource, found: Refusal, isCurrent: boolean): Refusal {
  const { missing, pid, missingFiles = () => [] } = source;
  const file = missingFiles().find(holdsPython);
  if (file !== undefined)
    return {
      code: 'file-missing',
      status: 'absent',
      detail: missingFileText(file),
      hint: 'the files of the process are needed beside its core: --executable FILE, --library-path DIR or --root DIR says where they lie',
    };
  if (missing !== undefined)
    return {
      code: 'cut-short',
      status: 'malformed',
      detail: `${missing}, and no CPython in them`,
      hint: 'a higher limit of core sizes (ulimit -c) or more room on the disk keeps all of a core',
    };
  if (isCurrent) return found;
  return {
    code: 'gone',
    status: 'absent',
    detail: `${pid}: it ended, or started another program, while it was being opened`,
  };
}
