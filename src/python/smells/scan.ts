import type { Bytes } from '../../model/units.ts';
import type { Describer } from '../describe.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';
import type { Scene } from './smell.ts';

/** A large container or array that a holder leads to. */
export interface Find {
  /** Of the report: `rows`, `server.sessions`. */
  readonly holder: string;
  readonly object: number;
  readonly type: TypeInfo;
  /** Items; 0 where it has none. */
  readonly length: number;
  readonly retainedBytes: Bytes;
}

const maxFinds = 400;
const maxDepth = 4;
const enoughItems = 1000;

/**
 * Containers of many items and numpy arrays below the largest holders: the holder's own object, and what samples of small
 * containers on the way hold. Cheap: some thousand objects are looked at.
 */
export function findsOf({ heap, found }: Scene): readonly Find[] {
  const { graph } = heap.census;
  const { describe, dominators } = found;
  const finds: Find[] = [];
  const seen = new Set<number>();
  const visit = (holder: string, object: number, depth: number) => {
    if (object === 0 || seen.has(object) || finds.length >= maxFinds || depth > maxDepth) return;
    seen.add(object);
    const type = describe.typeOf(object);
    if (type === null || type.isAtomic) return;
    const length = describe.length(object) ?? 0;
    const node = graph.find(object);
    const retainedBytes = node === 0 ? describe.sizeOf(object) : dominators.retained[node]!;
    if (length >= enoughItems || type.kind === kinds.ndarray)
      finds.push({ holder, object, type, length, retainedBytes });
    // A few containers in a container: each may be large. Many: they are alike, and the container is what is looked at.
    const items = length < 200 ? describe.sample(object, 200) : describe.sample(object, 8);
    for (const item of items) visit(holder, item, depth + 1);
    if (length === 0 || type.kind === kinds.generic)
      for (const child of childrenOf(scene, object)) visit(holder, child, depth + 1);
  };
  const scene = { heap, found };
  for (const [i, holder] of found.holders.entries()) {
    const node = found.nodes[i]!;
    if (node !== 0 && graph.address[node] !== 0) visit(holder.name, graph.address[node]!, 0);
  }
  return finds;
}

/** Nodes that an object alone keeps: its attributes, blocks of a DataFrame, … */
function childrenOf({ heap, found }: Scene, object: number): readonly number[] {
  const { graph } = heap.census;
  const node = graph.find(object);
  if (node === 0) return [];
  return found
    .childrenOf(node, 64)
    .map((child) => graph.address[child]!)
    .filter((address) => address !== 0);
}

/** Items of a container, evenly spaced, with how many of the whole each stands for. */
export function sampleOf(
  describe: Describer,
  { object, length }: Find,
  limit: number,
): { readonly items: readonly number[]; readonly weight: number } {
  const items = describe.sample(object, limit);
  return { items, weight: items.length === 0 ? 0 : length / items.length };
}

export const percentOf = (share: number): string => `${Math.round(share * 100)} %`;
export const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
