/** What the exports of allocations share: one weighed stack an allocation, outermost frame first. */
import { weighedStacks } from '../../model/memory-picture.ts';
import type { Allocation, Report, StackFrame } from '../../model/report.ts';

export type Moment = Allocation['when'];

export interface WeighedStack {
  /** Outermost first. Never empty. */
  readonly frames: readonly StackFrame[];
  readonly bytes: number;
}

/** Those of all incidents, or of a run in which nothing died, or nothing that was looked into. */
function allocationsIn({ incidents, run }: Report): readonly Allocation[] {
  const ofDeaths = incidents.flatMap(({ memory }) => memory.allocations ?? []);
  return ofDeaths.length > 0 ? ofDeaths : (run?.memory?.allocations ?? []);
}

/** Allocations that were live at that moment. Of a line with several call paths each is one. */
export const stacksAt = (report: Report, when: Moment): readonly WeighedStack[] =>
  allocationsIn(report)
    .filter((allocation) => allocation.when === when)
    .flatMap(weighedStacks)
    .map(({ bytes, stack }) => ({ bytes: Math.round(bytes), frames: stack.toReversed() }))
    .filter(({ bytes }) => bytes > 0);

export const moments: readonly (readonly [Moment, string])[] = [
  ['peak', 'live at the peak'],
  ['refusal', 'live when a request was refused'],
  ['death', 'live at the death'],
];
