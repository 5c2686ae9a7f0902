/** Where the reading of one mangled name stands, and what the name has said so far. */

const deepest = 60;
/** Names double with each substitution of a substitution. */
const longestName = 4000;
const mostRemembered = 500;

/** The text cannot be read on: the one thing that the grammar throws, caught where the reading began. */
export class NotUnderstood extends Error {}

export class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** What `S_`, `S0_`, … stand for. */
  readonly #seen: string[] = [];
  /** What `T_`, `T0_`, … stand for: the arguments of the template that was read last. */
  #given: readonly string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  fail(): never {
    throw new NotUnderstood();
  }
  atEnd(): boolean {
    return this.#at === this.#text.length;
  }
  starts(what: string): boolean {
    return this.#text.startsWith(what, this.#at);
  }
  /** The next characters, fewer at the end of the text. */
  ahead(count: number): string {
    return this.#text.slice(this.#at, this.#at + count);
  }
  skip(count: number): void {
    this.#at += count;
  }
  /** Reads `what` where it stands here, and says whether it did. */
  take(what: string): boolean {
    if (!this.starts(what)) return false;
    this.#at += what.length;
    return true;
  }
  must(what: string): void {
    if (!this.take(what)) this.fail();
  }
  /** What a sticky pattern matches here; null: nothing. */
  match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }
  /** Bounds the recursion: hostile names nest as deep as they are long. */
  deeper<Result>(read: (reader: Reader) => Result): Result {
    if ((this.#depth += 1) > deepest) this.fail();
    const result = read(this);
    this.#depth -= 1;
    return result;
  }

  /** Keeps a name for later substitutions. */
  remember(name: string): string {
    if (name.length > longestName || this.#seen.length > mostRemembered) this.fail();
    this.#seen.push(name);
    return name;
  }
  remembered(number: number): string {
    return this.#seen[number] ?? this.fail();
  }
  giveArguments(list: readonly string[]): void {
    this.#given = list;
  }
  /** undefined: the template has not been read, or has fewer arguments. */
  givenArgument(number: number): string | undefined {
    return this.#given[number];
  }
}
