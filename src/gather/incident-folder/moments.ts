/** Searches in what lies in the order of time: by halving, as a run has thousands of processes and of samples. */
import { firstIndexWhere } from '../../model/binary-search.ts';

interface AtMoment {
  readonly atMs: number;
}

/** The index of the first moment at or after a time; the list's length: there is none. `moments` must be in order. */
export const firstNotBefore = (moments: readonly AtMoment[], atMs: number): number =>
  firstIndexWhere(moments.length, (index) => moments[index]!.atMs >= atMs);

/** Moments that are looked up by time. */
export function around<Moment extends AtMoment>(moments: readonly Moment[], widthMs: number) {
  const inOrder = moments.toSorted((a, b) => a.atMs - b.atMs);
  const from = (atMs: number) => firstNotBefore(inOrder, atMs - widthMs);
  const isNear = (one: Moment | undefined, atMs: number) =>
    one !== undefined && one.atMs - atMs <= widthMs;
  return {
    /** The earliest within the width of a time. */
    first: (atMs: number): Moment | undefined => {
      const one = inOrder[from(atMs)];
      return isNear(one, atMs) ? one : undefined;
    },
    /** Whether exactly one is within the width of a time. */
    isOne: (atMs: number): boolean => {
      const index = from(atMs);
      return isNear(inOrder[index], atMs) && !isNear(inOrder[index + 1], atMs);
    },
  };
}
