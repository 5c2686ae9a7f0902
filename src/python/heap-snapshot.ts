import type { CoreFile } from '../elf/index.ts';
import { defined } from '../model/defined.ts';
import type { Holder, MemoryPicture, Thread } from '../model/report.ts';
import { isOwnHook } from '../model/stack.ts';
import type { Ms } from '../model/units.ts';
import { isoTime } from '../model/units.ts';
import { readHeap, type Heap } from './heap/heap.ts';
import { accountFor } from './heap/resident.ts';
import { censusNotes, typeTotals } from './heap/totals.ts';
import type { OwnModules } from './heap/own-modules.ts';
import { holdersOf } from './holders/holders.ts';
import { quickHolders, type QuickPicture } from './holders/quick.ts';
import { inUseBy, withinUse } from './holders/resident-data.ts';
import { Interpreter } from './interpreter/interpreter.ts';
import { threadsOf, toThread, type PythonThread } from './interpreter/stacks.ts';
import { readCalls, unchangedCalls } from './interpreter/torn-stacks.ts';
import { isRefusal } from './process/live-process.ts';
import { Memory, type ChunkPool } from './process/memory.ts';
import { SparseMemory } from './process/sparse-memory.ts';
import { checkSmells } from './smells/index.ts';
import { candidatesOf } from './smells/scan.ts';
import { smallChunks, targetInCore, type Target } from './target.ts';

/** The parts of a snapshot, in the order in which they are taken. */
export type SnapshotStep = 'stacks' | 'quick' | 'census' | 'holders';

export interface SnapshotOptions {
  /** For everything that needs the process to stand still. */
  readonly budgetMs: Ms;
  /** Receives the picture after each step: the process may die, or coroner with it. */
  readonly onStep?: (
    step: SnapshotStep,
    picture: MemoryPicture,
    /** Of `quick`: whether the time sufficed. */
    isWhole: boolean,
  ) => void;
  /** Called when the process need not stand still any more; perhaps more than once. */
  readonly onRead?: () => void;
  readonly stacksOnly?: boolean;
  /** The process runs on while it is read. */
  readonly moves?: boolean;
  /** Estimates the large values first: what counts where the time may not suffice for more. */
  readonly quick?: boolean;
  /** false: there is time for stacks and estimates alone. Only with `quick`. */
  readonly mayCount?: boolean;
  /** Asked between the steps that follow the count. false: the snapshot ends there. */
  readonly goOn?: () => boolean;
  /** Chunks of 1 MiB for the count, where the target was opened with smaller ones. Default 64. */
  readonly censusChunks?: number;
  readonly pool?: ChunkPool;
  /** How many objects there may be, by what the estimate found: where their count does not fit into the budget, it is not begun. */
  readonly expectedObjects?: (found: QuickPicture) => number;
  /** What an earlier snapshot of the process found of its modules, for the estimate. */
  readonly modules?: OwnModules;
  /** Of the census (`CensusOptions`): lower ones take less memory. */
  readonly softNodes?: number;
  readonly maxNodes?: number;
  readonly maxPending?: number;
}

/** A snapshot of a core that is open already. null: it was no Python, or one that cannot be read. */
export function snapshotCore(core: CoreFile, options: SnapshotOptions): MemoryPicture | null {
  const target = targetInCore(core);
  return isRefusal(target) ? null : takeSnapshot(target, options);
}

/** The Python stacks of a core that is open already. Empty: it was no Python, or one that cannot be read. */
export function stacksOfCore(core: CoreFile): readonly Thread[] {
  return snapshotCore(core, { budgetMs: 1000, stacksOnly: true })?.threads ?? [];
}

/** Reads the stacks, estimates the large values where that is asked for, counts the heap, and finds who holds it. */
export function takeSnapshot(target: Target, options: SnapshotOptions): MemoryPicture {
  const snapshot = new Snapshot(target, options);
  const goesOn = snapshot.readStacks() && (options.quick !== true || snapshot.estimate());
  if (goesOn) snapshot.countHeap();
  return snapshot.picture;
}

