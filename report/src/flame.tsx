/** Allocations as an icicle: the width is bytes, the depth is the stack, the outermost frame is on top. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Allocation, StackFrame } from '../../src/model/report.ts';
import { formatBytes } from '../../src/model/units.ts';
import { count, isLibrary, isSum, percent, placeOf, shortPlace } from './labels.ts';

interface Node {
  readonly key: string;
  readonly frame: StackFrame | null;
  bytes: number;
  readonly children: Map<string, Node>;
}

function treeOf(allocations: readonly Allocation[]): Node {
  const root: Node = { key: '', frame: null, bytes: 0, children: new Map() };
  for (const allocation of allocations) {
    const { bytes, stack, paths = [], function: name, file, line } = allocation;
    // One box: by which ways the interpreter's own start came about tells nobody anything.
    if (isSum(allocation)) {
      add(root, [{ function: name ?? 'unknown', file, line }], bytes);
      continue;
    }
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
/** CSS pixels below which not even a short name can be read. */
const leastReadable = 44;

/** `transform etl_job.py:27`: the same function is often there once for each of its lines. */
const shortName = ({ function: name, ...place }: StackFrame): string =>
  [name, shortPlace(place).replace(/^.*\//, '')].filter((part) => part !== '').join(' ');

export function Flame({ allocations }: { allocations: readonly Allocation[] }): JSX.Element {
  const tree = useMemo(() => treeOf(allocations), [allocations]);
  const [zoomedTo, setZoomedTo] = useState('');
  const [search, setSearch] = useState('');
  const [told, setTold] = useState<Node | null>(null);
  /** Which box the Tab key reaches; arrows go on from there. */
  const [stop, setStop] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  const [pixels, setPixels] = useState(0);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setPixels(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
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
  const found = boxes.filter(({ node }) => matches(node)).length;
  const zoom = (key: string): void => {
    setZoomedTo(key);
    setStop(0);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      zoom('');
      return;
    }
    const at = boxes[stop];
    if (at === undefined) return;
    const centre = at.left + at.width / 2;
    const nearest = (row: number): number =>
      boxes.reduce((best, box, index) => {
        if (box.depth !== row) return best;
        const distance = (candidate: Box | undefined): number =>
          candidate === undefined
            ? Infinity
            : Math.abs(candidate.left + candidate.width / 2 - centre);
        return distance(box) < distance(boxes[best]) ? index : best;
      }, -1);
    const beside = (direction: number): number => {
      const row = boxes
        .map((box, index) => ({ ...box, index }))
        .filter((box) => box.depth === at.depth)
        .sort((a, b) => a.left - b.left);
      return row[row.findIndex(({ index }) => index === stop) + direction]?.index ?? -1;
    };
    const steps: Readonly<Record<string, () => number>> = {
      ArrowDown: () => nearest(at.depth + 1),
      ArrowUp: () => nearest(at.depth - 1),
      ArrowLeft: () => beside(-1),
      ArrowRight: () => beside(1),
    };
    const next = steps[event.key]?.();
    if (next === undefined) return;
    event.preventDefault();
    if (next < 0) return;
    setStop(next);
    frame.current?.querySelectorAll<HTMLElement>('.box')[next]?.focus();
  };
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
        {zoomed === undefined ? null : (
          <button type="button" onClick={() => zoom('')}>
            Show all
          </button>
        )}
        {search === '' ? null : (
          <span class="note" role="status">
            {count(found, 'box', 'boxes')} found
          </span>
        )}
      </div>
      <div class="icicle-frame">
        <div
          class="icicle"
          ref={frame}
          role="group"
          aria-label="Flame graph of allocations: arrow keys move, Enter zooms in, Escape shows all. The same stands in the list of lines below."
          // Set by script, which the page's policy allows; an attribute in the markup it would not.
          style={{ height: `${depth * rowHeight}px` }}
          onKeyDown={onKeyDown}
        >
          {boxes.map(({ node, skipped, depth: row, left, width }, index) => {
            const { frame: at } = node;
            // A name for those who hear it begins with what those who see it read.
            const text = `${skipped > 0 ? `… ${count(skipped, 'frame')} … ` : ''}${at === null ? '' : shortName(at)}`;
            const tell = (): void => setTold(node);
            return (
              <button
                type="button"
                key={node.key}
                style={{
                  left: `${left * 100}%`,
                  top: `${row * rowHeight}px`,
                  width: `${width * 100}%`,
                }}
                class={`box ${at !== null && isLibrary(at) ? 'library' : ''} ${matches(node) ? 'match' : ''}`}
                tabIndex={index === stop ? 0 : -1}
                aria-label={`${text}, ${formatBytes(node.bytes)}, ${percent(node.bytes / Math.max(1, tree.bytes))}`}
                onClick={() => zoom(node.key)}
                onMouseEnter={tell}
                onFocus={() => {
                  tell();
                  setStop(index);
                }}
                onMouseLeave={() => setTold(null)}
                onBlur={() => setTold(null)}
              >
                {width * pixels >= leastReadable ? text : ''}
              </button>
            );
          })}
        </div>
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
