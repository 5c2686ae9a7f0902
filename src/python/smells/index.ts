import type { Smell } from '../../model/report.ts';
import { dictsOfOneShape } from './dicts-of-one-shape.ts';
import { duplicateArrays } from './duplicate-arrays.ts';
import { equalStrings } from './equal-strings.ts';
import { forkCopies } from './fork-copies.ts';
import { incrementalCollector } from './incremental-collector.ts';
import { integersAsFloats } from './integers-as-floats.ts';
import { objectColumns } from './object-columns.ts';
import { overAllocated } from './over-allocated.ts';
import { pinnedFrames } from './pinned-frames.ts';
import { pinningViews } from './pinning-views.ts';
import { smallTuples } from './small-tuples.ts';
import type { CheckContext, SmellRule } from './smell.ts';
import { tinyArrays } from './tiny-arrays.ts';
import { unboundedCache } from './unbounded-cache.ts';

/** Every smell, one file each; a page of the same name in docs/smells/. */
export const smells: readonly SmellRule[] = [
  equalStrings,
  integersAsFloats,
  objectColumns,
  dictsOfOneShape,
  smallTuples,
  tinyArrays,
  pinningViews,
  overAllocated,
  unboundedCache,
  duplicateArrays,
  pinnedFrames,
  forkCopies,
  incrementalCollector,
];

const leastBytes = 64 * 1024;
const maxShown = 20;

/** The largest savings first. Where several holders have the very same things, the first of them speaks. */
export function checkSmells(context: CheckContext): readonly Smell[] {
  const all = smells
    .flatMap(({ check }) => check(context))
    .filter(({ savesBytes }) => savesBytes >= leastBytes)
    .sort((a, b) => b.savesBytes - a.savesBytes);
  const isSame = (a: Smell, b: Smell) =>
    a.id === b.id &&
    (a.holder === b.holder || Math.abs(a.savesBytes - b.savesBytes) <= a.savesBytes * 0.001);
  return all
    .filter((smell, i) => all.findIndex((other) => isSame(smell, other)) === i)
    .slice(0, maxShown);
}
