import type { Holder, HolderKind, HolderScope } from '../../model/report.ts';
import { kinds } from '../objects/types.ts';
import type { HolderGraph } from './holder-graph.ts';

/** One name of a node, and where in the program it is. */
export interface Name extends Pick<Holder, 'name' | 'scope' | 'function' | 'file' | 'line'> {
  readonly kind: HolderKind;
  /** The name of the lowest rank is the best one: what keeps the object longest. */
  readonly rank: number;
}

/** Rank of a name by its scope: what lives longest comes first. Additions to it are less than 1. */
export const ranks: Readonly<Record<HolderScope, number>> = {
  global: 0,
  attribute: 1,
  closure: 2,
  local: 3,
  stack: 4,
  native: 5,
  unknown: 6,
};

const maxNamesOfNode = 64;

/** The names of nodes. A class has a name for the sake of its attributes alone: it is code, and no holder. */
export class NameTable {
  /** Nodes with a name, classes too, in the order in which they got their first one. Grows while names are added. */
  readonly nodes: number[] = [];
  private readonly held: HolderGraph;
  private readonly names = new Map<number, Name[]>();
  private readonly classes = new Map<number, Name>();

  constructor(held: HolderGraph) {
    this.held = held;
  }

  /** Gives a node a name, unless it cannot be a holder or has this name already. */
  add(node: number, name: Name): void {
    const { held, names, classes, nodes } = this;
    if (node === 0 || !held.dominators.isReached(node)) return;
    if (held.isModules(held.graph.address[node]!)) return;
    if (held.typeOf(node)?.kind === kinds.type) {
      if (classes.has(node)) return;
      classes.set(node, name);
      nodes.push(node);
      return;
    }
    const known = names.get(node);
    if (known === undefined) {
      names.set(node, [name]);
      nodes.push(node);
    } else if (known.length < maxNamesOfNode && !known.some((other) => isSameName(other, name)))
      known.push(name);
  }

  /** Whether the node has a name as a holder. */
  has(node: number): boolean {
    return this.names.has(node);
  }

  /** All names of a node; empty for a node without one, and for a class. */
  allOf(node: number): readonly Name[] {
    return this.names.get(node) ?? [];
  }

  /** The best name of a node that has one. */
  bestOf(node: number): Name {
    return this.names.get(node)!.reduce((best, name) => (name.rank < best.rank ? name : best));
  }

  /** The name in front of the names of a node's attributes. Of a node that has one, class or not. */
  prefixOf(node: number): Name {
    return this.classes.get(node) ?? this.bestOf(node);
  }
}

const isSameName = (a: Name, b: Name): boolean =>
  a.name === b.name && a.function === b.function && a.file === b.file && a.scope === b.scope;

/** A name as a holder of the report has it. */
export const placeOf = ({ name, kind, scope, function: call, file, line }: Name) => ({
  name,
  kind,
  scope,
  function: call,
  file,
  line,
});

/** `rows in load() at orders.py:6`: a name as the report tells it beside another one. */
export function nameWithPlace({ name, function: call, file, line }: Name): string {
  const base = file?.replace(/^.*\//, '');
  if (call !== null)
    return `${name} in ${call}()${base === undefined ? '' : ` at ${base}:${line}`}`;
  return base === undefined ? name : `${name} in ${base}`;
}
