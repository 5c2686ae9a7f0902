import { formatBytes } from '../../model/units.ts';
import { isCollectorOn } from '../interpreter/runtime-state.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** Of all objects. The collector of every other version begins a full collection when a quarter of what it knows is new. */
const leastShare = 1 / 3;

/**
 * 3.14.0 to 3.14.4 collect cycles in small increments, and programs that make many of them grew by it: 3.14.5 has the collector of 3.13
 * again. The version alone says nothing: garbage must lie there, with the collector at work.
 */
export const incrementalCollector: SmellRule = {
  id: 'incremental-collector',
  title: 'Garbage that the collector of CPython 3.14.0 to 3.14.4 has left',
  check: ({ heap, found }: CheckContext) => {
    const { python } = heap.census;
    const { major, minor, patch } = python.runtime.version;
    if (major !== 3 || minor !== 14 || patch === null || patch > 4) return [];
    const garbage = found.holders.find(({ kind }) => kind === 'garbage-cycles');
    const share = (garbage?.retainedBytes ?? 0) / found.dominators.retained[0]!;
    if (garbage === undefined || share < leastShare || isCollectorOn(python) !== true) return [];
    const version = `${major}.${minor}.${patch}`;
    return [
      {
        id: 'incremental-collector',
        holder: garbage.name,
        savesBytes: garbage.retainedBytes,
        says: `garbage cycles are ${formatBytes(garbage.retainedBytes)}, ${Math.round(share * 100)} % of all objects, with the collector switched on: CPython ${version} collects them late. 3.14.5 and later have the collector of 3.13 again`,
      },
    ];
  },
};
