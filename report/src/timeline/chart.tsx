/** One strip of the timeline as an element of the page. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Limit } from '../../../src/model/report.ts';
import { isOnPaper, type Theme } from '../theme.ts';
import type { Shown } from './events.tsx';
import { makePlot, type Live, type Plot, type PlotParts } from './plot.ts';
import { greatest, type Curve, type Strip } from './series.ts';

/** CSS pixels that A4 and Letter both have between their margins. */
const paperWidth = 680;

export interface ChartProps extends Omit<Live, 'readout'> {
  readonly strip: Strip;
  readonly hidden: ReadonlySet<string>;
  readonly palette: ReadonlyMap<string, string>;
  readonly theme: Theme;
  readonly limits: readonly Limit[];
  readonly events: readonly Shown[];
  readonly first: boolean;
  readonly last: boolean;
}

export function Chart(props: ChartProps): JSX.Element {
  const { strip, hidden, theme, limits, fromMs, toMs, chosenMs } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const live = useRef(props);
  live.current = props;
  const curves = useMemo(
    () => strip.curves.filter(({ label }) => !hidden.has(label)),
    [strip, hidden],
  );
  const { near, top } = useMemo(() => scaleOf(strip, curves, limits), [strip, curves, limits]);

  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const parts: PlotParts = { ...props, curves, limits: near, top };
    const build = (width: number): Plot =>
      makePlot(element, width, parts, () => ({ ...live.current, readout: readout.current }));
    return keepFitting(element, strip.height, plot, build);
  }, [strip, curves, theme, near, top]);

  // Panning only moves the picture: no chart is built anew. Before the frame is painted, so that nothing lags behind the slider.
  useLayoutEffect(() => {
    const chart = plot.current?.chart;
    chart?.batch(() => chart.setScale('x', { min: fromMs / 1000, max: toMs / 1000 }));
  }, [fromMs, toMs]);
  useEffect(() => plot.current?.chart.redraw(false), [chosenMs]);

  return (
    <figure class="chart">
      <figcaption>
        {strip.title}
        <span class="readout" ref={readout} aria-hidden="true" />
      </figcaption>
      <div ref={host} />
    </figure>
  );
}

/** Limits far above the curves would flatten them: these are told in the label only. */
function scaleOf(
  strip: Strip,
  curves: readonly Curve[],
  limits: readonly Limit[],
): { readonly near: readonly Limit[]; readonly top: number } {
  const most = Math.max(1, ...curves.map(({ values }) => greatest(values)));
  const near = limits.filter(({ bytes }) => (bytes ?? 0) <= most * 3);
  return {
    near,
    top: strip.top ?? Math.max(most, ...near.map(({ bytes }) => bytes ?? 0)) * 1.09,
  };
}

/** A chart as wide as its element, and built anew for paper, which is narrower than most windows, and white. Gives its end. */
function keepFitting(
  element: HTMLElement,
  height: number,
  plot: { current: Plot | null },
  build: (width: number) => Plot,
): () => void {
  const room = (): number => Math.min(element.clientWidth, isOnPaper() ? paperWidth : Infinity);
  // Nothing is observed or rendered between beforeprint and the paper: at once, then.
  const again = (): void => {
    plot.current?.destroy();
    plot.current = build(room());
  };
  again();
  const observer = new ResizeObserver(() => plot.current?.chart.setSize({ width: room(), height }));
  observer.observe(element);
  addEventListener('beforeprint', again);
  addEventListener('afterprint', again);
  return () => {
    removeEventListener('beforeprint', again);
    removeEventListener('afterprint', again);
    observer.disconnect();
    plot.current?.destroy();
    plot.current = null;
  };
}