/** Objects that a census counts in a millisecond on a slow machine. */
const objectsPerMs = 1200;
/** A count that took longer lets the process go on before who holds the memory is found. */
const mostStopMs = 1000;
const itIsGone = 'it ended, or started another program,';
const areEstimates = 'sizes are estimates from samples';

/** A snapshot while it is taken. `readStacks` and `estimate` return false where the snapshot ends with them. */
class Snapshot {
  picture: MemoryPicture = defined({ lookedAt: isoTime(Date.now()) });
  private readonly target: Target;
  private readonly options: SnapshotOptions;
  private readonly begun: Ms = performance.now();
  private readonly deadline: Ms;
  private threads: readonly PythonThread[] = [];
  private estimates: readonly Holder[] = [];
  private found: QuickPicture = { holders: [], objects: 0, bytes: 0, isWhole: true };

  constructor(target: Target, options: SnapshotOptions) {
    this.target = target;
    this.options = options;
    this.deadline = this.begun + options.budgetMs;
  }

  readStacks(): boolean {
    const { options, target } = this;
    const { memory, python, runtime, source } = target;
    this.threads = threadsOf(python);
    const mayGoOn = source.kind === 'process';
    if (options.moves === true || (mayGoOn && this.isTimeOver()))
      this.threads = unchangedCalls(memory, runtime, this.threads);
    if (source.missing !== undefined) this.note(`${source.missing}: figures are lower bounds`);
    if (mayGoOn && this.isTimeOver())
      this.note(
        'the time for the look was over before all stacks were read: they may not fit together',
      );
    const isThere = source.isCurrent();
    if (!isThere) this.note(`${itIsGone} while its stacks were being read: they may not be whole`);
    const threads = (isThere ? this.threads : readCalls(this.threads)).map(toThread);
    this.picture = { ...this.picture, threads };
    if (!isThere) {
      this.letGo();
      if (threads.length > 0) this.tell('stacks');
      return false;
    }
    this.tell('stacks');
    if (!runtime.isStacksOnly && options.stacksOnly !== true) return true;
    this.letGo();
    const { major, minor } = runtime.version;
    if (runtime.isStacksOnly) this.note(`of CPython ${major}.${minor} only the stacks can be read`);
    return false;
  }

  /** Estimates the large values. */
  estimate(): boolean {
    const { target, options } = this;
    this.found = this.quickHolders();
    this.estimates = withinUse(theirs(this.found.holders), inUseBy(target.source));
    this.picture = { ...this.picture, holders: this.estimates };
    const why = target.source.isCurrent()
      ? this.whyNotCounted()
      : `${itIsGone} while its large values were looked for: some are missing`;
    if (why !== null) {
      this.note(why);
      if (!this.found.isWhole && this.estimates.length === 0)
        this.note('the time for the look was over before it had found who held the memory');
      options.onRead?.();
    }
    this.tell('quick');
    return why === null;
  }

  private quickHolders(): QuickPicture {
    const { target, options, threads } = this;
    const { source, runtime } = target;
    // Of the time for which the process stands still, half is for the count; where it runs on, there is no count.
    const share = options.moves === true ? 1 : 0.5;
    const deadline = performance.now() + options.budgetMs * share;
    const small = new SparseMemory(source, options.pool);
    const reader = new Interpreter(small, runtime);
    const found = quickHolders(reader, threads, deadline, options.modules);
    small.release();
    return found;
  }

  /** Why the estimates must do, in words; null: there is time to count. */
  private whyNotCounted(): string | null {
    const { mayCount, expectedObjects } = this.options;
    if (mayCount === false) return areEstimates;
    const expectedMs = (expectedObjects?.(this.found) ?? 0) / objectsPerMs;
    if (performance.now() + expectedMs <= this.deadline) return null;
    const seconds = expectedMs / 1000;
    const took = seconds < 10 ? seconds.toFixed(1) : Math.round(seconds);
    return `${areEstimates}: to count every object would take about ${took} s`;
  }

