import type { Holder } from '../../model/report.ts';
import type { Dominators } from '../heap/dominators.ts';
import type { Heap } from '../heap/heap.ts';
import type { Describer } from '../objects/describe.ts';
import { HolderGraph } from './holder-graph.ts';
import { leftoverRows } from './leftovers.ts';
import { nameWithPlace, placeOf, type NameTable } from './names.ts';
import { Owners } from './owners.ts';
import { pathBelow } from './path.ts';
import { nameNodes } from './root-names.ts';
import type { Row } from './row.ts';
import { otherNamesAbove, sharedRows } from './shared.ts';

/** Who holds the memory, and what the smells need to look deeper. */
export interface Holders {
  /** The largest first. */
  readonly holders: readonly Holder[];
  /** Node of each holder of `holders`; 0: a group. */
  readonly nodes: readonly number[];
  readonly dominators: Dominators;
  readonly describe: Describer;
  /** The best name of a node, also of one that gives way to its parts as a holder; null: it has none. */
  readonly nameOf: (node: number) => string | null;
  /** Nodes that a node alone keeps, at most `limit`, the largest first. */
  readonly childrenOf: (node: number, limit: number) => readonly number[];
}

/** Holders with a name of their own that are made into rows. */
const maxNamedRows = 200;
/** Other names that a row tells. */
const maxOtherNames = 6;
/**
 * Names the holders of the heap and what each alone keeps, the `limit` largest of them. Nodes get names from variables and attributes; a
 * named node is a holder unless its named parts explain it; what several holders share, and what none keeps, follows as groups.
 */
export function holdersOf(heap: Heap, limit = 60): Holders {
  const held = new HolderGraph(heap);
  const names = nameNodes(held);
  const owners = new Owners(held, names);
  const rows = [
    ...owners.picked.slice(0, maxNamedRows).map((node) => namedRow(held, names, owners, node)),
    ...sharedRows(held, names, owners),
    ...leftoverRows(held, names, owners),
  ]
    .sort((a, b) => b.holder.retainedBytes - a.holder.retainedBytes)
    .slice(0, limit);
  return {
    holders: rows.map(({ holder }) => holder),
    nodes: rows.map(({ node }) => node),
    dominators: held.dominators,
    describe: held.describe,
    nameOf: (node) => (names.has(node) ? names.bestOf(node).name : null),
    childrenOf: (node, limit) => held.childrenOf(node, limit),
  };
}

function namedRow(held: HolderGraph, names: NameTable, owners: Owners, node: number): Row {
  const { census, graph, describe } = held;
  const best = names.bestOf(node);
  const object = graph.address[node]!;
  const otherNames = names
    .allOf(node)
    .filter((name) => name !== best)
    .slice(0, maxOtherNames)
    .map(nameWithPlace);
  const namesAbove = otherNamesAbove(held, names, owners, node);
  return {
    node,
    holder: {
      ...placeOf(best),
      path: [best.name, ...pathBelow(held, node)].join(' -> '),
      // A group of nodes has no object of its own: the items of a list that is being sorted.
      type: object === 0 ? 'objects' : (held.typeOf(node)?.name ?? '?'),
      ownBytes: object === 0 ? 0 : describe.sizeOf(object),
      retainedBytes: held.retained[node]!,
      alsoHeldBy: [...otherNames, ...namesAbove.filter((name) => !otherNames.includes(name))],
      estimate: graph.count >= census.mostNodes || !census.isComplete,
    },
  };
}
