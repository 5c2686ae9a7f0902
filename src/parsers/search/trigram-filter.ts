/**
 * Says at once that a literal stands nowhere in a text: hundreds of them are asked for, and hardly one is there. A bitmap of the
 * hashes of all three characters in a row; a literal of which one is missing cannot stand there.
 */
export interface Trigrams {
  /** False: surely not. True: look. */
  readonly mayHave: (literal: string) => boolean;
}

const bits = 1 << 17;

export function trigramsOf(...texts: readonly string[]): Trigrams {
  const bitmap = new Uint8Array(bits >> 3);
  for (const text of texts) {
    // Each character is looked up once: this is done to every character of every input.
    let before = text.charCodeAt(0) << 5;
    let hash = (before << 5) ^ (text.charCodeAt(1) << 5);
    before = text.charCodeAt(1) << 5;
    const { length } = text;
    for (let at = 2; at < length; at += 1) {
      const code = text.charCodeAt(at);
      const place = (code ^ hash) & (bits - 1);
      bitmap[place >> 3]! |= 1 << (place & 7);
      hash = (code << 5) ^ (before << 5);
      before = code << 5;
    }
  }
  return {
    mayHave: (literal) => {
      for (let at = 2; at < literal.length; at += 1) {
        const hash = hashAt(literal, at);
        if ((((bitmap[hash >> 3] as number) >> (hash & 7)) & 1) === 0) return false;
      }
      return true;
    },
  };
}

/** Of the three characters that end at `at`. */
const hashAt = (text: string, at: number): number =>
  (text.charCodeAt(at) ^ (text.charCodeAt(at - 1) << 5) ^ (text.charCodeAt(at - 2) << 10)) &
  (bits - 1);
