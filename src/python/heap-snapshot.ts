import { defined } from '../model/defined.ts';
import type { CoreFile } from '../elf/index.ts';
import type { Holder, MemoryPicture, Thread, TypeTotal } from '../model/report.ts';
import type { Bytes, Ms } from '../model/units.ts';
import { coreSource, openCoreProcess } from './core-process.ts';
import { findRuntime, type Runtime } from './find-runtime.ts';
import { readHeap, type Heap } from './heap.ts';
import { holdersOf } from './holders.ts';
import { Interpreter, type Code } from './interpreter.ts';
import { isRefusal, openProcess, type Refusal } from './live-process.ts';
import { Memory, type ChunkPool, type MemorySource } from './memory.ts';
import { accountFor } from './native.ts';
import { quickHolders } from './quick.ts';
import { checkSmells } from './smells/index.ts';
import { candidatesOf } from './smells/scan.ts';
import { readThreads, toThread, type PythonThread } from './stacks.ts';

/** A CPython whose memory is open for reading. */
export interface Target {
  readonly memory: Memory;
  readonly source: MemorySource;
  readonly runtime: Runtime;
  readonly python: Interpreter;
}

/** Opens a living process (a number) or a core (a path) and finds its CPython. */
export function openTarget(
  target: number | string,
  maxChunks?: number,
  shift?: number,
  pool?: ChunkPool,
): Target | Refusal {
  const source = typeof target === 'number' ? openProcess(target) : openCoreProcess(target);
  return isRefusal(source) ? source : snapshotProcess(source, maxChunks, shift, pool);
}

/** Chunks of 64 KiB: values here and there, stacks. A census takes chunks of 1 MiB of its own. */
export const smallChunks = 16;

export function closeTarget({ source, memory }: Target): void {
  memory.release();
  source.close();
}

/** A look into a core that is open already; null where it was no Python, or one that cannot be read. */
export function snapshotCore(core: CoreFile, options: SnapshotOptions): MemoryPicture | null {
  const target = snapshotProcess(
    coreSource(core, () => {}),
    256,
    smallChunks,
  );
  return isRefusal(target) ? null : takeSnapshot(target, options);
}

/** The Python stacks of a core that is open already; none where it was no Python, or one that cannot be read. */
export function stacksOfCore(core: CoreFile): readonly Thread[] {
  return snapshotCore(core, { budgetMs: 1000, stacksOnly: true })?.threads ?? [];
}

function snapshotProcess(
  source: MemorySource,
  maxChunks?: number,
  shift?: number,
  pool?: ChunkPool,
): Target | Refusal {
  for (let attempt = 0; ; attempt++) {
    const memory = new Memory(source, maxChunks, shift, pool);
    const runtime = findRuntime(memory);
    if (!isRefusal(runtime))
      return { memory, source, runtime, python: new Interpreter(memory, runtime) };
    memory.release();
    const isCurrent = source.isCurrent();
    // Threads come and go while it is read: what did not fit together may fit the next time.
    if (source.kind === 'process' && isCurrent && runtime.mayPass === true && attempt < 4) {
      Atomics.wait(sleepCell, 0, 0, 1);
      continue;
    }
    source.close();
    if (source.missing !== undefined)
      return {
        code: 'cut-short',
        status: 'malformed',
        detail: `${source.missing}, and no CPython in them`,
        hint: 'a higher limit of core sizes (ulimit -c) or more room on the disk keeps all of a core',
      };
    return isCurrent
      ? runtime
      : {
          code: 'gone',
          status: 'absent',
          detail: `${source.pid}: ${itIsGone} while it was being opened`,
        };
  }
}

/** The main thread first, then in the order in which they were started. */
export function threadsOf(python: Interpreter): readonly PythonThread[] {
  return readThreads(python)
    .toReversed()
    .sort((a, b) => Number(b.name === 'MainThread') - Number(a.name === 'MainThread'));
}

export function versionText({ version }: Runtime): string {
  const { major, minor, patch } = version;
  return patch === null ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
}

export interface SnapshotOptions {
  /** For everything that needs the process to stand still. */
  readonly budgetMs: Ms;
  /** Each step's result as it comes: the process may die, or coroner with it. */
  readonly onStep?: (step: SnapshotStep, picture: MemoryPicture) => void;
  /** Nothing of the process is needed to stand still any more. */
  readonly onRead?: () => void;
  readonly stacksOnly?: boolean;
  /** The process runs on while it is read. */
  readonly moves?: boolean;
  /** Estimates of the large values first: what counts where the time may not suffice for more. */
  readonly quick?: boolean;
  /** false: stacks and estimates are all that there is time for. */
  readonly mayCount?: boolean;
  /** Asked between the steps that follow the count: false where something better is to be done than to name holders. */
  readonly goOn?: () => boolean;
  /** Chunks of 1 MiB for the count, where the target was opened with smaller ones. Default 64. */
  readonly censusChunks?: number;
  readonly pool?: ChunkPool;
  /** How many objects there may be, given the large values: where their count does not fit into the budget, it is not begun. */
  readonly expectedObjects?: (large: readonly Holder[]) => number;
  /** At most so many nodes, for little memory. */
  readonly softNodes?: number;
  readonly maxNodes?: number;
  readonly maxPending?: number;
}
export type SnapshotStep = 'stacks' | 'quick' | 'census' | 'holders';

