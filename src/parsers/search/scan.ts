import { countLineFeeds, literalFinder, shortestLiteral, type LiteralFinder } from './literals.ts';
import { fourByteFinder } from './four-byte-scanner.ts';

/** A part of an input that is worth parsing. */
export interface Stretch {
  readonly bytes: Uint8Array;
  /** 1-based, of its first byte. */
  readonly firstLine: number;
}

/** Read from before a literal: what led to it (a shell's command, the head of a traceback). */
const beforeBytes = 8 * 1024;
/** Read on after the last needle. */
const afterBytes = 8 * 1024;
/** A report of the OOM killer names every task of the machine: thousands of lines without a needle. */
const openerBytes = 1024 * 1024;
/** A stretch longer than this is handed out in parts: memory stays bounded whatever comes. */
const maxStretchBytes = 4 * 1024 * 1024;
/** The last words of an input are always read: a shell's `Killed` is too short for a needle. */
const tailBytes = 16 * 1024;
/** An input up to this size is one stretch. */
export const wholeBytes = 512 * 1024;

const openers = new Set(['invoked oom-killer', 'Tasks state (memory values', 'total_vm      rss']);
const closers = new Set(['oom-kill:constraint', 'Killed process']);

/**
 * Finds the stretches of interest in bytes that come in chunks. Needs memory for one stretch, whatever the size of the
 * input or the length of its lines; every byte is looked at a bounded number of times.
 */
export class Scanner {
  readonly #given: readonly string[];
  /** Bytes in front of the current chunk. */
  #seenBytes = 0;
  /** Line of the current chunk's first byte. */
  #line = 1;
  /** The last bytes in front of the current chunk, at most `beforeBytes`. */
  #context: Uint8Array = new Uint8Array(0);
  #open: { parts: Uint8Array[]; bytes: number; firstLine: number; untilByte: number } | null = null;
  /** End of what was handed out: stretches never overlap. */
  #doneBytes = 0;
  /** The whole input, as long as it is small. */
  #small: Uint8Array[] | null = [];

  constructor(literals: readonly string[]) {
    this.#given = literals;
  }

  get bytes(): number {
    return this.#seenBytes;
  }