  /** Counts all objects, then finds who holds them. */
  countHeap(): void {
    const { target, options } = this;
    const { memory, source, runtime, python } = target;
    if (memory.shift !== smallChunks) {
      this.countWith(python);
      return;
    }
    memory.release();
    const counting = new Memory(source, options.censusChunks, undefined, options.pool);
    try {
      this.countWith(new Interpreter(counting, runtime));
    } finally {
      counting.release();
    }
  }

  private countWith(python: Interpreter): void {
    const { softNodes, maxNodes, maxPending } = this.options;
    const heap = readHeap(python, this.threads, {
      deadline: this.deadline,
      ...defined({ softNodes, maxNodes, maxPending }),
    });
    try {
      if (this.tellCount(heap) && this.goesOn()) this.findHolders(heap);
    } finally {
      heap.census.release();
    }
  }

  /** Tells the figures of the census. false: who holds the memory cannot be found by it. */
  private tellCount(heap: Heap): boolean {
    const { options, target, begun } = this;
    const { census } = heap;
    if (!target.source.isCurrent()) {
      this.tellEndedCount(heap);
      return false;
    }
    this.picture = { ...this.picture, types: typeTotals(census) };
    this.note(...censusNotes(census));
    this.tell('census');
    this.picture = { ...this.picture, ...accountFor(target.source, heap) };
    // The graph is complete: only names and samples are still read. They may change meanwhile where the process stood still for long.
    if (performance.now() - begun > Math.min(mostStopMs, options.budgetMs)) this.letGo();
    // Dominators of a part of the heap say little: estimates of the whole are nearer to the truth.
    if (census.isComplete || this.estimates.length === 0) return true;
    this.letGo();
    this.tell('census');
    return false;
  }

  /** What was read since the process ended is nothing but zeros: estimates, where there are any, are nearer to the truth. */
  private tellEndedCount({ census }: Heap): void {
    this.letGo();
    const hasEstimates = this.options.quick === true;
    if (!hasEstimates) this.picture = { ...this.picture, types: typeTotals(census) };
    const figures = hasEstimates ? areEstimates : 'figures are lower bounds';
    this.note(`${itIsGone} while its objects were being counted: ${figures}`);
    this.tell(hasEstimates ? 'quick' : 'census');
  }

  private findHolders(heap: Heap): void {
    const { options, target, estimates } = this;
    const found = holdersOf(heap);
    if (!target.source.isCurrent()) {
      // Names that were not read any more would leave their objects to modules and to C code.
      this.letGo();
      const told = `who held them is ${options.quick === true ? 'told by samples' : 'not known'}`;
      this.note(`${itIsGone} before all names were read: ${told}`);
      this.tell('census');
      return;
    }
    this.letGo();
    const smells =
      heap.census.isComplete && this.goesOn()
        ? checkSmells({ heap, found, candidates: candidatesOf(heap, found) })
        : [];
    const holders = withinUse(
      theirs(found.holders).map((holder) => withLongerPath(holder, estimates)),
      inUseBy(target.source),
    );
    this.picture = { ...this.picture, holders, smells };
    this.tell('holders');
  }

  private isTimeOver(): boolean {
    return performance.now() > this.deadline;
  }

  private goesOn(): boolean {
    return this.options.goOn?.() ?? true;
  }

  private note(...notes: readonly string[]): void {
    this.picture = { ...this.picture, notes: [...(this.picture.notes ?? []), ...notes] };
  }

  private tell(step: SnapshotStep): void {
    this.options.onStep?.(step, this.picture, step !== 'quick' || this.found.isWhole);
  }

  private letGo(): void {
    this.options.onRead?.();
  }
}

/** Those of the program: what coroner's own hook keeps in the process is no news of it. */
const theirs = (holders: readonly Holder[]): readonly Holder[] =>
  holders.filter((holder) => !isOwnHook(holder));

/** The holder with the path that the estimate saw while the process stood still, where that goes deeper. */
function withLongerPath(holder: Holder, estimates: readonly Holder[]): Holder {
  const before = estimates.find(
    ({ name, function: call }) => name === holder.name && call === holder.function,
  );
  if (before === undefined || before.path.length <= holder.path.length) return holder;
  return { ...holder, path: before.path, ownBytes: holder.ownBytes || before.ownBytes };
}
