/**
 * Sentences that coroner makes for people. Any string is good enough to be one, but one is no string: it has no `includes`, no pattern
 * takes it, and `test/prose.test.ts` sees to it that nobody compares it. What a program has to know stands in a field beside the words,
 * so that a word can be changed and no verdict with it. In JSON it is a plain string.
 */
export interface Prose {
  readonly length: number;
  toString(): string;
}

/** The words to show: for renderers, which cut, wrap and escape them. */
export const inWords = (prose: Prose): string => `${prose}`;

export const isBlank = (prose: Prose): boolean => prose.length === 0;

/** With a full stop, where nothing ends it yet. */
export const sentence = (prose: Prose): Prose =>
  /[.!?]$/.test(inWords(prose)) ? prose : `${prose}.`;

/** Each of the lines once: nobody wants to read the same words twice. It decides on nothing but the page. */
export function withoutRepeats<T>(items: readonly T[], words: (item: T) => Prose): T[] {
  const said = new Set<string>();
  return items.filter((item) => {
    const line = inWords(words(item));
    if (said.has(line)) return false;
    said.add(line);
    return true;
  });
}
