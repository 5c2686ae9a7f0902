import type { Smell } from '../../model/report.ts';
import { isPlausible } from '../process/memory.ts';
import { kinds } from '../objects/types.ts';
import { count } from './scan.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** Lists with far more room than items, and dicts with tables from larger times. */
export const overAllocated: SmellRule = {
  id: 'over-allocated',
  title: 'Containers with much unused room',
  check: ({ heap, found }: CheckContext) => {
    const { memory, graph, types, python } = heap.census;
    const smells: Smell[] = [];
    const nameOf = new Map(found.nodes.map((node, i) => [node, found.holders[i]!.name]));
    for (let node = 1; node < graph.count; node++) {
      if (graph.bytes[node]! < 65_536 || graph.address[node] === 0) continue;
      const type = types.types[graph.type[node]!];
      const object = graph.address[node]!;
      let unused = 0;
      let items = 0;
      if (type?.kind === kinds.list) {
        items = memory.word(object + 16);
        const allocated = memory.signedWord(object + 32);
        // Growth leaves an eighth: that is as it must be.
        if (allocated > items * 1.5) unused = (allocated - items) * 8;
      } else if (type?.kind === kinds.dict) {
        items = memory.word(object + 16);
        const keys = memory.word(object + 32);
        if (!isPlausible(keys)) continue;
        const table = python.keysEntries(keys);
        if (table.usable > items * 8) unused = table.bytes - items * table.width;
      }
      if (unused < 65_536) continue;
      let above = node;
      while (above !== 0 && !nameOf.has(above)) above = found.dominators.dominator[above]!;
      const holder = nameOf.get(above) ?? null;
      smells.push({
        id: 'over-allocated',
        holder,
        savesBytes: unused,
        says: `${holder ?? `a ${type!.name}`} has room for far more than its ${count(items)} items: a copy (${type!.kind === kinds.list ? 'x[:]' : 'dict(x)'}) is as large as it must be`,
      });
    }
    return smells;
  },
};
