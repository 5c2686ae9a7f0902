import type { Smell } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** `functools.lru_cache(maxsize=None)` and `functools.cache`: they never forget. */
export const unboundedCache: SmellRule = {
  id: 'unbounded-cache',
  title: 'A cache without a bound',
  check: ({ heap, found }: CheckContext) => {
    const { memory, graph, types } = heap.census;
    const smells: Smell[] = [];
    for (let node = 1; node < graph.count; node++) {
      const retained = found.dominators.retained[node]!;
      if (retained < 65_536 || graph.address[node] === 0) continue;
      const type = types.types[graph.type[node]!];
      if (type === undefined || !/^functools\._lru_cache_wrapper$/.test(type.name)) continue;
      const object = graph.address[node]!;
      // `maxsize` of lru_cache_object is a Py_ssize_t, -1 for none; its place differs by version, no other field is -1.
      let isUnbounded = false;
      for (let at = object + 16; at < object + type.basicBytes; at += 8)
        if (memory.u32(at) === 0xffff_ffff && memory.u32(at + 4) === 0xffff_ffff)
          isUnbounded = true;
      if (!isUnbounded) continue;
      const name = found.holders[found.nodes.indexOf(node)]?.name ?? 'a function';
      smells.push({
        id: 'unbounded-cache',
        holder: name,
        savesBytes: Math.round(retained),
        says: `the lru_cache of ${name} has no maxsize and holds ${formatBytes(retained)}: it never forgets. Give it one, or clear it (cache_clear)`,
      });
    }
    return smells;
  },
};
