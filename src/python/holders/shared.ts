import type { Bytes } from '../../model/units.ts';
import type { HolderGraph } from './holder-graph.ts';
import { nameWithPlace, placeOf, type NameTable } from './names.ts';
import type { Owners } from './owners.ts';
import type { Row } from './row.ts';

/** What more names than this lead to is nobody's in particular. */
const mostLeads = 6;
/** References to a node that are followed back. */
const maxReferences = 64;
/** Groups of less than this share of the heap stay with the leftovers. */
const leastShare = 0.005;

/** Nodes to which the same named nodes lead. */
interface Group {
  /** Named nodes, the largest first. */
  readonly leads: readonly number[];
  bytes: Bytes;
  /** The node of the group that keeps most. */
  sample: number;
}

/**
 * Objects that several named holders lead to and none keeps alone, which the dominator tree gives to the root: one row for each set of
 * names. Takes their bytes out of `owners.residual`.
 */
export function sharedRows(held: HolderGraph, names: NameTable, owners: Owners): readonly Row[] {
  const { residual } = owners;
  const { order } = held.dominators;
  const { groups, groupOf } = groupsByLeads(held, names, owners);
  for (const node of order) {
    if (groupOf[node]! < 0) continue;
    const group = groups[groupOf[node]!]!;
    group.bytes += residual[node]!;
    if (residual[node]! > residual[group.sample]!) group.sample = node;
  }
  const least = Math.max(held.leastBytes, held.totalBytes * leastShare);
  const isKept = ({ bytes }: Group) => bytes >= least;
  for (const node of order)
    if (groupOf[node]! >= 0 && isKept(groups[groupOf[node]!]!)) residual[node] = 0;
  return groups.filter(isKept).map((group) => rowOf(held, names, group));
}

function rowOf(held: HolderGraph, names: NameTable, { leads, bytes, sample }: Group): Row {
  const [first, ...others] = leads.map((node) => names.bestOf(node));
  const place = placeOf(first!);
  const address = held.graph.address[sample]!;
  const together = others.length === 0 ? ['others'] : others.map(({ name }) => name);
  return {
    node: sample,
    holder: {
      ...place,
      kind: 'shared',
      path: `${[place.name, ...together].join(' + ')} -> ${held.describe.label(address)}`,
      type: held.typeOf(sample)?.name ?? '?',
      ownBytes: held.describe.sizeOf(address),
      retainedBytes: bytes,
      alsoHeldBy: others.map(nameWithPlace),
      estimate: false,
    },
  };
}

/** Groups of shared nodes, and the index of each node's group; -1: none. */
function groupsByLeads(
  held: HolderGraph,
  names: NameTable,
  owners: Owners,
): { readonly groups: readonly Group[]; readonly groupOf: Int32Array } {
  const { graph, retained } = held;
  const groups: Group[] = [];
  const indexes = new Map<string, number>();
  const groupOf = new Int32Array(graph.count).fill(-1);
  // Twice: a node that leads to another one may come after it in this order.
  for (let pass = 0; pass < 2; pass++)
    for (const node of held.dominators.order) {
      if (!owners.isTop(node) || graph.address[node] === 0 || names.has(node)) continue;
      const leads = leadsTo(held, owners, node, (from) =>
        groupOf[from]! < 0 ? [] : groups[groupOf[from]!]!.leads,
      );
      if (leads.size === 0 || leads.size > mostLeads) {
        groupOf[node] = -1;
        continue;
      }
      const list = [...leads].sort((a, b) => retained[b]! - retained[a]!);
      const key = list.join(',');
      let index = indexes.get(key);
      if (index === undefined) {
        index = groups.push({ leads: list, bytes: 0, sample: node }) - 1;
        indexes.set(key, index);
      }
      groupOf[node] = index;
    }
  return { groups, groupOf };
}

/** Named nodes that lead to a node, at once or through shared nodes whose leads are known. */
function leadsTo(
  held: HolderGraph,
  owners: Owners,
  node: number,
  leadsOfGroup: (node: number) => readonly number[],
): ReadonlySet<number> {
  const { start, from: sources } = held.dominators.predecessors;
  const leads = new Set<number>();
  const end = Math.min(start[node + 1]!, start[node]! + maxReferences);
  for (let at = start[node]!; at < end && leads.size <= mostLeads; at++) {
    const from = sources[at]!;
    const lead = owners.leadOf(from);
    if (lead !== 0) leads.add(lead);
    else if (!held.isCode(from)) for (const other of leadsOfGroup(from)) leads.add(other);
  }
  return leads;
}

/**
 * Other names that lead to what a holder hangs on. `f` is an item of `frames`, so that `f.columns` is freed with neither of them alone.
 */
export function otherNamesAbove(
  held: HolderGraph,
  names: NameTable,
  owners: Owners,
  node: number,
): readonly string[] {
  const { dominator, predecessors } = held.dominators;
  let top = node;
  while (dominator[top] !== 0) {
    top = dominator[top]!;
    if (held.isCode(top)) return [];
  }
  const found = new Set<number>();
  const end = Math.min(predecessors.start[top + 1]!, predecessors.start[top]! + 16);
  for (let at = predecessors.start[top]!; at < end; at++) {
    const lead = owners.leadOf(predecessors.from[at]!);
    if (lead !== 0 && lead !== node && lead !== top) found.add(lead);
  }
  return [...found].slice(0, 3).map((lead) => nameWithPlace(names.bestOf(lead)));
}
