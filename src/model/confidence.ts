/**
 * How sure a verdict is, in words.
 * - certain: a record that names this very process and cannot mean anything else
 * - strong: a direct witness with a gap
 * - likely: several indirect witnesses
 * - weak: one indirect witness
 */
export type Confidence = 'certain' | 'strong' | 'likely' | 'weak';

/** What each word means to a reader. */
export const confidenceMeaning: Readonly<Record<Confidence, string>> = {
  certain: 'a record names this very process',
  strong: 'a direct witness, with a gap',
  likely: 'several indirect signs agree',
  weak: 'only one indirect sign',
};

const order: readonly Confidence[] = ['weak', 'likely', 'strong', 'certain'];

/** Positive when `a` is surer than `b`. */
export const compareConfidence = (a: Confidence, b: Confidence): number =>
  order.indexOf(a) - order.indexOf(b);

/** The less sure of the two. */
export const atMost = (a: Confidence, cap: Confidence): Confidence =>
  compareConfidence(a, cap) > 0 ? cap : a;
