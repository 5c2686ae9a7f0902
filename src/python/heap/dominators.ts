import type { Graph } from './graph.ts';

export interface Dominators {
  /** Who alone keeps a node; 0: the root. Only meaningful for reached nodes. */
  readonly dominator: Int32Array;
  /** Bytes that would be freed with a node: its own and those of all that it dominates. */
  readonly retained: Float64Array;
  readonly isReached: (node: number) => boolean;
  /** Reached nodes, parents in the tree before their children. */
  readonly order: Int32Array;
  /** Predecessors of each node: `from[start[node]]` up to `start[node + 1]`. */
  readonly predecessors: { readonly start: Uint32Array; readonly from: Uint32Array };
}

/** Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph" (1979), the simple variant, without recursion. */
export function dominatorsOf(graph: Graph): Dominators {
  const size = graph.count;
  const { edgeCount, edgeFrom, edgeTo } = graph;
  const successors = bySource(size, edgeCount, edgeFrom, edgeTo);
  const predecessors = bySource(size, edgeCount, edgeTo, edgeFrom);

  // Depth first from the root: number[node] counts from 1, vertex is its inverse.
  const number = new Int32Array(size);
  const vertex = new Int32Array(size + 1);
  const parent = new Int32Array(size);
  let reached = 0;
  {
    const position = successors.start.slice(0, size);
    const stack = new Int32Array(size + 1);
    let depth = 0;
    stack[depth++] = 0;
    number[0] = ++reached;
    vertex[reached] = 0;
    while (depth > 0) {
      const node = stack[depth - 1]!;
      const at = position[node]!;
      if (at === successors.start[node + 1]) {
        depth -= 1;
        continue;
      }
      position[node] = at + 1;
      const next = successors.from[at]!;
      if (number[next] !== 0) continue;
      number[next] = ++reached;
      vertex[reached] = next;
      parent[next] = node;
      stack[depth++] = next;
    }
  }

  const none = -1;
  const semi = number.slice();
  const ancestor = new Int32Array(size).fill(none);
  const label = Int32Array.from({ length: size }, (_, i) => i);
  const dominator = new Int32Array(size);
  const bucketHead = new Int32Array(size).fill(none);
  const bucketNext = new Int32Array(size).fill(none);
  const path = new Int32Array(size + 1);
  const evaluate = (node: number): number => {
    if (ancestor[node] === none) return label[node]!;
    let length = 0;
    let at = node;
    while (ancestor[ancestor[at]!] !== none) {
      path[length++] = at;
      at = ancestor[at]!;
    }
    while (length > 0) {
      const below = path[--length]!;
      const above = ancestor[below]!;
      if (semi[label[above]!]! < semi[label[below]!]!) label[below] = label[above]!;
      ancestor[below] = ancestor[above]!;
    }
    return label[node]!;
  };
  for (let i = reached; i >= 2; i--) {
    const node = vertex[i]!;
    let smallest = semi[node]!;
    const end = predecessors.start[node + 1]!;
    for (let at = predecessors.start[node]!; at < end; at++) {
      const from = predecessors.from[at]!;
      if (number[from] === 0) continue;
      smallest = Math.min(smallest, semi[evaluate(from)]!);
    }
    semi[node] = smallest;
    const bucket = vertex[smallest]!;
    bucketNext[node] = bucketHead[bucket]!;
    bucketHead[bucket] = node;
    const above = parent[node]!;
    ancestor[node] = above;
    for (let at = bucketHead[above]!; at !== none; at = bucketNext[at]!) {
      const best = evaluate(at);
      dominator[at] = semi[best]! < semi[at]! ? best : above;
    }
    bucketHead[above] = none;
  }
  for (let i = 2; i <= reached; i++) {
    const node = vertex[i]!;
    if (dominator[node] !== vertex[semi[node]!]) dominator[node] = dominator[dominator[node]!]!;
  }
  const retained = graph.bytes.slice(0, size);
  for (let i = reached; i >= 2; i--) {
    const node = vertex[i]!;
    retained[dominator[node]!]! += retained[node]!;
  }
  return {
    dominator,
    retained,
    isReached: (node) => number[node] !== 0,
    order: vertex.slice(1, reached + 1),
    predecessors,
  };
}

/** Edges sorted by one end (counting sort). */
function bySource(
  size: number,
  count: number,
  source: Uint32Array,
  target: Uint32Array,
): { readonly start: Uint32Array; readonly from: Uint32Array } {
  const start = new Uint32Array(size + 1);
  for (let i = 0; i < count; i++) start[source[i]! + 1]! += 1;
  for (let i = 0; i < size; i++) start[i + 1]! += start[i]!;
  const fill = start.slice(0, size);
  const from = new Uint32Array(count);
  for (let i = 0; i < count; i++) from[fill[source[i]!]!++] = target[i]!;
  return { start, from };
}
