/** Allocations as a tree of calls, and the tree as boxes: the width is bytes, the depth is the stack. */
import { frameOf, isSum, weighedStacks } from '../../../src/model/memory-picture.ts';
import type { Allocation, StackFrame } from '../../../src/model/report.ts';
import { isUserFrame, placeOf } from '../../../src/model/stack.ts';

export interface Node {
  readonly key: string;
  readonly frame: StackFrame | null;
  bytes: number;
  readonly children: Map<string, Node>;
}

/** All call paths as one tree, by function and line. The root stands for none of them. */
export function treeOf(allocations: readonly Allocation[]): Node {
  const root: Node = { key: '', frame: null, bytes: 0, children: new Map() };
  for (const allocation of allocations)
    // One box: by which ways the interpreter's own start came about tells nobody anything.
    if (isSum(allocation)) add(root, [frameOf(allocation)], allocation.bytes);
    else for (const { stack, bytes } of weighedStacks(allocation)) add(root, stack, bytes);
  return root;
}

function add(root: Node, frames: readonly StackFrame[], bytes: number): void {
  root.bytes += bytes;
  let node = root;
  for (const frame of [...frames].reverse()) {
    const key = `${frame.function} ${placeOf(frame)}`;
    let child = node.children.get(key);
    if (child === undefined) {
      child = { key: `${node.key}/${key}`, frame, bytes: 0, children: new Map() };
      node.children.set(key, child);
    }
    child.bytes += bytes;
    node = child;
  }
}

export interface Box {
  readonly node: Node;
  /** Frames of libraries above it that only passed through to it. */
  readonly skipped: number;
  readonly depth: number;
  readonly left: number;
  readonly width: number;
}

/** Narrower boxes cannot be seen. */
const leastShare = 0.002;

export function boxesOf(root: Node): readonly Box[] {
  const boxes: Box[] = [];
  const visit = (node: Node, depth: number, left: number): void => {
    let at = left;
    for (const child of [...node.children.values()].sort((a, b) => b.bytes - a.bytes)) {
      const width = child.bytes / Math.max(1, root.bytes);
      if (width >= leastShare && depth < 120) {
        const { node: told, skipped } = throughLibraries(child);
        boxes.push({ node: told, skipped, depth, left: at, width });
        visit(told, depth + 1, at);
      }
      at += width;
    }
  };
  visit(root, 0, 0);
  return boxes;
}

/** A notebook or a test runner stands twenty frames deep above the first line that is the user's: one row for all of them. */
function throughLibraries(start: Node): { readonly node: Node; readonly skipped: number } {
  let node = start;
  let skipped = 0;
  for (;;) {
    const [only, ...others] = node.children.values();
    if (
      only === undefined ||
      others.length > 0 ||
      only.bytes < node.bytes * 0.98 ||
      node.frame === null ||
      isUserFrame(node.frame)
    )
      return { node, skipped };
    node = only;
    skipped += 1;
  }
}

/** The node with that key, in or below a node. */
export const find = (node: Node, key: string): Node | undefined => {
  if (node.key === key) return node;
  for (const child of node.children.values()) {
    if (key.startsWith(child.key)) {
      const found = find(child, key);
      if (found !== undefined) return found;
    }
  }
  return undefined;
};