/** Looks at stacks, then counts the heap, then finds who holds it. Each step is given out as it comes. */
export function takeSnapshot(target: Target, options: SnapshotOptions): MemoryPicture {
  const { runtime, source, memory } = target;
  const { budgetMs, onStep, onRead, pool } = options;
  const begun = performance.now();
  const deadline = begun + budgetMs;
  let threads = threadsOf(target.python);
  if (options.moves === true || (performance.now() > deadline && source.kind === 'process'))
    threads = whatStayed(target, threads);
  const notes = source.missing === undefined ? [] : [`${source.missing}: figures are lower bounds`];
  if (performance.now() > deadline && source.kind === 'process')
    notes.push(
      'the time for the look was over before all stacks were read: they may not fit together',
    );
  const isThere = source.isCurrent();
  if (!isThere) notes.push(`${itIsGone} while its stacks were being read: they may not be whole`);
  let picture: MemoryPicture = {
    lookedAt: new Date().toISOString(),
    threads: isThere ? threads.map(toThread) : whatWasRead(threads),
    ...(notes.length === 0 ? {} : { notes }),
  };
  if (!isThere) {
    onRead?.();
    if (picture.threads!.length > 0) onStep?.('stacks', picture);
    return picture;
  }
  onStep?.('stacks', picture);
  if (runtime.isStacksOnly || options.stacksOnly === true) {
    onRead?.();
    if (!runtime.isStacksOnly) return picture;
    const { major, minor } = runtime.version;
    const only = `of CPython ${major}.${minor} only the stacks can be read`;
    return { ...picture, notes: [...(picture.notes ?? []), only] };
  }
  let estimates: readonly Holder[] = [];
  if (options.quick === true) {
    // Values here and there: small chunks.
    const small =
      memory.shift === smallChunks
        ? target.python
        : new Interpreter(new Memory(source, 128, smallChunks, pool), runtime);
    estimates = quickHolders(
      small,
      small === target.python ? threads : threadsOf(small),
      performance.now() + budgetMs / 2,
    );
    if (small !== target.python) small.memory.release();
    picture = { ...picture, holders: estimates };
    if (!source.isCurrent()) {
      onRead?.();
      const note = `${itIsGone} while its large values were looked for: some are missing`;
      picture = { ...picture, notes: [...(picture.notes ?? []), note] };
      onStep?.('quick', picture);
      return picture;
    }
    const { expectedObjects } = options;
    const expectedMs =
      expectedObjects === undefined ? 0 : expectedObjects(estimates) / objectsPerMs;
    if (options.mayCount === false) {
      onRead?.();
      picture = {
        ...picture,
        notes: [...(picture.notes ?? []), 'sizes are estimates from samples'],
      };
      onStep?.('quick', picture);
      return picture;
    }
    if (performance.now() + expectedMs > deadline) {
      const took =
        expectedMs < 10_000 ? (expectedMs / 1000).toFixed(1) : Math.round(expectedMs / 1000);
      picture = {
        ...picture,
        notes: [
          ...(picture.notes ?? []),
          `sizes are estimates from samples: to count every object would take about ${took} s`,
        ],
      };
      onRead?.();
      onStep?.('quick', picture);
      return picture;
    }
    onStep?.('quick', picture);
  }
  const context = { target, options, threads, estimates, begun, deadline };
  if (memory.shift !== smallChunks) return countHeap(context, target.python, picture);
  memory.release();
  const counting = new Memory(source, options.censusChunks, undefined, pool);
  try {
    return countHeap(context, new Interpreter(counting, runtime), picture);
  } finally {
    counting.release();
  }
}

/**
 * Of stacks that were read while the process ran: the calls up to the first whose code is not the same when it is read again. What is
 * freed and used again meanwhile gives a code the name of one and the file of another.
 */
function whatStayed(
  { memory, runtime }: Target,
  threads: readonly PythonThread[],
): readonly PythonThread[] {
  memory.forget();
  const again = new Interpreter(memory, runtime);
  return threads.map((thread) => {
    const end = thread.frames.findIndex(({ code }) => !isSameCode(code, again.code(code.address)));
    return end < 0 ? thread : { ...thread, frames: thread.frames.slice(0, end) };
  });
}

const isSameCode = (a: Code, b: Code | null): boolean =>
  b !== null &&
  a.name === b.name &&
  a.file === b.file &&
  a.firstLine === b.firstLine &&
  Buffer.compare(a.lineTable, b.lineTable) === 0;

/** Of stacks whose memory went away under the reader: the calls up to the first one that was not read. */
function whatWasRead(threads: readonly PythonThread[]): readonly Thread[] {
  return threads.flatMap((thread) => {
    const end = thread.frames.findIndex(
      ({ code, line }) => code.name === '' || code.file === '' || line <= 0,
    );
    const frames = end < 0 ? thread.frames : thread.frames.slice(0, end);
    return frames.length === 0 ? [] : [toThread({ ...thread, frames })];
  });
}

