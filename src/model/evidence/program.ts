import type { StackFrame } from '../report.ts';
import type { Bytes } from '../units.ts';
import type { Fact } from './fact.ts';
import type { Prose } from '../prose.ts';

/** Whose memory (or what else) a program's words speak of. */
export type Resource =
  | 'memory'
  | 'gpu'
  | 'shm'
  | 'language-heap'
  | 'stack'
  | 'disk'
  | 'descriptors'
  | 'threads'
  | 'none';

/** An exception: a traceback or what is left of one. */
export interface ProgramError extends Fact<'program-error'> {
  readonly language: 'python' | 'java' | 'node' | 'r' | 'other';
  /** `MemoryError`, `numpy._core._exceptions._ArrayMemoryError`, `OSError`, … */
  readonly type: string;
  readonly message: string;
  readonly resource: Resource;
  /** Innermost first. */
  readonly stack: readonly StackFrame[];
  readonly requestBytes?: Bytes;
  readonly limitBytes?: Bytes;
  /** Uncaught on the main thread, in another thread, ignored (`__del__`), caught and logged, or not known. */
  readonly fate: 'uncaught' | 'thread' | 'ignored' | 'caught' | 'unknown';
  readonly threadName?: string;
  readonly pid?: number;
  readonly name?: string;
  /**
   * How it was told: a traceback that ends in MemoryError or in another exception, the exception's name alone, the dump of an
   * object where stderr is lost, an exception that was lost on the way, one that nobody could catch.
   */
  readonly class?:
    | 'memory-error'
    | 'other-exception'
    | 'bare-name'
    | 'object-dump'
    | 'lost-exception'
    | 'ignored';
  readonly variant?: string;
  /** The array that could not be made (numpy). */
  readonly array?: { readonly shape: readonly number[]; readonly dtype: string };
  /** Where the words mislead: what they really mean. */
  readonly actualMeaning?: Prose;
  /** With its traceback; false where only the last line or a mention of it is left. */
  readonly headed?: boolean;
}

/** The program ended itself and said why. */
export interface ProgramAbort extends Fact<'program-abort'> {
  /** `std::bad_alloc`, `rust`, `jemalloc`, `fatal-python-error`, `faulthandler`, `glibc-corruption`, … */
  readonly reporter: string;
  readonly signal?: string;
  readonly resource: Resource;
  readonly message: string;
  readonly stack: readonly StackFrame[];
  readonly requestBytes?: Bytes;
  readonly pid?: number;
  readonly name?: string;
  /** They are those of another line nearby, a shell's word on who aborted. */
  readonly victimNearby?: true;
  readonly variant?: string;
  /** The program reported the failure and went on, or ended in an orderly way: no abort. */
  readonly raises?: boolean;
  /** After the failed allocation the same text tells of a crash that hides it. */
  readonly crashed?: boolean;
  readonly crash?: 'segfault' | 'abort';
  /** Nothing says that an allocation failed: what is seen is what such a failure leaves behind. */
  readonly indirect?: boolean;
  /** Where the words mislead: what they really mean. */
  readonly actualMeaning?: Prose;
}

/** What a text may say of memory beside a death: that it ran out, or only its name. */
export type HintId = 'memory-ran-out' | 'memory-named';

/** Somebody says that a process was killed or ended so: a shell, a pool, a server, an orchestrator. */
export interface DeathNotice extends Fact<'death-notice'> {
  /** `shell`, `multiprocessing`, `concurrent.futures`, `gunicorn`, `airflow`, … */
  readonly reporter: string;
  readonly pid?: number;
  readonly name?: string;
  readonly signal?: string;
  readonly exitCode?: number;
  /** Where the same source gives a reason that is not memory, in words: `its timeout`, `a time limit`, … */
  readonly otherReason?: Prose;
  /** What that reason says was short, where it was anything: `shm`. */
  readonly resource?: Resource;
  /** The source itself guesses at memory ("Perhaps out of memory?"): a guess, not a witness. */
  readonly guessesMemory?: boolean;
  /** It is gone, and not even its status is told. */
  readonly vanished?: true;
  /** The container runtime's own flag of an OOM kill, where it says no. */
  readonly flagged?: false;
  /** What else in the same text makes memory likely (`memory limit named nearby`, …), in words. */
  readonly hints?: readonly Prose[];
  /** Which hints these are, one each. */
  readonly hintIds?: readonly HintId[];
  readonly stack?: readonly StackFrame[];
}

/** Words that name memory, or sound like it, and mean something else: for the rule-out. */
export interface MisleadingMessage extends Fact<'misleading-message'> {
  /** Which words they are, whatever is told of them. */
  readonly variant: string;
  readonly meaning: Prose;
  readonly resource: Resource;
  readonly pid?: number;
}

export type ProgramEvidence = ProgramError | ProgramAbort | DeathNotice | MisleadingMessage;
