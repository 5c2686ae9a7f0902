import type { Smell } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { partsOf } from '../objects/names.ts';
import { kinds } from '../objects/types.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** A kept exception keeps its traceback, which keeps the locals of every call it went through. */
export const pinnedFrames: SmellRule = {
  id: 'pinned-frames',
  title: 'Exceptions that pin the locals of their calls',
  check: ({ heap, found }: CheckContext) => {
    const { census } = heap;
    const { graph, types } = census;
    const { retained, dominator } = found.dominators;
    const smells: Smell[] = [];
    for (let node = 1; node < graph.count; node++) {
      if (graph.address[node] === 0 || retained[node]! < 65_536) continue;
      if (types.types[graph.type[node]!]?.rawName !== 'traceback') continue;
      // The outermost traceback of a chain speaks for it.
      if (types.types[graph.type[dominator[node]!] ?? -1]?.rawName === 'traceback') continue;
      const variables = variablesBelow(node);
      const names = variables.length === 0 ? '' : ` (${variables.slice(0, 3).join(', ')})`;
      smells.push({
        id: 'pinned-frames',
        holder: holderOf(node),
        savesBytes: Math.round(retained[node]!),
        says: `an exception that is still kept holds the locals of its calls${names}, ${formatBytes(retained[node]!)}: keep str(error), or drop error.__traceback__`,
      });
    }
    return smells;

    /** Large locals of the frames below, by name. */
    function variablesBelow(top: number): readonly string[] {
      const names: string[] = [];
      const pending = [top];
      for (let steps = 0; pending.length > 0 && steps < 200; steps++) {
        const node = pending.pop()!;
        const type = types.types[graph.type[node]!];
        if (type?.kind === kinds.frame)
          for (const { name, address, place } of partsOf(census, graph.address[node]!, type)) {
            const local = graph.find(address);
            if (local !== 0 && retained[local]! > 16_384)
              names.push(`${name} of ${place?.function ?? '?'}()`);
          }
        pending.push(...found.childrenOf(node, 8));
      }
      return [...new Set(names)];
    }

    function holderOf(node: number): string | null {
      for (let at = node; at !== 0; at = dominator[at]!) {
        const name = found.nameOf(at);
        if (name !== null) return name;
      }
      return null;
    }
  },
};
