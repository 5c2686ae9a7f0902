/** Where a needle stands. */
export interface LiteralHit {
  /** Of its first byte. */
  readonly at: number;
  /** Index in the list of needles. */
  readonly literal: number;
}

/** Finds all occurrences of many literal strings in bytes, overlapping ones too. */
export interface LiteralFinder {
  /** Hits sorted by position, then by needle; lines are counted on the way. */
  readonly search: (bytes: Uint8Array) => {
    readonly hits: readonly LiteralHit[];
    readonly lineFeeds: number;
  };
  readonly longest: number;
}

export const byPosition = (a: LiteralHit, b: LiteralHit): number =>
  a.at - b.at || a.literal - b.literal;

/** Needles shorter than this would bring the window to a crawl: they are not looked for in big inputs. */
export const shortestLiteral = 8;

const blockBytes = 3;
const tableSize = 1 << 15;

/**
 * Some bytes a step (Wu and Manber's method with blocks of three bytes): a table tells for each block how far the window
 * may move without jumping over a needle. 200 needles cost as much as one, and most bytes are never looked at.
 */
export function literalFinder(literals: readonly string[]): LiteralFinder {
  const encoded = literals.map((literal) => new TextEncoder().encode(literal));
  const windowBytes = Math.min(8, ...encoded.map(({ length }) => length));
  if (encoded.length === 0 || windowBytes < blockBytes)
    return {
      search: (bytes) => ({ hits: [], lineFeeds: countLineFeeds(bytes, 0, bytes.length) }),
      longest: 0,
    };
  const shift = new Uint8Array(tableSize).fill(windowBytes - blockBytes + 1);
  /** Needles by the block that ends their window. */
  const byBlock = new Map<number, number[]>();
  const windowAt = encoded.map((literal) => rarestWindow(literal, windowBytes));
  for (const [index, literal] of encoded.entries()) {
    const start = windowAt[index] ?? 0;
    for (let end = blockBytes; end <= windowBytes; end += 1) {
      const hash = hashAt(literal, start + end - 1);
      const distance = windowBytes - end;
      if ((shift[hash] ?? 0) > distance) shift[hash] = distance;
      if (distance === 0) byBlock.set(hash, [...(byBlock.get(hash) ?? []), index]);
    }
  }
  const search: LiteralFinder['search'] = (bytes) => {
    const hits: LiteralHit[] = [];
    const { length } = bytes;
    let at = windowBytes - 1;
    while (at < length) {
      const hash =
        ((bytes[at] as number) ^
          ((bytes[at - 1] as number) << 5) ^
          ((bytes[at - 2] as number) << 10)) &
        (tableSize - 1);
      const step = shift[hash] as number;
      if (step > 0) {
        at += step;
        continue;
      }
      for (const literal of byBlock.get(hash) as number[]) {
        const start = at - windowBytes + 1 - (windowAt[literal] as number);
        if (start >= 0 && standsAt(bytes, start, encoded[literal] as Uint8Array))
          hits.push({ at: start, literal });
      }
      at += 1;
    }
    return { hits: hits.sort(byPosition), lineFeeds: countLineFeeds(bytes, 0, length) };
  };
  return { search, longest: Math.max(...encoded.map(({ length }) => length)) };
}

const hashAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) ^ ((bytes[at - 1] ?? 0) << 5) ^ ((bytes[at - 2] ?? 0) << 10)) & (tableSize - 1);

export function standsAt(bytes: Uint8Array, at: number, literal: Uint8Array): boolean {
  if (at + literal.length > bytes.length) return false;
  for (let index = 0; index < literal.length; index += 1)
    if (bytes[at + index] !== literal[index]) return false;
  return true;
}

/** Letters by how often they stand in logs: a window of rare ones stops the search seldom. */
const common = ' etaoinsrlcdupm0123456789';
function rarestWindow(literal: Uint8Array, size: number): number {
  let best = 0;
  let bestScore = Infinity;
  for (let start = 0; start + size <= literal.length; start += 1) {
    let score = 0;
    for (let at = start; at < start + size; at += 1) {
      const rank = common.indexOf(String.fromCharCode(literal[at] ?? 0));
      score += rank < 0 ? 0 : common.length - rank;
    }
    // What ends the window is compared first and most often.
    if (score < bestScore) [best, bestScore] = [start, score];
  }
  return best;
}

/** Counts line feeds from `from` to `to`, four bytes a step. */
export function countLineFeeds(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  let at = from;
  while (at < to && (bytes.byteOffset + at) % 4 !== 0) {
    if (bytes[at] === 10) count += 1;
    at += 1;
  }
  const words = (to - at) >> 2;
  if (words > 0) {
    const view = new Int32Array(bytes.buffer, bytes.byteOffset + at, words);
    for (let index = 0; index < words; index += 1) {
      const mixed = (view[index] as number) ^ 0x0a0a0a0a;
      // The high bit of every byte that is not zero now, exactly (no borrow runs into the next byte).
      const others = (((mixed & 0x7f7f7f7f) + 0x7f7f7f7f) | mixed) & 0x80808080;
      if (others === (0x80808080 | 0)) continue;
      const zeros = ~others & 0x80808080;
      count +=
        ((zeros >>> 31) & 1) + ((zeros >>> 23) & 1) + ((zeros >>> 15) & 1) + ((zeros >>> 7) & 1);
    }
    at += words * 4;
  }
  for (; at < to; at += 1) if (bytes[at] === 10) count += 1;
  return count;
}
