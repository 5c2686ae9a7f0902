/** What the exports of allocations share: one weighed stack an allocation, outermost frame first. */
import type { Allocation, Report, StackFrame } from '../../model/report.ts';

export type Moment = Allocation['when'];

export interface WeighedStack {
  /** Outermost first. Never empty. */
  readonly frames: readonly StackFrame[];
  readonly bytes: number;
}

/** Allocations of all incidents that were live at that moment. Of a line with several call paths each is one. */
export const stacksAt = (report: Report, when: Moment): readonly WeighedStack[] =>
  report.incidents
    .flatMap(({ memory }) => memory.allocations ?? [])
    .filter((allocation) => allocation.when === when)
    .flatMap(({ bytes, stack, paths = [], function: name, file, line }) => {
      const onPaths = paths.reduce((sum, path) => sum + path.bytes, 0);
      const own = [{ function: name ?? 'unknown', file, line }];
      return [
        ...paths,
        // What no path accounts for.
        { bytes: bytes - onPaths, stack },
      ].map((path) => ({
        bytes: Math.round(path.bytes),
        frames: path.stack.length > 0 ? path.stack.toReversed() : own,
      }));
    })
    .filter(({ bytes }) => bytes > 0);

export const moments: readonly (readonly [Moment, string])[] = [
  ['peak', 'live at the peak'],
  ['death', 'live at the death'],
];
