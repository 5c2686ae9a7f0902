/** What the exports of allocations share: one weighed stack an allocation, outermost frame first. */
import type { Allocation, Report, StackFrame } from '../../model/report.ts';

export type Moment = Allocation['when'];

export interface WeighedStack {
  /** Outermost first. Never empty. */
  readonly frames: readonly StackFrame[];
  readonly bytes: number;
}

/** Allocations of all incidents that were live at that moment. */
export const stacksAt = (report: Report, when: Moment): readonly WeighedStack[] =>
  report.incidents
    .flatMap(({ memory }) => memory.allocations ?? [])
    .filter((allocation) => allocation.when === when && allocation.bytes > 0)
    .map(({ bytes, stack, function: name, file, line }) => ({
      bytes: Math.round(bytes),
      frames: stack.length > 0 ? stack.toReversed() : [{ function: name ?? 'unknown', file, line }],
    }));

export const moments: readonly (readonly [Moment, string])[] = [
  ['peak', 'live at the peak'],
  ['death', 'live at the death'],
];
