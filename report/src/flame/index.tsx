/** Allocations as an icicle: the width is bytes, the depth is the stack, the outermost frame is on top. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Allocation } from '../../../src/model/report.ts';
import { placeOf } from '../../../src/model/stack.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { percent } from '../../../src/model/words.ts';
import { count } from '../labels.ts';
import { Search } from '../parts.tsx';
import { Icicle } from './icicle.tsx';
import { boxesOf, find, treeOf, type Node } from './tree.ts';

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
  const matching = new Set(boxes.filter(({ node }) => matches(node, search)));
  return (
    <div class="flame">
      <Search
        what="a function or file"
        within="the flame graph"
        text={search}
        found={count(matching.size, 'box', 'boxes')}
        onSearch={setSearch}
      >
        {zoomed === undefined ? null : (
          <button type="button" onClick={() => setZoomedTo('')}>
            Show all
          </button>
        )}
      </Search>
      <Icicle
        boxes={boxes}
        matching={matching}
        totalBytes={tree.bytes}
        onZoom={setZoomedTo}
        onTell={setTold}
      />
      <Told node={told ?? zoomed ?? null} totalBytes={tree.bytes} />
    </div>
  );
}

const matches = ({ frame }: Node, search: string): boolean =>
  search !== '' &&
  frame !== null &&
  `${frame.function} ${placeOf(frame)}`.toLowerCase().includes(search.toLowerCase());

/** What the box under the pointer says in full. */
function Told({ node, totalBytes }: { node: Node | null; totalBytes: number }): JSX.Element {
  if (node === null || node.frame === null)
    return (
      <p class="told" aria-live="polite">
        <span class="quiet">
          {formatBytes(totalBytes)} in all. The width of a box is what it and the boxes below it
          allocated.
        </span>
      </p>
    );
  const { frame, bytes } = node;
  return (
    <p class="told" aria-live="polite">
      <strong>{frame.function}</strong> <code>{placeOf(frame)}</code> {formatBytes(bytes)},{' '}
      {percent(bytes / Math.max(1, totalBytes))}
      {frame.text === undefined ? null : <code class="line">{frame.text.trim()}</code>}
    </p>
  );
}
