/** Allocations as an icicle: the width is bytes, the depth is the stack, the outermost frame is on top. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Allocation, StackFrame } from '../../src/model/report.ts';
import { formatBytes } from '../../src/model/units.ts';
import { isLibrary, percent, placeOf, shortPlace } from './words.ts';

interface Node {
  readonly key: string;
  readonly frame: StackFrame | null;
  bytes: number;
  readonly children: Map<string, Node>;
}

function treeOf(allocations: readonly Allocation[]): Node {
  const root: Node = { key: '', frame: null, bytes: 0, children: new Map() };
  for (const { bytes, stack, paths = [], function: name, file, line } of allocations) {
    const onPaths = paths.reduce((sum, path) => sum + path.bytes, 0);
    for (const path of [...paths, { bytes: bytes - onPaths, stack }])
      if (path.bytes > 0)
        add(
          root,
          path.stack.length > 0 ? path.stack : [{ function: name ?? 'unknown', file, line }],
          path.bytes,
        );
  }
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

interface Box {
  readonly node: Node;
  /** Frames of libraries above it that only passed through to it. */
  readonly skipped: number;
  readonly depth: number;
  readonly left: number;
  readonly width: number;
}

/** Narrower boxes cannot be seen. */
const leastShare = 0.002;

function boxesOf(root: Node): readonly Box[] {
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
      !isLibrary(node.frame)
    )
      return { node, skipped };
    node = only;
    skipped += 1;
  }
}

const find = (node: Node, key: string): Node | undefined => {
  if (node.key === key) return node;
  for (const child of node.children.values()) {
    if (key.startsWith(child.key)) {
      const found = find(child, key);
      if (found !== undefined) return found;
    }
  }
  return undefined;
};

const rowHeight = 24;

export function Flame({ allocations }: { allocations: readonly Allocation[] }): JSX.Element {
  const tree = useMemo(() => treeOf(allocations), [allocations]);
  const [zoomedTo, setZoomedTo] = useState('');
  const [search, setSearch] = useState('');
  const [told, setTold] = useState<Node | null>(null);
  const zoomed = zoomedTo === '' ? undefined : find(tree, zoomedTo);
  const boxes = useMemo(() => {
    if (zoomed === undefined) return boxesOf(tree);
    const within = boxesOf(zoomed).map((box) => ({ ...box, depth: box.depth + 1 }));
    return [{ node: zoomed, skipped: 0, depth: 0, left: 0, width: 1 }, ...within];
  }, [tree, zoomed]);
  const depth = 1 + Math.max(0, ...boxes.map((box) => box.depth));
  const matches = (node: Node): boolean =>
    search !== '' &&
    `${node.frame?.function} ${placeOf(node.frame ?? { file: null, line: null })}`
      .toLowerCase()
      .includes(search.toLowerCase());
  const shown = told ?? zoomed ?? null;
  return (
    <div class="flame">
      <div class="toolbar">
        <input
          type="search"
          placeholder="Search a function or file"
          aria-label="Search in the flame graph"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <button type="button" disabled={zoomed === undefined} onClick={() => setZoomedTo('')}>
          Whole
        </button>
      </div>
      <div class="icicle-frame">
        <svg
          class="icicle"
          width="100%"
          height={depth * rowHeight}
          role="group"
          aria-label="Flame graph of allocations. The same stands in the list of lines below."
        >
          {boxes.map(({ node, skipped, depth: row, left, width }) => {
            const { frame } = node;
            // A name for those who hear it begins with what those who see it read.
            const shownText =
              skipped > 0 ? `… ${skipped} frames … ${frame?.function}` : (frame?.function ?? '');
            const label = `${shownText} ${frame === null ? '' : shortPlace(frame)}, ${formatBytes(node.bytes)}, ${percent(node.bytes / Math.max(1, tree.bytes))}`;
            const tell = (): void => setTold(node);
            return (
              <svg
                key={node.key}
                x={`${left * 100}%`}
                y={row * rowHeight}
                width={`${width * 100}%`}
                height={rowHeight - 1}
                class={`box ${frame !== null && isLibrary(frame) ? 'library' : ''} ${matches(node) ? 'match' : ''}`}
                tabIndex={0}
                role="button"
                aria-label={label}
                onClick={() => setZoomedTo(node.key)}
                onKeyDown={(event: KeyboardEvent) => {
                  if (event.key === 'Enter' || event.key === ' ') {
                    event.preventDefault();
                    setZoomedTo(node.key);
                  } else if (event.key === 'Escape') setZoomedTo('');
                }}
                onMouseEnter={tell}
                onFocus={tell}
                onMouseLeave={() => setTold(null)}
                onBlur={() => setTold(null)}
              >
                <rect width="100%" height="100%" rx="2" />
                {width > 0.04 ? (
                  <text x="6" y="16">
                    {shownText}
                  </text>
                ) : null}
              </svg>
            );
          })}
        </svg>
      </div>
      <p class="told" aria-live="polite">
        {shown === null || shown.frame === null ? (
          <span class="quiet">
            {formatBytes(tree.bytes)} in all. The width of a box is what was allocated in it or
            below it.
          </span>
        ) : (
          <>
            <strong>{shown.frame.function}</strong> <code>{placeOf(shown.frame)}</code>{' '}
            {formatBytes(shown.bytes)}, {percent(shown.bytes / Math.max(1, tree.bytes))}
            {shown.frame.text === undefined ? null : (
              <code class="line">{shown.frame.text.trim()}</code>
            )}
          </>
        )}
      </p>
    </div>
  );
}
