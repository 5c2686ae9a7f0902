import type { Bytes } from '../../model/units.ts';
import { kinds } from '../objects/types.ts';
import type { HolderGraph } from './holder-graph.ts';
import type { NameTable } from './names.ts';

/** A holder gives way to its parts where these keep this much of it. */
const explainedShare = 0.8;
const maxDepth = 12;

/** Which named nodes are holders, and what each of them keeps. */
export class Owners {
  /** Nodes that are holders, the largest first. None of them is above another in the dominator tree. */
  readonly picked: readonly number[];
  /** Bytes of each node and of what it alone keeps, without those of the holders below it. Whoever tells of a node's bytes sets them to 0. */
  readonly residual: Float64Array;
  /** The holder at or above each node; 0: none. */
  readonly under: Int32Array;
  private readonly held: HolderGraph;
  private readonly names: NameTable;

  constructor(held: HolderGraph, names: NameTable) {
    this.held = held;
    this.names = names;
    this.picked = pickHolders(held, names);
    this.under = new Int32Array(held.graph.count);
    this.residual = held.retained.slice();
    this.attribute();
  }

  /** The holder or named node through which a reference from this node comes; 0: none. */
  leadOf(from: number): number {
    if (this.held.isCode(from)) return 0;
    if (this.under[from] !== 0) return this.under[from]!;
    return this.names.has(from) ? from : 0;
  }

  /** Whether a node hangs on the root itself and under no holder: several keep it, or none that has a name. */
  isTop(node: number): boolean {
    return node !== 0 && this.under[node] === 0 && this.held.dominators.dominator[node] === 0;
  }

  /** Fills `under` and `residual`. */
  private attribute(): void {
    const { under, residual } = this;
    const { retained } = this.held;
    const { order, dominator } = this.held.dominators;
    const isPicked = new Set(this.picked);
    for (const node of order) {
      if (node === 0) continue;
      if (!isPicked.has(node)) {
        under[node] = under[dominator[node]!]!;
        continue;
      }
      under[node] = node;
      // Trees are shallow: to subtract from every node above costs little.
      for (let above = dominator[node]!; ; above = dominator[above]!) {
        residual[above]! -= retained[node]!;
        if (above === 0) break;
      }
    }
  }
}

/** Named nodes, but not those whose named parts explain them. */
function pickHolders(held: HolderGraph, names: NameTable): readonly number[] {
  const { retained } = held;
  const { tops, parts } = nameTree(held, names);
  const picked: number[] = [];
  const pick = (node: number, depth: number) => {
    const below = parts.get(node) ?? [];
    const explained = below.reduce((sum: Bytes, part) => sum + retained[part]!, 0);
    const gives = explained >= explainedShare * retained[node]! && !isChain(held, node, below);
    if (below.length > 0 && gives && depth < maxDepth)
      for (const part of below) pick(part, depth + 1);
    else picked.push(node);
  };
  for (const top of tops) pick(top, 0);
  return picked.sort((a, b) => retained[b]! - retained[a]!);
}

/** A linked list: each node holds the rest of it, so `head` tells as much as `head.next.next.next`. */
function isChain(held: HolderGraph, node: number, below: readonly number[]): boolean {
  const type = held.typeOf(node);
  return (
    type?.kind === kinds.generic &&
    type.isHeap &&
    below.length === 1 &&
    held.typeOf(below[0]!)?.name === type.name
  );
}

/** The dominator tree reduced to named nodes that keep enough. */
function nameTree(
  held: HolderGraph,
  names: NameTable,
): {
  /** Named nodes with no named node above them. */
  readonly tops: readonly number[];
  readonly parts: ReadonlyMap<number, readonly number[]>;
} {
  const { graph, retained, leastBytes } = held;
  const { order, dominator } = held.dominators;
  const nearestAbove = new Int32Array(graph.count);
  const tops: number[] = [];
  const parts = new Map<number, number[]>();
  for (const node of order) {
    if (node === 0) continue;
    const above = dominator[node]!;
    const named = names.has(above) ? above : nearestAbove[above]!;
    nearestAbove[node] = named;
    if (!names.has(node) || retained[node]! < leastBytes) continue;
    if (named === 0) tops.push(node);
    else {
      const list = parts.get(named);
      if (list === undefined) parts.set(named, [node]);
      else list.push(node);
    }
  }
  return { tops, parts };
}
