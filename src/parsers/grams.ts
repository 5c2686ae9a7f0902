/**
 * Says at once that a literal stands nowhere in a text: hundreds of them are asked for, and hardly one is there. A bitmap of the
 * hashes of all three characters in a row; a literal of which one is missing cannot stand there.
 */
export interface Grams {
  /** False: surely not. True: look. */
  readonly mayHave: (literal: string) => boolean;
}

const bits = 1 << 17;

export function gramsOf(...texts: readonly string[]): Grams {
  const bitmap = new Uint8Array(bits >> 3);
  for (const text of texts)
    for (let at = 2; at < text.length; at += 1) {
      const hash = hashAt(text, at);
      bitmap[hash >> 3]! |= 1 << (hash & 7);
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
