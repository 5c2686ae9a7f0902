import type { Bytes } from '../../model/units.ts';
import { namespace, type Census } from '../heap/census.ts';
import { dominatorsOf, type Dominators } from '../heap/dominators.ts';
import type { Graph } from '../heap/graph.ts';
import type { Heap } from '../heap/heap.ts';
import { Describer } from '../objects/describe.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';

/** Holders of less than a thousandth of the heap are left out, but never those of a MiB and more. */
const leastShare = 0.001;
const leastBytesAtMost = 1 << 20;
/** Children of a node that are listed, and that are compared. */
const maxChildren = 10_000;
const maxCompared = 100_000;

/** The counted heap with what each node alone keeps. */
export class HolderGraph {
  readonly heap: Heap;
  readonly census: Census;
  readonly graph: Graph;
  readonly describe: Describer;
  readonly dominators: Dominators;
  /** Bytes that would be freed with a node, by node. */
  readonly retained: Float64Array;
  readonly totalBytes: Bytes;
  /** Holders of less are left out. */
  readonly leastBytes: Bytes;
  /** Addresses of the interpreters' `sys.modules`. */
  private readonly moduleDicts: ReadonlySet<number>;
  /** First child of each node in the dominator tree, and the next child of the same parent; 0: none. Made when asked for. */
  private children: { readonly head: Int32Array; readonly next: Int32Array } | null = null;

  constructor(heap: Heap) {
    const { census } = heap;
    const { graph, python } = census;
    this.heap = heap;
    this.census = census;
    this.graph = graph;
    this.describe = new Describer(census);
    this.dominators = dominatorsOf(graph);
    this.retained = this.dominators.retained;
    this.totalBytes = this.retained[0]!;
    this.leastBytes = Math.max(64, Math.min(this.totalBytes * leastShare, leastBytesAtMost));
    this.moduleDicts = new Set(python.interpreters().map((at) => python.modules(at)));
  }

  /** null: the node stands for a group, not for an object. */
  typeOf(node: number): TypeInfo | null {
    const { graph, census } = this;
    return graph.type[node]! >= 0 && graph.address[node] !== 0
      ? census.types.types[graph.type[node]!]!
      : null;
  }

  /** Functions, classes, modules and their namespaces: they lead everywhere, and hold nothing in a user's sense. */
  isCode(node: number): boolean {
    return (this.graph.flags[node]! & namespace) !== 0 || isCodeType(this.typeOf(node));
  }

  /** Whether the object at this address is a `sys.modules`. */
  isModules(address: number): boolean {
    return this.moduleDicts.has(address);
  }

  /** Nodes that a node alone keeps, at most `limit`, the largest first. */
  childrenOf(node: number, limit: number): readonly number[] {
    const { head, next } = this.childLists();
    const { retained } = this;
    const found: number[] = [];
    for (let at = head[node]!; at !== 0 && found.length < maxChildren; at = next[at]!)
      found.push(at);
    return found.sort((a, b) => retained[b]! - retained[a]!).slice(0, limit);
  }

  /** The one child that keeps most; 0: the node alone keeps no other. */
  heaviestChild(node: number): number {
    const { head, next } = this.childLists();
    const { retained } = this;
    let best = 0;
    let seen = 0;
    for (let at = head[node]!; at !== 0 && seen < maxCompared; at = next[at]!, seen++)
      if (best === 0 || retained[at]! > retained[best]!) best = at;
    return best;
  }

  private childLists(): { readonly head: Int32Array; readonly next: Int32Array } {
    if (this.children !== null) return this.children;
    const { order, dominator } = this.dominators;
    const head = new Int32Array(this.graph.count);
    const next = new Int32Array(this.graph.count);
    for (let i = order.length - 1; i > 0; i--) {
      const node = order[i]!;
      next[node] = head[dominator[node]!]!;
      head[dominator[node]!] = node;
    }
    this.children = { head, next };
    return this.children;
  }
}

/** Whether instances of this type are code: functions, classes, modules. */
export const isCodeType = (type: TypeInfo | null): boolean =>
  type !== null &&
  (type.kind === kinds.module ||
    type.kind === kinds.type ||
    type.kind === kinds.function ||
    type.kind === kinds.code);
