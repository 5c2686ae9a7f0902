/** One chart outside of Preact. uPlot has the axes, the cursor and the selection; the curves come from tiles. */
import uPlot from 'uplot';
import type { Limit } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { clock } from '../labels.ts';
import { color } from '../theme.ts';
import { drawChoice, drawEvents, drawLimits, eventColors } from './draw.ts';
import type { Shown } from './events.tsx';
import { niceSeconds, niceSplits } from './scales.ts';
import { readings, type Curve, type Strip } from './series.ts';
import { makeTiles, type Tiles } from './tiles.ts';

/** What a chart is built from: a change builds it anew. */
export interface PlotParts {
  readonly strip: Strip;
  readonly curves: readonly Curve[];
  readonly palette: ReadonlyMap<string, string>;
  readonly limits: readonly Limit[];
  readonly events: readonly Shown[];
  /** The end of the scale. */
  readonly top: number;
  readonly first: boolean;
  readonly last: boolean;
}
/** What changes under a chart that stands: asked when it is needed. */
export interface Live {
  readonly fromMs: number;
  readonly toMs: number;
  readonly chosenMs: number | null;
  readonly onZoom: (fromMs: number, widthMs: number) => void;
  readonly onChoose: (atMs: number | null) => void;
  /** Where the figures under the cursor are written. */
  readonly readout: HTMLElement | null;
}
export interface Plot {
  readonly chart: uPlot;
  destroy(): void;
}

const font = '12px system-ui, sans-serif';

export function makePlot(
  element: HTMLElement,
  width: number,
  parts: PlotParts,
  live: () => Live,
): Plot {
  const { strip, top, first } = parts;
  const tiles = tilesOf(parts);
  const ahead = new DrawnAhead(tiles);
  // Asked once: getComputedStyle() at every frame would cost more than the picture.
  const [bad, choice, tones] = [color('bad'), color('choice'), eventColors()];
  const dots = Array.from({ length: 3 }, () => document.createElement('i'));
  for (const dot of dots) dot.hidden = true;
  const options: uPlot.Options = {
    width,
    height: strip.height,
    padding: [first ? 16 : 6, 18, 0, 0],
    legend: { show: false },
    scales: { x: { time: false, auto: false }, y: { auto: false, range: [0, top] } },
    axes: axesOf(parts),
    series: [{}, { paths: () => null, points: { show: false } }],
    cursor: {
      sync: { key: 'timeline' },
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
    },
    hooks: {
      setSelect: [(self) => zoomToSelection(self, live())],
      setCursor: [(self) => showReadings(self, parts, live().readout, dots)],
      drawClear: [
        (self) => {
          const { chosenMs } = live();
          if (chosenMs !== null) drawChoice(self, chosenMs, choice);
        },
      ],
      drawAxes: [
        (self) => {
          tiles.draw(self.ctx, self.bbox, live());
          ahead.soon();
        },
      ],
      draw: [(self) => withinChart(self, () => drawMarks(self, parts, tones, bad))],
    },
  };
  const { fromMs, toMs } = live();
  const chart = new uPlot(
    options,
    [
      [0, toMs / 1000],
      [0, 0],
    ],
    element,
  );
  chart.over.append(...dots);
  chart.setScale('x', { min: fromMs / 1000, max: toMs / 1000 });
  chart.over.addEventListener('click', (event) => {
    const { left } = chart.over.getBoundingClientRect();
    live().onChoose(chart.posToVal(event.clientX - left, 'x') * 1000);
  });
  return {
    chart,
    destroy() {
      ahead.stop();
      chart.destroy();
    },
  };
}

const tilesOf = ({ curves, palette, top }: PlotParts): Tiles =>
  makeTiles(
    curves.map(({ label, kind, atMs, values }) => {
      const stroke = color(palette.get(label) ?? 'accent');
      return {
        atMs,
        values,
        stroke,
        width: kind === 'cgroup' ? 2 : 1.5,
        fill: kind === 'cgroup' && curves.length <= 12 ? `${stroke}1f` : null,
      };
    }),
    { top, ratio: devicePixelRatio },
  );

/** What panning will need next is drawn while there is nothing else to do. */
class DrawnAhead {
  readonly #tiles: Tiles;
  #idle = 0;

  constructor(tiles: Tiles) {
    this.#tiles = tiles;
  }
  soon(): void {
    if (this.#idle !== 0 || !('requestIdleCallback' in window)) return;
    this.#idle = requestIdleCallback((deadline) => {
      this.#idle = 0;
      if (deadline.timeRemaining() > 5 ? this.#tiles.ahead() : true) this.soon();
    });
  }
  stop(): void {
    if (this.#idle !== 0) cancelIdleCallback(this.#idle);
  }
}

/** The time stands below the last chart only. */
function axesOf({ strip, last }: PlotParts): uPlot.Axis[] {
  const axis: uPlot.Axis = {
    stroke: color('muted'),
    font,
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
  };
  return [
    {
      ...axis,
      incrs: niceSeconds,
      size: last ? 26 : 9,
      gap: 4,
      values: (_, ticks) => ticks.map((seconds) => (last ? clock(seconds * 1000) : '')),
    },
    {
      ...axis,
      size: 78,
      gap: 6,
      splits: (_self, _axis, _min, max) =>
        niceSplits(max, strip.height < 120 ? 2 : 4, strip.format === formatBytes),
      values: (_, ticks) => ticks.map((value) => (value === 0 ? '0' : strip.format(value))),
    },
  ];
}

function zoomToSelection(self: uPlot, { onZoom }: Live): void {
  const { left, width } = self.select;
  if (width < 4) return;
  const from = self.posToVal(left, 'x') * 1000;
  const to = self.posToVal(left + width, 'x') * 1000;
  self.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  onZoom(from, to - from);
}

/** The figures under the cursor, in words and as a dot on each of the largest curves. */
function showReadings(
  self: uPlot,
  { curves, palette, strip }: PlotParts,
  readout: HTMLElement | null,
  dots: readonly HTMLElement[],
): void {
  if (readout === null) return;
  const { left = -10 } = self.cursor;
  const atMs = self.posToVal(left, 'x') * 1000;
  const found = left < 0 ? [] : readings(curves, atMs);
  const told = found
    .slice(0, dots.length)
    .map(({ curve, value }) => `${curve.label} ${strip.format(value)}`);
  readout.textContent = left < 0 ? '' : [clock(atMs), ...told].join('   ');
  for (const [index, dot] of dots.entries()) {
    const reading = found[index];
    dot.hidden = reading === undefined;
    if (reading === undefined) continue;
    dot.className = `at-cursor ${palette.get(reading.curve.label) ?? ''}`;
    dot.style.transform = `translate(${left}px, ${self.valToPos(reading.value, 'y')}px)`;
  }
}

/** Draws where the curves are, and a little to either side: a mark at either end is seen whole. */
function withinChart({ ctx, bbox }: uPlot, draw: () => void): void {
  const margin = 6 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left - margin, 0, bbox.width + 2 * margin, bbox.top + bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}

function drawMarks(
  self: uPlot,
  { events, first, limits }: PlotParts,
  tones: ReadonlyMap<string, string>,
  bad: string,
): void {
  drawEvents(self, events, tones, first);
  drawLimits(self, limits, bad);
}