interface CountContext {
  readonly target: Target;
  readonly options: SnapshotOptions;
  readonly threads: readonly PythonThread[];
  readonly estimates: readonly Holder[];
  readonly begun: Ms;
  readonly deadline: Ms;
}

/** The count of all objects, then who holds them. */
function countHeap(
  context: CountContext,
  python: Interpreter,
  before: MemoryPicture,
): MemoryPicture {
  const { options, threads, deadline } = context;
  const { softNodes, maxNodes, maxPending } = options;
  const heap = readHeap(python, threads, {
    deadline,
    ...defined({ softNodes, maxNodes, maxPending }),
  });
  try {
    return judgeHeap(context, heap, before);
  } finally {
    heap.census.release();
  }
}

function judgeHeap(
  { target: { source }, options, estimates, begun }: CountContext,
  heap: Heap,
  before: MemoryPicture,
): MemoryPicture {
  const { budgetMs, onStep, onRead, goOn = () => true } = options;
  let picture = before;
  const { isComplete } = heap.census;
  // What was read since is nothing but zeros. The estimates were true.
  if (!source.isCurrent()) {
    onRead?.();
    const isEstimate = options.quick === true;
    const figures = isEstimate ? 'sizes are estimates from samples' : 'figures are lower bounds';
    picture = {
      ...picture,
      ...(isEstimate ? {} : { types: typesOf(heap) }),
      notes: [
        ...(before.notes ?? []),
        `${itIsGone} while its objects were being counted: ${figures}`,
      ],
    };
    onStep?.(isEstimate ? 'quick' : 'census', picture);
    return picture;
  }
  picture = {
    ...picture,
    types: typesOf(heap),
    notes: [...(before.notes ?? []), ...notesOf(heap)],
  };
  onStep?.('census', picture);
  picture = { ...picture, ...accountFor(source, heap) };
  // The graph is ours: only names and samples are still read. Where that took long already, it may run meanwhile.
  if (performance.now() - begun > Math.min(1000, budgetMs)) onRead?.();
  // Of a part of the heap, dominators say little: estimates of the whole are nearer to the truth.
  if (!isComplete && estimates.length > 0) {
    onRead?.();
    onStep?.('census', picture);
    return picture;
  }
  if (!goOn()) return picture;
  const found = holdersOf(heap);
  // What has lost its name would be laid to code and to modules.
  if (!source.isCurrent()) {
    onRead?.();
    const told = `who held them is ${options.quick === true ? 'told by samples' : 'not known'}`;
    picture = {
      ...picture,
      notes: [...picture.notes!, `${itIsGone} before all names were read: ${told}`],
    };
    onStep?.('census', picture);
    return picture;
  }
  onRead?.();
  const smells =
    isComplete && goOn() ? checkSmells({ heap, found, candidates: candidatesOf(heap, found) }) : [];
  const holders = found.holders.map((holder) => withPath(holder, estimates));
  picture = { ...picture, holders, smells };
  onStep?.('holders', picture);
  return picture;
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));
const itIsGone = 'it ended, or started another program,';

/** Who holds it is found after the process was let go: where it is gone meanwhile, the path is what was seen before. */
function withPath(holder: Holder, estimates: readonly Holder[]): Holder {
  const before = estimates.find(
    ({ name, function: call }) => name === holder.name && call === holder.function,
  );
  if (before === undefined || before.path.length <= holder.path.length) return holder;
  return { ...holder, path: before.path, ownBytes: holder.ownBytes || before.ownBytes };
}

/** Objects that a census counts in a millisecond, on a slow day. */
const objectsPerMs = 1200;
const maxTypes = 60;

function typesOf({ census }: Heap): readonly TypeTotal[] {
  // Types of the same name (a class made anew in each call) are one to a reader.
  const totals = new Map<string, { count: number; bytes: Bytes }>();
  for (const { name, index } of census.types.types) {
    const count = census.typeCounts[index]!;
    if (count === 0) continue;
    const total = totals.get(name) ?? { count: 0, bytes: 0 };
    total.count += count;
    total.bytes += census.typeBytes[index]!;
    totals.set(name, total);
  }
  return [...totals]
    .map(([type, { count, bytes }]) => ({ type, count, bytes }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, maxTypes);
}

function notesOf({ census }: Heap): readonly string[] {
  const notes = [...census.notes];
  if (!census.isComplete)
    notes.push(
      `the time for the look was over after ${census.objectCount.toLocaleString('en')} objects: figures are lower bounds`,
    );
  if (census.listsBeingSorted > 0)
    notes.push('a list was being sorted: its items count for the sort, not for the list');
  if (census.externalBytes > 0)
    notes.push(
      `mmap objects map ${Math.round(census.externalBytes / 1024 ** 2).toLocaleString('en')} MiB besides`,
    );
  return notes;
}
