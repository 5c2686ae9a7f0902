/** The strips one below the other, with the keys and the wheel that move them. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Limit } from '../../../src/model/report.ts';
import { Chart, type ChartProps } from './chart.tsx';
import { firstAt } from './decimate.ts';
import { noLimits } from './limits.ts';
import type { Strip } from './series.ts';
import type { View } from './view.ts';

interface ChartsProps extends Pick<
  ChartProps,
  'hidden' | 'palette' | 'theme' | 'events' | 'chosenMs' | 'onChoose'
> {
  readonly strips: readonly Strip[];
  readonly view: View;
  /** By the strip's id. */
  readonly limits: Readonly<Record<string, readonly Limit[]>>;
}

export function Charts({ strips, view, limits, ...shared }: ChartsProps): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  useSidewaysWheel(element, view);
  const { chosenMs, onChoose } = shared;
  return (
    <div
      class="charts"
      ref={element}
      tabIndex={0}
      role="application"
      aria-label="Timeline. Left and right choose a moment, plus and minus zoom. The table below has the same figures."
      onKeyDown={(event) => onKeyDown(event, strips, view, chosenMs, onChoose)}
    >
      {strips.map((strip, index) => (
        <Chart
          key={strip.id}
          {...shared}
          strip={strip}
          fromMs={view.fromMs}
          toMs={view.toMs}
          limits={limits[strip.id] ?? noLimits}
          first={index === 0}
          last={index === strips.length - 1}
          onZoom={view.show}
        />
      ))}
    </div>
  );
}

/** Preact listens passively, and what is scrolled sideways here must not turn the browser's page. */
function useSidewaysWheel(
  element: { readonly current: HTMLElement | null },
  { isWhole, fromMs, spanMs, showSoon }: View,
): void {
  useEffect(() => {
    const { current } = element;
    if (current === null) return undefined;
    const onWheel = (event: WheelEvent): void => {
      const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      if (isWhole || Math.abs(sideways) < Math.abs(event.shiftKey ? 0 : event.deltaY)) return;
      event.preventDefault();
      showSoon(fromMs + (sideways / current.clientWidth) * spanMs, spanMs);
    };
    current.addEventListener('wheel', onWheel, { passive: false });
    return () => current.removeEventListener('wheel', onWheel);
  });
}

function onKeyDown(
  event: KeyboardEvent,
  strips: readonly Strip[],
  view: View,
  chosenMs: number | null,
  onChoose: (atMs: number | null) => void,
): void {
  const { fromMs, toMs, spanMs, endMs, show, zoom, showAll } = view;
  const step = (direction: number): void => {
    const atMs = readingBeside(strips, chosenMs ?? endMs, direction);
    onChoose(atMs);
    // A moment that was chosen is in the picture.
    if (atMs !== null && (atMs < fromMs || atMs > toMs)) show(atMs - spanMs / 2, spanMs);
  };
  const keys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => (event.shiftKey ? show(fromMs - spanMs / 4, spanMs) : step(-1)),
    ArrowRight: () => (event.shiftKey ? show(fromMs + spanMs / 4, spanMs) : step(1)),
    '+': () => zoom(0.5, chosenMs),
    '=': () => zoom(0.5, chosenMs),
    '-': () => zoom(2, chosenMs),
    '0': showAll,
    Escape: () => onChoose(null),
  };
  const action = keys[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}

/** The reading before or after a moment; null where nothing was read. */
function readingBeside(strips: readonly Strip[], atMs: number, direction: number): number | null {
  const times = strips[0]?.curves[0]?.atMs ?? new Float64Array(0);
  const index = firstAt(times, atMs) + direction;
  return times[Math.max(0, Math.min(times.length - 1, index))] ?? null;
}
