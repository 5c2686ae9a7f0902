import type { Graph } from './graph.ts';

/** The dominator tree of a graph: a node's parent is the last node that lies on every way from the root to it. */
export interface Dominators {
  /** Immediate dominator of each node: what alone keeps it. 0: the root. Means nothing for nodes that the root does not reach. */
  readonly dominator: Int32Array;
  /** Bytes that would be freed with a node: its own and those of all that it dominates. */
  readonly retained: Float64Array;
  readonly isReached: (node: number) => boolean;
  /** Reached nodes, parents in the tree before their children. */
  readonly order: Int32Array;
  /** Predecessors of each node: `from[start[node]]` up to `start[node + 1]`. */
  readonly predecessors: Edges;
}

/** Edges of a graph by one of their ends: those of a node are `from[start[node]]` up to, not including, `from[start[node + 1]]`. */
interface Edges {
  readonly start: Uint32Array;
  readonly from: Uint32Array;
}

/** The nodes in the order in which a depth-first search from the root reaches them. */
interface Search {
  /** When each node was reached, counted from 1; 0: never. */
  readonly number: Int32Array;
  /** The node with each number; its inverse. */
  readonly vertex: Int32Array;
  /** From where each node was reached. */
  readonly parent: Int32Array;
  readonly reached: number;
}

/**
 * Dominators of a graph from its root, node 0, by Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph" (1979),
 * the simple variant, without recursion.
 */
export function dominatorsOf(graph: Graph): Dominators {
  const { count, edgeCount, edgeFrom, edgeTo } = graph;
  const predecessors = bySource(count, edgeCount, edgeTo, edgeFrom);
  const search = depthFirst(count, bySource(count, edgeCount, edgeFrom, edgeTo));
  const { number, vertex, reached } = search;
  const dominator = immediateDominators(search, predecessors);
  const retained = graph.bytes.slice(0, count);
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

function depthFirst(size: number, successors: Edges): Search {
  const number = new Int32Array(size);
  const vertex = new Int32Array(size + 1);
  const parent = new Int32Array(size);
  const position = successors.start.slice(0, size);
  const stack = new Int32Array(size + 1);
  let depth = 0;
  let reached = 0;
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
  return { number, vertex, parent, reached };
}

const none = -1;

/** The forest of nodes that were linked so far (LINK and EVAL of the paper, with path compression). */
class Forest {
  /** Number of the semidominator of each node. */
  readonly semi: Int32Array;
  private readonly ancestor: Int32Array;
  private readonly label: Int32Array;
  private readonly path: Int32Array;

  constructor(number: Int32Array) {
    this.semi = number.slice();
    this.ancestor = new Int32Array(number.length).fill(none);
    this.label = new Int32Array(number.length);
    for (let node = 0; node < number.length; node++) this.label[node] = node;
    this.path = new Int32Array(number.length + 1);
  }

  link(parent: number, node: number): void {
    this.ancestor[node] = parent;
  }

  /** The node with the least semidominator on the way from a node up to, not including, the root of its tree. */
  evaluate(node: number): number {
    const { semi, ancestor, label, path } = this;
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
  }
}

function immediateDominators(
  { number, vertex, parent, reached }: Search,
  predecessors: Edges,
): Int32Array {
  const size = number.length;
  const forest = new Forest(number);
  const { semi } = forest;
  const dominator = new Int32Array(size);
  // Nodes with the same semidominator, as linked lists.
  const bucketHead = new Int32Array(size).fill(none);
  const bucketNext = new Int32Array(size).fill(none);
  for (let i = reached; i >= 2; i--) {
    const node = vertex[i]!;
    let smallest = semi[node]!;
    const end = predecessors.start[node + 1]!;
    for (let at = predecessors.start[node]!; at < end; at++) {
      const from = predecessors.from[at]!;
      if (number[from] === 0) continue;
      smallest = Math.min(smallest, semi[forest.evaluate(from)]!);
    }
    semi[node] = smallest;
    const bucket = vertex[smallest]!;
    bucketNext[node] = bucketHead[bucket]!;
    bucketHead[bucket] = node;
    const above = parent[node]!;
    forest.link(above, node);
    for (let at = bucketHead[above]!; at !== none; at = bucketNext[at]!) {
      const best = forest.evaluate(at);
      dominator[at] = semi[best]! < semi[at]! ? best : above;
    }
    bucketHead[above] = none;
  }
  for (let i = 2; i <= reached; i++) {
    const node = vertex[i]!;
    if (dominator[node] !== vertex[semi[node]!]) dominator[node] = dominator[dominator[node]!]!;
  }
  return dominator;
}

/** Edges sorted by one end (counting sort). */
function bySource(size: number, count: number, source: Uint32Array, target: Uint32Array): Edges {
  const start = new Uint32Array(size + 1);
  for (let i = 0; i < count; i++) start[source[i]! + 1]! += 1;
  for (let i = 0; i < size; i++) start[i + 1]! += start[i]!;
  const fill = start.slice(0, size);
  const from = new Uint32Array(count);
  for (let i = 0; i < count; i++) from[fill[source[i]!]!++] = target[i]!;
  return { start, from };
}
