import type { Bytes } from '../../model/units.ts';
import { unnamedHolders } from '../../model/holder-kinds.ts';
import { partsOf, type Part } from '../objects/names.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';
import type { HolderGraph } from './holder-graph.ts';
import type { NameTable } from './names.ts';
import { isOpaque } from './root-names.ts';

const maxSteps = 6;
const maxStepsAbove = 4;
/** A child that keeps this much of its parent is the way to most of the bytes. */
const mostShare = 0.5;

/** A place on a path. The node is 0 where the object has none. */
interface Place {
  readonly node: number;
  readonly object: number;
}

/**
 * Labels of the objects on the way from a node to most of its bytes, its own first: through the child that keeps most, else through what
 * samples of many items are, else through the heaviest attribute.
 */
export function pathBelow(held: HolderGraph, node: number): readonly string[] {
  const { describe, graph } = held;
  const path: string[] = [];
  let place: Place = { node, object: graph.address[node]! };
  for (let depth = 0; depth < maxSteps && place.object !== 0; depth++) {
    const { object } = place;
    path.push(describe.label(object));
    const type = describe.typeOf(object);
    if (type === null || type.isAtomic) break;
    const child = heavyChild(held, place, type);
    if (child !== null) {
      place = child;
      continue;
    }
    const item = typicalItem(held, object);
    if (item !== 0) {
      place = { node: graph.find(item), object: item };
      continue;
    }
    // One of many instances: which of its attributes weighs most.
    const attribute =
      type.kind === kinds.generic && type.isHeap ? heaviestAttribute(held, object, type) : null;
    if (attribute === null) break;
    path.push(`.${attribute.name}`);
    place = { node: graph.find(attribute.address), object: attribute.address };
  }
  return path;
}

/** The child that keeps most of a node's bytes; null: none keeps that much. */
function heavyChild(held: HolderGraph, { node }: Place, type: TypeInfo): Place | null {
  const { graph } = held;
  const child = childWithMost(held, node);
  if (child === 0) return null;
  const object = graph.address[child]!;
  // The dict of an instance is a detail.
  if (held.describe.typeOf(object)?.kind === kinds.dict && type.kind === kinds.generic) {
    const inner = childWithMost(held, child);
    if (inner !== 0) return { node: inner, object: graph.address[inner]! };
  }
  return { node: child, object };
}

/** 0: no child keeps most. */
function childWithMost(held: HolderGraph, node: number): number {
  const { retained } = held;
  const heaviest = node === 0 ? 0 : held.heaviestChild(node);
  return heaviest !== 0 && retained[heaviest]! >= mostShare * retained[node]! ? heaviest : 0;
}

function heaviestAttribute(held: HolderGraph, object: number, type: TypeInfo): Part | null {
  const { census, describe } = held;
  if (isOpaque(type)) return null;
  let best: Part | null = null;
  let most = 0;
  for (const part of partsOf(census, object, type).slice(0, 64)) {
    const of = describe.typeOf(part.address);
    if (of === null || of.isSingleton || of.kind === kinds.type || of.kind === kinds.module)
      continue;
    const bytes = describe.sizeOf(part.address) + itemsBytes(held, part.address);
    if (bytes > most) [best, most] = [part, bytes];
  }
  return best;
}

/** An item of the type that holds most of the bytes among samples; 0: there are no items. */
function typicalItem(held: HolderGraph, object: number): number {
  const { describe, graph, retained } = held;
  const groups = new Map<string, { bytes: Bytes; readonly item: number }>();
  for (const item of describe.sample(object, 48)) {
    const type = describe.typeOf(item);
    if (type === null || type.isSingleton) continue;
    const node = graph.find(item);
    const bytes = Math.max(
      node === 0 ? 0 : retained[node]!,
      describe.sizeOf(item) + itemsBytes(held, item),
    );
    const group = groups.get(type.name);
    if (group === undefined) groups.set(type.name, { bytes, item });
    else group.bytes += bytes;
  }
  let best: { readonly bytes: Bytes; readonly item: number } | null = null;
  for (const group of groups.values()) if (best === null || group.bytes > best.bytes) best = group;
  return best?.item ?? 0;
}

/** Bytes of some of a container's items. */
function itemsBytes({ describe }: HolderGraph, object: number): Bytes {
  return describe.sample(object, 8).reduce((sum, item) => sum + describe.sizeOf(item), 0);
}

/** Types (and the first name) on the way to a node without a name, from where it was first seen. */
export function pathAbove(held: HolderGraph, names: NameTable, node: number): string {
  const { graph } = held;
  const steps: string[] = [];
  for (let at = graph.parent[node]!; at !== 0 && steps.length < maxStepsAbove;) {
    if (names.has(at)) {
      steps.push(names.bestOf(at).name);
      break;
    }
    const type = held.typeOf(at);
    if (type !== null) steps.push(type.name);
    at = graph.parent[at]!;
  }
  return steps.reverse().join(' -> ') || unnamedHolders['no-name'];
}
