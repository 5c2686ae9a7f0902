import type { Describer } from '../objects/describe.ts';
import type { Heap } from '../heap/heap.ts';
import type { Holders } from '../holders/holders.ts';
import { kinds } from '../objects/types.ts';
import type { Candidate } from './smell.ts';

const maxCandidates = 400;
const maxDepth = 4;
const enoughItems = 1000;
/** Objects that are visited below one holder: wide trees of small containers have millions. */
const maxVisits = 4000;

/**
 * Containers of many items and numpy arrays below the largest holders: the holder's own object, and what samples of small
 * containers on the way hold, the nearest first. Visits some thousand objects for each holder.
 */
export function candidatesOf(heap: Heap, found: Holders): readonly Candidate[] {
  const { graph } = heap.census;
  const { describe, dominators } = found;
  const candidates: Candidate[] = [];
  const seen = new Set<number>();
  /** Makes an object a candidate where it is large. Returns the objects that it leads to. */
  const visit = (holder: string, object: number): readonly number[] => {
    const type = describe.typeOf(object);
    if (type === null || type.isAtomic) return [];
    const length = describe.length(object) ?? 0;
    const node = graph.find(object);
    const retainedBytes = node === 0 ? describe.sizeOf(object) : dominators.retained[node]!;
    if (length >= enoughItems || type.kind === kinds.ndarray)
      candidates.push({ holder, object, type, length, retainedBytes });
    // Each of a few containers in a container may be large. Many are alike: the container itself is the candidate.
    const items = length < 200 ? describe.sample(object, 200) : describe.sample(object, 8);
    if (node === 0 || (length > 0 && type.kind !== kinds.generic)) return items;
    // What an object alone keeps: its attributes, blocks of a DataFrame, …
    return [...items, ...found.childrenOf(node, 64).map((child) => graph.address[child]!)];
  };
  for (const [i, holder] of found.holders.entries()) {
    let level = [graph.address[found.nodes[i]!]!];
    let left = maxVisits;
    for (let depth = 0; depth <= maxDepth && level.length > 0; depth += 1) {
      const next: number[] = [];
      for (const object of level) {
        if (object === 0 || seen.has(object)) continue;
        if (left === 0 || candidates.length >= maxCandidates) break;
        left -= 1;
        seen.add(object);
        next.push(...visit(holder.name, object));
      }
      level = next;
    }
  }
  return candidates;
}

/** Items of a container, evenly spaced, with how many of the whole each stands for. */
export function sampleOf(
  describe: Describer,
  { object, length }: Candidate,
  limit: number,
): { readonly items: readonly number[]; readonly weight: number } {
  const items = describe.sample(object, limit);
  return { items, weight: items.length === 0 ? 0 : length / items.length };
}

/** A share from 0 to 1 in whole percent. */
export const percentOf = (share: number): string => `${Math.round(share * 100)} %`;
/** A whole number with commas between thousands. */
export const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
