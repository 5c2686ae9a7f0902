/** The boxes themselves, which the pointer and the arrow keys reach. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { StackFrame } from '../../../src/model/report.ts';
import { isUserFrame } from '../../../src/model/stack.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { percent } from '../../../src/model/words.ts';
import { count, shortPlace } from '../labels.ts';
import { boxBeside } from './keys.ts';
import type { Box, Node } from './tree.ts';

const rowHeight = 24;
/** CSS pixels below which not even a short name can be read. */
const leastReadable = 44;

/** `transform etl_job.py:27`: the same function is often there once for each of its lines. */
const shortName = ({ function: name, ...place }: StackFrame): string =>
  [name, shortPlace(place).replace(/^.*\//, '')].filter((part) => part !== '').join(' ');

/** What a box reads; a name for those who hear it begins with what those who see it read. */
const labelOf = ({ node: { frame }, skipped }: Box): string =>
  `${skipped > 0 ? `… ${count(skipped, 'frame')} … ` : ''}${frame === null ? '' : shortName(frame)}`;

interface IcicleProps {
  readonly boxes: readonly Box[];
  readonly matching: ReadonlySet<Box>;
  readonly totalBytes: number;
  /** '' for the whole tree. */
  readonly onZoom: (key: string) => void;
  readonly onTell: (node: Node | null) => void;
}

export function Icicle({ boxes, matching, totalBytes, onZoom, onTell }: IcicleProps): JSX.Element {
  /** Which box the Tab key reaches; arrows go on from there. */
  const [stop, setStop] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  const pixels = useWidth(frame);
  // Another picture: from its top.
  useEffect(() => setStop(0), [boxes]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      onZoom('');
      return;
    }
    const next = boxBeside(boxes, stop, event.key);
    if (next === undefined) return;
    event.preventDefault();
    if (next < 0) return;
    setStop(next);
    frame.current?.querySelectorAll<HTMLElement>('.box')[next]?.focus();
  };
  const depth = 1 + Math.max(0, ...boxes.map((box) => box.depth));
  return (
    <div class="icicle-frame">
      <div
        class="icicle"
        ref={frame}
        role="group"
        aria-label="Flame graph of allocations: arrow keys move, Enter zooms in, Escape shows all. The list of lines below says the same."
        // Set by script, which the page's policy allows; an attribute in the markup it would not.
        style={{ height: `${depth * rowHeight}px` }}
        onKeyDown={onKeyDown}
      >
        {boxes.map((box, index) => (
          <BoxButton
            key={box.node.key}
            box={box}
            isMatch={matching.has(box)}
            isStop={index === stop}
            pixels={box.width * pixels}
            share={box.node.bytes / Math.max(1, totalBytes)}
            onZoom={onZoom}
            onTell={onTell}
            onFocus={() => setStop(index)}
          />
        ))}
      </div>
    </div>
  );
}

interface BoxButtonProps extends Pick<IcicleProps, 'onZoom' | 'onTell'> {
  readonly box: Box;
  readonly isMatch: boolean;
  readonly isStop: boolean;
  readonly pixels: number;
  readonly share: number;
  readonly onFocus: () => void;
}

function BoxButton(props: BoxButtonProps): JSX.Element {
  const { box, isMatch, isStop, pixels, share, onZoom, onTell, onFocus } = props;
  const { node, depth, left, width } = box;
  const text = labelOf(box);
  const isLibrary = node.frame !== null && !isUserFrame(node.frame);
  return (
    <button
      type="button"
      style={{
        left: `${left * 100}%`,
        top: `${depth * rowHeight}px`,
        width: `${width * 100}%`,
      }}
      class={`box ${isLibrary ? 'library' : ''} ${isMatch ? 'match' : ''}`}
      tabIndex={isStop ? 0 : -1}
      title={`${text}\n${formatBytes(node.bytes)}, ${percent(share)}`}
      aria-label={`${text}, ${formatBytes(node.bytes)}, ${percent(share)}`}
      onClick={() => onZoom(node.key)}
      onMouseEnter={() => onTell(node)}
      onFocus={() => {
        onTell(node);
        onFocus();
      }}
      onMouseLeave={() => onTell(null)}
      onBlur={() => onTell(null)}
    >
      {pixels >= leastReadable ? text : ''}
    </button>
  );
}

/** CSS pixels; 0 until it is known. */
function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [pixels, setPixels] = useState(0);
  useEffect(() => {
    const { current } = element;
    if (current === null) return undefined;
    const observer = new ResizeObserver(() => setPixels(current.clientWidth));
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  return pixels;
}
