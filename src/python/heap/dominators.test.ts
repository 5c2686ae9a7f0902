import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dominatorsOf } from './dominators.ts';
import { Graph } from './graph.ts';

/** Bytes that cannot be reached any more once a node is taken out. */
function freedWithout(graph: Graph, node: number): number {
  const reached = (without: number) => {
    const seen = new Set([0]);
    const waiting = [0];
    while (waiting.length > 0) {
      const from = waiting.pop()!;
      for (let edge = 0; edge < graph.edgeCount; edge++) {
        const to = graph.edgeTo[edge]!;
        if (graph.edgeFrom[edge] !== from || to === without || seen.has(to)) continue;
        seen.add(to);
        waiting.push(to);
      }
    }
    return [...seen].reduce((sum, one) => sum + graph.bytes[one]!, 0);
  };
  return reached(-1) - reached(node);
}

test('what a node retains is what would be freed with it, on any graph', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 14 }),
      fc.array(fc.tuple(fc.nat(14), fc.nat(14)), { maxLength: 50 }),
      (nodes, edges) => {
        const graph = new Graph();
        for (let i = 1; i <= nodes; i++) graph.bytes[graph.node(i * 64, 0, 0)] = i * i;
        for (const [from, to] of edges)
          if (from <= nodes && to >= 1 && to <= nodes) graph.edge(from, to);
        const { retained, isReached } = dominatorsOf(graph);
        for (let node = 1; node <= nodes; node++)
          if (isReached(node)) expect(retained[node]).toBe(freedWithout(graph, node));
      },
    ),
    { numRuns: 400 },
  );
});

test('a chain of a million nodes needs no recursion', () => {
  const graph = new Graph();
  let last = 0;
  for (let i = 1; i <= 1_000_000; i++) {
    const node = graph.node(i * 16, 0, last);
    graph.bytes[node] = 1;
    graph.edge(last, node);
    last = node;
  }
  const { retained } = dominatorsOf(graph);
  expect(retained[1]).toBe(1_000_000);
  expect(retained[last]).toBe(1);
});