  /** The chunk may be overwritten afterwards: what is kept is copied. */
  *push(given: Uint8Array): Generator<Stretch> {
    if (given.length === 0) return;
    // A Buffer's slice() would be a view.
    const chunk = new Uint8Array(given.buffer, given.byteOffset, given.length);
    if (this.#small !== null) {
      this.#small.push(chunk.slice());
      const bytes = this.#small.reduce((sum, part) => sum + part.length, 0);
      if (bytes <= wholeBytes) return;
      const whole = concat(this.#small);
      this.#small = null;
      yield* this.#scan(whole);
      return;
    }
    yield* this.#scan(chunk);
  }

  *finish(): Generator<Stretch> {
    if (this.#small !== null) {
      const bytes = concat(this.#small);
      this.#seenBytes = bytes.length;
      if (bytes.length > 0) yield { bytes, firstLine: 1 };
      return;
    }
    const rest = this.#close();
    if (rest !== null) yield rest;
    const from = Math.max(
      this.#doneBytes,
      this.#seenBytes - Math.min(tailBytes, this.#context.length),
    );
    if (from < this.#seenBytes) {
      const bytes = this.#context.slice(this.#context.length - (this.#seenBytes - from));
      const lines = countLineFeeds(bytes, 0, bytes.length);
      yield { bytes, firstLine: this.#line - lines };
    }
  }

  *#scan(chunk: Uint8Array): Generator<Stretch> {
    const { literals, finder } = searchFor(this.#given, this.#seenBytes);
    yield* this.#acrossTheEdge(chunk, literals, finder);
    const { hits, lineFeeds } = finder.search(chunk);
    for (const { at, literal } of hits) yield* this.#hit(chunk, at, literals[literal] ?? '');
    yield* this.#append(chunk, chunk.length);
    this.#remember(chunk, lineFeeds);
  }

  /** A needle may begin in the chunk before. */
  *#acrossTheEdge(
    chunk: Uint8Array,
    literals: readonly string[],
    finder: LiteralFinder,
  ): Generator<Stretch> {
    const overlap = finder.longest - 1;
    const tail = this.#context.subarray(Math.max(0, this.#context.length - overlap));
    if (tail.length === 0) return;
    const edge = concat([tail, chunk.subarray(0, overlap)]);
    for (const { at, literal: index } of finder.search(edge).hits) {
      const literal = literals[index] ?? '';
      if (at < tail.length && at + literal.length > tail.length)
        yield* this.#hit(chunk, at - tail.length, literal);
    }
  }

  /** `at` is relative to the chunk; negative where the needle began before it. */
  *#hit(chunk: Uint8Array, at: number, literal: string): Generator<Stretch> {
    yield* this.#append(chunk, Math.max(0, at));
    const hit = this.#seenBytes + at;
    const until = hit + literal.length + (openers.has(literal) ? openerBytes : afterBytes);
    if (this.#open !== null) {
      this.#open.untilByte = closers.has(literal) ? until : Math.max(this.#open.untilByte, until);
      return;
    }
    const start = this.#startOf(chunk, at);
    const parts: Uint8Array[] = [];
    const inContext = Math.max(0, this.#seenBytes - start);
    if (inContext > 0) parts.push(this.#context.slice(this.#context.length - inContext));
    const inChunk = Math.max(0, start - this.#seenBytes);
    if (at > inChunk) parts.push(chunk.slice(inChunk, Math.max(0, at)));
    const feeds =
      inContext > 0
        ? -countLineFeeds(parts[0] as Uint8Array, 0, inContext)
        : countLineFeeds(chunk, 0, inChunk);
    this.#open = {
      parts,
      bytes: parts.reduce((sum, part) => sum + part.length, 0),
      firstLine: this.#line + feeds,
      untilByte: until,
    };
    this.#appended = Math.max(0, at);
  }

  /** Absolute position where the stretch around a hit begins: a line's begin where one is near. */
  #startOf(chunk: Uint8Array, at: number): number {
    const earliest = Math.max(
      this.#doneBytes,
      this.#seenBytes + at - beforeBytes,
      this.#seenBytes - this.#context.length,
    );
    if (earliest === this.#doneBytes) return earliest;
    for (let position = earliest; position < this.#seenBytes + at; position += 1) {
      const relative = position - this.#seenBytes;
      const byte = relative < 0 ? this.#context[this.#context.length + relative] : chunk[relative];
      if (byte === 10) return position + 1;
    }
    return earliest;
  }

  /** How much of the current chunk the open stretch has already. */
  #appended = 0;

  /** Gives the open stretch the chunk's bytes up to `to`, and closes it where it ends before. */
  *#append(chunk: Uint8Array, to: number): Generator<Stretch> {
    const open = this.#open;
    if (open === null) return;
    const end = Math.min(to, this.#lineEnd(chunk, open.untilByte - this.#seenBytes, to));
    if (end > this.#appended) {
      open.parts.push(chunk.slice(this.#appended, end));
      open.bytes += end - this.#appended;
      this.#appended = end;
    }
    const full = open.bytes >= maxStretchBytes;
    if (!full && this.#seenBytes + end < open.untilByte) return;
    if (
      !full &&
      end === to &&
      chunk[end - 1] !== 10 &&
      open.bytes < maxStretchBytes &&
      this.#seenBytes + end < open.untilByte + beforeBytes
    )
      return;
    const done = this.#close();
    if (done !== null) yield done;
  }

  /** The end of the line that holds `at`, if it is not too far. */
  #lineEnd(chunk: Uint8Array, at: number, to: number): number {
    if (at >= to) return to;
    const from = Math.max(0, at);
    const feed = chunk.subarray(from, Math.min(to, from + beforeBytes)).indexOf(10);
    return feed < 0 ? Math.min(to, from + beforeBytes) : from + feed + 1;
  }

  #close(): Stretch | null {
    const open = this.#open;
    if (open === null) return null;
    this.#open = null;
    this.#doneBytes = this.#seenBytes + this.#appended;
    return open.bytes === 0 ? null : { bytes: concat(open.parts), firstLine: open.firstLine };
  }

  #remember(chunk: Uint8Array, lineFeeds: number): void {
    this.#line += lineFeeds;
    this.#seenBytes += chunk.length;
    const keep = Math.max(beforeBytes, tailBytes);
    this.#context =
      chunk.length >= keep
        ? chunk.slice(chunk.length - keep)
        : concat([
            this.#context.subarray(Math.max(0, this.#context.length - (keep - chunk.length))),
            chunk,
          ]);
    this.#appended = 0;
  }
}

interface Search {
  readonly literals: readonly string[];
  readonly finder: LiteralFinder;
}
const plain = new WeakMap<readonly string[], Search>();
const fast = new WeakMap<readonly string[], Search>();
/** So much takes the plain search as long as the fast one needs to get ready. */
const plainBytes = 12 * 1024 * 1024;

/** Made when the first big input comes, and kept: a folder has many files, a small input needs none. */
function searchFor(given: readonly string[], seenBytes: number): Search {
  const ready = fast.get(given) ?? (seenBytes < plainBytes ? plain.get(given) : undefined);
  if (ready !== undefined) return ready;
  const literals = given.filter((literal) => literal.length >= shortestLiteral);
  const made = seenBytes < plainBytes ? null : fourByteFinder(literals);
  const search = { literals, finder: made ?? plain.get(given)?.finder ?? literalFinder(literals) };
  (seenBytes < plainBytes ? plain : fast).set(given, search);
  return search;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
