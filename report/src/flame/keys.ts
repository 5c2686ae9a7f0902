/** Which box an arrow key leads to. */
import type { Box } from './tree.ts';

/** Index of the box above, below, to the left or to the right; -1 where there is none, undefined for any other key. */
export function boxBeside(boxes: readonly Box[], from: number, key: string): number | undefined {
  const at = boxes[from];
  if (at === undefined) return undefined;
  switch (key) {
    case 'ArrowDown':
      return nearestIn(boxes, at.depth + 1, at);
    case 'ArrowUp':
      return nearestIn(boxes, at.depth - 1, at);
    case 'ArrowLeft':
      return neighbour(boxes, from, at.depth, -1);
    case 'ArrowRight':
      return neighbour(boxes, from, at.depth, 1);
    default:
      return undefined;
  }
}

function nearestIn(boxes: readonly Box[], depth: number, at: Box): number {
  let [best, least] = [-1, Infinity];
  for (const [index, box] of boxes.entries()) {
    if (box.depth !== depth) continue;
    const distance = Math.abs(box.left + box.width / 2 - (at.left + at.width / 2));
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

function neighbour(boxes: readonly Box[], from: number, depth: number, direction: number): number {
  const row = [...boxes.keys()]
    .filter((index) => boxes[index]?.depth === depth)
    .sort((a, b) => (boxes[a]?.left ?? 0) - (boxes[b]?.left ?? 0));
  return row[row.indexOf(from) + direction] ?? -1;
}
