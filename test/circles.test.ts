// No circle at any level: neither between files nor between the folders and files that stand side by side in one folder.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from './fixtures.ts';

const isSource = (name: string) => /\.tsx?$/.test(name) && !/\.test\.tsx?$/.test(name);

/** Every source file with what it imports, types included, whether now or later (`import()`). Paths from the root. */
function importsBelow(folder: string): Map<string, readonly string[]> {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(isSource)
    .map((name) => join(folder, name));
  return new Map(
    files.map((file) => [
      file,
      [
        ...readFileSync(join(root, file), 'utf8').matchAll(
          /(?:\bfrom |\bimport\(|^import )'(\.{1,2}\/[^']+)'/gm,
        ),
      ].map(([, specifier = '']) => relative(root, resolve(root, dirname(file), specifier))),
    ]),
  );
}

/** The graph of what stands directly in `folder`: a file or a folder each. */
function childrenOf(folder: string, imports: ReadonlyMap<string, readonly string[]>) {
  const childOf = (path: string) =>
    path.startsWith(`${folder}/`) ? path.slice(folder.length + 1).split('/')[0] : undefined;
  const graph = new Map<string, Set<string>>();
  for (const [file, targets] of imports) {
    const from = childOf(file);
    if (from === undefined) continue;
    const edges = graph.get(from) ?? new Set<string>();
    graph.set(from, edges);
    for (const target of targets) {
      const to = childOf(target);
      if (to !== undefined && to !== from) edges.add(to);
    }
  }
  return graph;
}

/** One circle, named by those on it; null: none. */
function circleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | null {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): readonly string[] | null => {
    const at = path.indexOf(node);
    if (at >= 0) return [...path.slice(at), node];
    if (done.has(node)) return null;
    for (const next of graph.get(node) ?? []) {
      const found = visit(next, [...path, node]);
      if (found !== null) return found;
    }
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const found = visit(node, []);
    if (found !== null) return found;
  }
  return null;
}

describe.each(['src', 'report/src'])('%s', (top) => {
  const imports = importsBelow(top);
  const folders = new Set([...imports.keys()].map((file) => dirname(file)));
  for (const folder of folders)
    for (let up = dirname(folder); up.startsWith(top); up = dirname(up)) folders.add(up);

  test('every import leads to a file', () => {
    expect(imports.size).toBeGreaterThan(5);
    for (const [file, targets] of imports)
      for (const target of targets)
        if (isSource(target) && target.startsWith('src/'))
          expect(imports.has(target) || top !== 'src', `${file} imports ${target}`).toBe(true);
  });

  test.each([...folders].toSorted())('%s/ holds no circle', (folder) => {
    expect(circleIn(childrenOf(folder, imports))).toBeNull();
  });
});

test('a circle would be found', () => {
  const imports = new Map([
    ['src/a/x.ts', ['src/b/y.ts']],
    ['src/b/y.ts', ['src/b/z.ts']],
    ['src/b/z.ts', ['src/a/other.ts']],
    ['src/a/other.ts', []],
  ]);
  expect(circleIn(childrenOf('src', imports))).toEqual(['a', 'b', 'a']);
  expect(circleIn(childrenOf('src/b', imports))).toBeNull();
});
