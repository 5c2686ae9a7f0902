import type { Smell } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { readNdarray } from '../objects/numpy.ts';
import { kinds } from '../objects/types.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** A small view that alone keeps a large array: a copy of the part lets the rest go. */
export const pinningViews: SmellRule = {
  id: 'pinning-views',
  title: 'Views that pin large arrays',
  check: ({ heap, found }: CheckContext) => {
    const { memory, graph, types } = heap.census;
    const smells: Smell[] = [];
    for (const [i, holder] of found.holders.entries()) {
      const top = found.nodes[i]!;
      if (top === 0) continue;
      for (const node of [top, ...found.childrenOf(top, 200)]) {
        const address = graph.address[node]!;
        if (address === 0 || types.types[graph.type[node]!]?.kind !== kinds.ndarray) continue;
        const view = readNdarray(memory, address);
        const base = found.describe.typeOf(view.base);
        if (view.base === 0 || base?.kind !== kinds.ndarray) continue;
        const { items, itemBytes } = readNdarray(memory, view.base);
        const [whole, part] = [items * itemBytes, view.items * view.itemBytes];
        // Somebody else keeps the base as well: it is not this view's doing.
        const isAlone = found.dominators.retained[node]! >= whole;
        if (!isAlone || part > whole / 2) continue;
        smells.push({
          id: 'pinning-views',
          holder: holder.name,
          savesBytes: whole - part,
          says: `${holder.name} is a view of ${formatBytes(part)} that keeps an array of ${formatBytes(whole)} alive: .copy() lets the rest go`,
        });
      }
    }
    return smells;
  },
};
