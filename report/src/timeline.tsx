/** Memory against its limits over time, with the moments that mattered. The moment chosen here drives the other sections. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { PackedRecording } from '../../src/model/page.ts';
import type { Incident, Limit } from '../../src/model/report.ts';
import { formatBytes } from '../../src/model/units.ts';
import { firstAt } from './decimate.ts';
import { Section } from './parts.tsx';
import { color, isOnPaper, type Theme } from './theme.ts';
import { makeTiles, type Tiles } from './tiles.ts';
import type { Columns, Unpacked } from './unpack.ts';
import { clock, count } from './labels.ts';

interface Curve {
  readonly label: string;
  readonly kind: 'cgroup' | 'process' | 'host';
  readonly atMs: Float64Array;
  readonly values: Float64Array;
}
interface Strip {
  readonly id: string;
  readonly title: string;
  readonly format: (value: number) => string;
  readonly curves: readonly Curve[];
  readonly height: number;
  /** The end of the scale, where it is a given one. */
  readonly top?: number;
  /** Below this there is nothing to see: it is told in words. */
  readonly least?: number;
}

/** CSS pixels that A4 and Letter both have between their margins. */
const paperWidth = 680;

/** Curves shown at first: the largest. The others can be switched on. */
const shownAtFirst = 8;

const greatestOf = new WeakMap<Float64Array, number>();

/** Asked by scale, legend, colours and more: looked for once, which for ten hours of fifty processes takes longer than drawing them. */
function greatest(values: Float64Array): number {
  let most = greatestOf.get(values);
  if (most !== undefined) return most;
  most = -Infinity;
  for (let row = 0; row < values.length; row += 1) {
    const value = values[row] ?? Number.NaN;
    if (value > most) most = value;
  }
  greatestOf.set(values, most);
  return most;
}

/** A running total as what happened each second. */
function rate(atMs: Float64Array, totals: Float64Array, factor = 1): Float64Array {
  const rates = new Float64Array(totals.length).fill(Number.NaN);
  for (let row = 1; row < totals.length; row += 1) {
    const ms = (atMs[row] ?? 0) - (atMs[row - 1] ?? 0);
    const step = (totals[row] ?? Number.NaN) - (totals[row - 1] ?? Number.NaN);
    // A counter that fell was set back: nothing is known of that stretch.
    if (ms > 0 && step >= 0) rates[row] = (step / ms) * 1000 * factor;
  }
  return rates;
}

const useful = (values: Float64Array | undefined): values is Float64Array =>
  values !== undefined && greatest(values) > 0;

function stripsOf(
  recording: PackedRecording,
  { processes, cgroups, host }: Unpacked,
  incident: Incident | undefined,
): readonly Strip[] {
  const named = (index: number): string => {
    const { name = '?', pid = 0 } = recording.processes[index] ?? {};
    return `${name} (${pid})`;
  };
  const each = (
    all: readonly Columns[],
    kind: Curve['kind'],
    label: (index: number) => string,
    column: string,
    change: (columns: Columns, values: Float64Array) => Float64Array = (_, values) => values,
  ): readonly Curve[] =>
    all.flatMap((columns, index) => {
      const values = columns.columns[column];
      if (!useful(values)) return [];
      const changed = change(columns, values);
      return useful(changed)
        ? [{ label: label(index), kind, atMs: columns.atMs, values: changed }]
        : [];
    });
  const perSecond = ({ atMs }: Columns, values: Float64Array): Float64Array => rate(atMs, values);
  const share = ({ atMs }: Columns, values: Float64Array): Float64Array => rate(atMs, values, 0.1);
  const path = (index: number): string => `cgroup ${recording.cgroups[index]?.path ?? ''}`;
  const limited = cgroups.filter((_, index) => recording.cgroups[index]?.limitBytes !== null);
  const limitedPath = (index: number): string => {
    const own = recording.cgroups.filter(({ limitBytes }) => limitBytes !== null)[index];
    return `cgroup ${own?.path ?? ''}`;
  };
  const virtual = incident?.limit?.owner === 'rlimit' || incident?.limit?.owner === 'address-space';
  const swapOfProcesses = each(processes, 'process', named, 'swapBytes');
  const swap =
    swapOfProcesses.length > 0
      ? swapOfProcesses
      : each(limited, 'cgroup', limitedPath, 'swapBytes');
  const faults = each(processes, 'process', named, 'majorFaults', perSecond);
  const pressure = [
    ...each(cgroups, 'cgroup', path, 'psiFullMs', share),
    ...each([host], 'host', () => 'whole machine', 'psiFullMs', share),
  ];
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  return (
    [
      {
        id: 'memory',
        title: 'Resident memory',
        format: formatBytes,
        height: 260,
        curves: [
          ...each(limited, 'cgroup', limitedPath, 'currentBytes'),
          ...each(processes, 'process', named, 'rssBytes'),
        ],
      },
      ...(virtual
        ? [
            {
              id: 'address-space',
              title: 'Address space',
              format: formatBytes,
              height: 150,
              curves: each(processes, 'process', named, 'vmBytes'),
            },
          ]
        : []),
      { id: 'swap', title: 'In swap', format: formatBytes, height: 90, curves: swap },
      {
        id: 'faults',
        title: 'Major faults a second',
        format: whole,
        height: 90,
        least: 10,
        curves: faults,
      },
      {
        id: 'pressure',
        title: 'Time lost waiting for memory',
        format: (value: number) => `${Math.round(value)} %`,
        top: 108,
        least: 2,
        height: 90,
        curves: pressure,
      },
    ] as readonly Strip[]
  ).filter(({ curves }) => curves.length > 0);
}

const isQuiet = ({ least = 0, curves }: Strip): boolean =>
  curves.every(({ values }) => greatest(values) < least);

export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

export function Timeline({
  recording,
  unpacked,
  incident,
  theme,
  chosenMs,
  onChoose,
}: {
  recording: PackedRecording;
  unpacked: Unpacked | null;
  incident: Incident | undefined;
  theme: Theme;
  chosenMs: number | null;
  onChoose: (atMs: number | null) => void;
}): JSX.Element {
  const all = useMemo(
    () => (unpacked === null ? [] : stripsOf(recording, unpacked, incident)),
    [recording, unpacked, incident],
  );
  const strips = useMemo(() => all.filter((strip) => !isQuiet(strip)), [all]);
  const endMs = useMemo(() => {
    const last = strips.flatMap(({ curves }) => curves.map(({ atMs }) => atMs.at(-1) ?? 0));
    return Math.max(
      1,
      recording.durationMs ?? 0,
      ...last,
      ...recording.events.map(({ atMs }) => atMs),
    );
  }, [strips, recording]);
  const [range, setRange] = useState<Range | null>(null);
  const { fromMs, toMs } = range ?? { fromMs: 0, toMs: endMs };
  const span = toMs - fromMs;
  const show = (from: number, width: number): void => {
    const most = Math.min(endMs, Math.max(endMs / 5000, 20, width));
    const start = Math.max(0, Math.min(endMs - most, from));
    setRange(most >= endMs ? null : { fromMs: start, toMs: start + most });
  };
  const showSoon = useOncePerFrame(show);
  const charts = useRef<HTMLDivElement>(null);
  // Preact listens passively, and what is scrolled sideways here must not turn the browser's page.
  useEffect(() => {
    const element = charts.current;
    if (element === null) return undefined;
    const onWheel = (event: WheelEvent): void => {
      const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      if (range === null || Math.abs(sideways) < Math.abs(event.shiftKey ? 0 : event.deltaY))
        return;
      event.preventDefault();
      showSoon(fromMs + (sideways / element.clientWidth) * span, span);
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  });
  const zoom = (factor: number): void => {
    const centre =
      chosenMs !== null && chosenMs >= fromMs && chosenMs <= toMs ? chosenMs : fromMs + span / 2;
    show(centre - (centre - fromMs) * factor, span * factor);
  };
  const atFirst = useMemo(() => hiddenAtFirst(strips), [strips]);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const hidden = useMemo(() => difference(atFirst, toggled), [atFirst, toggled]);
  const toggle = (label: string): void =>
    setToggled((before) => difference(before, new Set([label])));
  // The same arrays from one drawing to the next: a new one would build the charts anew.
  const limits = useMemo(() => limitsOf(recording, incident), [recording, incident]);
  const addresses = useMemo(() => addressLimits(incident), [incident]);
  const step = (direction: number): void => {
    const times = strips[0]?.curves[0]?.atMs ?? new Float64Array(0);
    const now = chosenMs ?? endMs;
    const index = firstAt(times, now) + direction;
    const atMs = times[Math.max(0, Math.min(times.length - 1, index))] ?? null;
    onChoose(atMs);
    // A moment that was chosen is in the picture.
    if (atMs !== null && (atMs < fromMs || atMs > toMs)) show(atMs - span / 2, span);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const keys: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => (event.shiftKey ? show(fromMs - span / 4, span) : step(-1)),
      ArrowRight: () => (event.shiftKey ? show(fromMs + span / 4, span) : step(1)),
      '+': () => zoom(0.5),
      '=': () => zoom(0.5),
      '-': () => zoom(2),
      '0': () => setRange(null),
      Escape: () => onChoose(null),
    };
    const action = keys[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  };
  const legend = strips[0]?.curves ?? [];
  const events = useMemo(() => withDeath(recording, incident), [recording, incident]);
  const palette = useMemo(() => colorsOf(strips, atFirst), [strips, atFirst]);
  // The same elements from one frame of panning to the next: nothing of them is compared.
  const legendButtons = useMemo(
    () => <Legend curves={legend} hidden={hidden} palette={palette} onToggle={toggle} />,
    [legend, hidden, palette],
  );
  const below = useMemo(
    () => (
      <>
        <Events
          events={events}
          victimPid={incident?.victim?.pid}
          chosenMs={chosenMs}
          onChoose={onChoose}
        />
        {all.length > strips.length ? (
          <p class="note">
            Not drawn, since next to nothing:{' '}
            {all
              .filter(isQuiet)
              .map(({ title }) => title.charAt(0).toLowerCase() + title.slice(1))
              .join(', ')}
            .
          </p>
        ) : null}
        <FiguresTable strips={all} />
      </>
    ),
    [events, incident, chosenMs, onChoose, strips, all],
  );
  if (unpacked !== null && strips.length === 0 && recording.events.length === 0) return <></>;
  return (
    <Section
      id="timeline"
      title="Timeline"
      note={`${count(recording.processes.length, 'process', 'processes')} over ${clock(endMs)}`}
    >
      {unpacked !== null && strips.length === 0 ? null : (
        <>
          <div class="toolbar">
            <div class="choice" role="group" aria-label="Zoom">
              <button type="button" onClick={() => zoom(0.5)} aria-label="Zoom in">
                +
              </button>
              <button
                type="button"
                onClick={() => zoom(2)}
                aria-label="Zoom out"
                disabled={range === null}
              >
                −
              </button>
              <button type="button" onClick={() => setRange(null)} disabled={range === null}>
                All
              </button>
            </div>
            <p class="note hint">
              Drag to zoom, click to choose a moment. Keys: ← → choose, shift ← → pan, + − zoom.
            </p>
          </div>
          {legend.length > 1 ? legendButtons : null}
          <div
            class="charts"
            ref={charts}
            tabIndex={0}
            role="application"
            aria-label="Timeline. Left and right choose a moment, plus and minus zoom. The same figures stand in the table below."
            onKeyDown={onKeyDown}
          >
            {strips.map((strip, index) => (
              <Chart
                key={strip.id}
                strip={strip}
                hidden={hidden}
                palette={palette}
                theme={theme}
                fromMs={fromMs}
                toMs={toMs}
                chosenMs={chosenMs}
                limits={index === 0 ? limits : strip.id === 'address-space' ? addresses : noLimits}
                events={events}
                first={index === 0}
                last={index === strips.length - 1}
                onZoom={show}
                onChoose={onChoose}
              />
            ))}
          </div>
        </>
      )}
      {range === null ? null : (
        <input
          class="pan"
          type="range"
          aria-label="Pan the timeline"
          min={0}
          max={Math.max(1, endMs - span)}
          step="any"
          value={fromMs}
          onInput={(event) => showSoon(Number(event.currentTarget.value), span)}
        />
      )}
      {chosenMs === null || strips.length === 0 ? null : (
        <AtMoment strips={strips} hidden={hidden} atMs={chosenMs} />
      )}
      {below}
    </Section>
  );
}

/** A pointer can move several times between two frames: only where it was last is shown. */
function useOncePerFrame<T extends readonly unknown[]>(
  action: (...values: T) => void,
): (...values: T) => void {
  const pending = useRef<{ values: T; action: (...values: T) => void } | null>(null);
  return (...values) => {
    const asked = pending.current !== null;
    pending.current = { values, action };
    if (asked) return;
    requestAnimationFrame(() => {
      const last = pending.current;
      pending.current = null;
      last?.action(...last.values);
    });
  };
}

const limitsOf = (recording: PackedRecording, incident: Incident | undefined): readonly Limit[] => {
  const fromCgroups = recording.cgroups.flatMap(({ path, limitBytes, highBytes }): Limit[] => [
    ...(limitBytes === null ? [] : [{ owner: 'cgroup' as const, path, bytes: limitBytes }]),
    ...(highBytes == null
      ? []
      : [{ owner: 'cgroup' as const, path: `${path} (high)`, bytes: highBytes }]),
  ]);
  const all = [
    ...(incident?.limit == null ? [] : [incident.limit]),
    ...recording.limits,
    ...fromCgroups,
  ].filter(({ owner, bytes }) => bytes !== null && (owner === 'cgroup' || owner === 'host'));
  const seen = new Set<string>();
  return all.filter(({ path, bytes }) => {
    const key = `${path} ${bytes}`;
    return !seen.has(key) && seen.add(key);
  });
};

/** The end of a text, which of a path and its figure tells most, as far as there is room. */
function endFitting(ctx: CanvasRenderingContext2D, text: string, room: number): string {
  const characters = [...text];
  let from = 0;
  const shown = (): string => (from === 0 ? text : `…${characters.slice(from).join('')}`);
  // Names from outside can be long: in steps of a tenth, not of a letter.
  while (from < characters.length && ctx.measureText(shown()).width > room)
    from += Math.max(1, Math.ceil((characters.length - from) / 10));
  return shown();
}

const noLimits: readonly Limit[] = [];
const addressLimits = (incident: Incident | undefined): readonly Limit[] =>
  incident?.limit?.bytes == null ? [] : [incident.limit];

const limitLabel = ({ owner, path, bytes }: Limit): string =>
  `${owner === 'host' ? 'machine' : (path ?? owner)} ${formatBytes(bytes ?? 0)}`;

/** What is in one of both, but not in both. (Set.prototype.symmetricDifference is too new.) */
function difference(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  const result = new Set(a);
  for (const label of b) if (!result.delete(label)) result.add(label);
  return result;
}

/** All processes but the largest. */
function hiddenAtFirst(strips: readonly Strip[]): Set<string> {
  const processes = (strips[0]?.curves ?? [])
    .filter(({ kind }) => kind === 'process')
    .map(({ label, values }) => ({ label, most: greatest(values) }))
    .sort((a, b) => b.most - a.most);
  return new Set(processes.slice(shownAtFirst).map(({ label }) => label));
}

/** The same curve has the same colour in every strip. What is shown at first takes the first colours: eight tell apart, no more. */
function colorsOf(
  strips: readonly Strip[],
  hidden: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const all = strips.flatMap(({ curves }) => curves.map(({ label }) => label));
  const labels = new Set([
    ...all.filter((label) => !hidden.has(label)),
    ...all.filter((label) => hidden.has(label)),
  ]);
  return new Map([...labels].map((label, index) => [label, `series-${(index % 8) + 1}`]));
}

function Legend({
  curves,
  hidden,
  palette,
  onToggle,
}: {
  curves: readonly Curve[];
  hidden: ReadonlySet<string>;
  palette: ReadonlyMap<string, string>;
  onToggle: (label: string) => void;
}): JSX.Element {
  const [all, setAll] = useState(false);
  const sorted = useMemo(
    () =>
      curves
        .map((curve) => ({ ...curve, most: greatest(curve.values) }))
        .sort(
          (a, b) => Number(b.kind === 'cgroup') - Number(a.kind === 'cgroup') || b.most - a.most,
        ),
    [curves],
  );
  // Short helpers of a few KiB would crowd out what matters.
  const least = Math.max(...sorted.map(({ most }) => most)) * 0.03;
  const shown = all
    ? sorted
    : sorted.filter(({ most }, index) => index < shownAtFirst + 2 && (index < 2 || most >= least));
  return (
    <div class="legend" role="group" aria-label="Curves">
      {shown.map(({ label, most }) => (
        <button
          type="button"
          key={label}
          aria-pressed={!hidden.has(label)}
          onClick={() => onToggle(label)}
        >
          <i class={`swatch ${palette.get(label)}`} aria-hidden="true" />
          <span class="name">{label}</span> <span class="quiet">{formatBytes(most)}</span>
        </button>
      ))}
      {sorted.length > shown.length || all ? (
        <button type="button" class="link" onClick={() => setAll(!all)}>
          {all ? 'fewer' : `${sorted.length - shown.length} more`}
        </button>
      ) : null}
    </div>
  );
}

function Chart({
  strip,
  hidden,
  palette,
  theme,
  fromMs,
  toMs,
  chosenMs,
  limits,
  events,
  first,
  last,
  onZoom,
  onChoose,
}: {
  strip: Strip;
  hidden: ReadonlySet<string>;
  palette: ReadonlyMap<string, string>;
  theme: Theme;
  fromMs: number;
  toMs: number;
  chosenMs: number | null;
  limits: readonly Limit[];
  events: readonly Shown[];
  first: boolean;
  last: boolean;
  onZoom: (fromMs: number, widthMs: number) => void;
  onChoose: (atMs: number | null) => void;
}): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const readout = useRef<HTMLParagraphElement>(null);
  const live = useRef({ fromMs, toMs, chosenMs, onZoom, onChoose });
  live.current = { fromMs, toMs, chosenMs, onZoom, onChoose };
  const curves = useMemo(
    () => strip.curves.filter(({ label }) => !hidden.has(label)),
    [strip, hidden],
  );
  // Limits far above the curves would flatten them: these are only told in the label.
  const { shownLimits, top } = useMemo(() => {
    const most = Math.max(1, ...curves.map(({ values }) => greatest(values)));
    const near = limits.filter(({ bytes }) => (bytes ?? 0) <= most * 3);
    return {
      shownLimits: near,
      top: strip.top ?? Math.max(most, ...near.map(({ bytes }) => bytes ?? 0)) * 1.09,
    };
  }, [curves, limits, strip]);

  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    let idle = 0;
    const build = (chartWidth: number): uPlot => {
      const tiles: Tiles = makeTiles(
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
      // What panning will need next is drawn while nothing else is to do.
      const drawAhead = (): void => {
        if (idle !== 0 || !('requestIdleCallback' in window)) return;
        idle = requestIdleCallback((deadline) => {
          idle = 0;
          if (deadline.timeRemaining() > 5 ? tiles.ahead() : true) drawAhead();
        });
      };
      // Asked once: getComputedStyle() at every frame would cost more than the picture.
      const [bad, choice, tones] = [color('bad'), color('choice'), eventColors()];
      const ink = color('muted');
      const font = '12px system-ui, sans-serif';
      const axis: uPlot.Axis = {
        stroke: ink,
        font,
        grid: { stroke: color('line'), width: 1 },
        ticks: { show: false },
      };
      const options: uPlot.Options = {
        width: chartWidth,
        height: strip.height,
        padding: [first ? 16 : 6, 18, 0, 0],
        legend: { show: false },
        scales: { x: { time: false, auto: false }, y: { auto: false, range: [0, top] } },
        axes: [
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
        ],
        // The curves are drawn from tiles; uPlot has the axes, the cursor and the selection.
        series: [{}, { paths: () => null, points: { show: false } }],
        cursor: {
          sync: { key: 'timeline' },
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
        },
        hooks: {
          setSelect: [
            (self) => {
              const { left, width } = self.select;
              if (width < 4) return;
              const from = self.posToVal(left, 'x') * 1000;
              const to = self.posToVal(left + width, 'x') * 1000;
              self.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
              live.current.onZoom(from, to - from);
            },
          ],
          setCursor: [
            (self) => {
              if (readout.current === null) return;
              const { left = -10 } = self.cursor;
              const atMs = self.posToVal(left, 'x') * 1000;
              const found = left < 0 ? [] : readings(curves, atMs);
              readout.current.textContent =
                left < 0
                  ? ''
                  : [
                      clock(atMs),
                      ...found
                        .slice(0, 3)
                        .map(({ curve, value }) => `${curve.label} ${strip.format(value)}`),
                    ].join('   ');
              for (const [index, dot] of dots.entries()) {
                const reading = found[index];
                dot.hidden = reading === undefined;
                if (reading === undefined) continue;
                dot.className = `at-cursor ${palette.get(reading.curve.label) ?? ''}`;
                dot.style.transform = `translate(${left}px, ${self.valToPos(reading.value, 'y')}px)`;
              }
            },
          ],
          drawAxes: [
            (self) => {
              const { fromMs: from, toMs: to } = live.current;
              tiles.draw(self.ctx, self.bbox, { fromMs: from, toMs: to });
              drawAhead();
            },
          ],
          drawClear: [
            (self) => {
              if (live.current.chosenMs === null) return;
              const x = self.valToPos(live.current.chosenMs / 1000, 'x', true);
              const { left, top: above, width, height } = self.bbox;
              if (x < left || x > left + width) return;
              self.ctx.save();
              self.ctx.fillStyle = choice;
              self.ctx.fillRect(
                Math.round(x - devicePixelRatio),
                above,
                Math.max(2, 2 * devicePixelRatio),
                height,
              );
              self.ctx.restore();
            },
          ],
          draw: [
            (self) => {
              const { ctx, bbox } = self;
              ctx.save();
              ctx.beginPath();
              // A mark at either end is seen whole.
              const margin = 6 * devicePixelRatio;
              ctx.rect(bbox.left - margin, 0, bbox.width + 2 * margin, bbox.top + bbox.height);
              ctx.clip();
              drawEvents(self, events, tones, first);
              let labelled = Number.NaN;
              for (const limit of shownLimits) {
                const y = Math.round(self.valToPos(limit.bytes ?? 0, 'y', true)) + 0.5;
                ctx.strokeStyle = bad;
                ctx.lineWidth = devicePixelRatio;
                ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
                ctx.beginPath();
                ctx.moveTo(bbox.left, y);
                ctx.lineTo(bbox.left + bbox.width, y);
                ctx.stroke();
                ctx.setLineDash([]);
                ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
                ctx.fillStyle = bad;
                // Two limits close together: one label on each side.
                const crowded = Math.abs(y - labelled) < 16 * devicePixelRatio;
                labelled = y;
                ctx.textAlign = crowded ? 'right' : 'left';
                const shared = shownLimits.some(
                  (other) =>
                    other !== limit &&
                    Math.abs(self.valToPos(other.bytes ?? 0, 'y', true) - y) <
                      16 * devicePixelRatio,
                );
                ctx.fillText(
                  endFitting(ctx, limitLabel(limit), bbox.width * (shared ? 0.48 : 0.96)),
                  crowded
                    ? bbox.left + bbox.width - 6 * devicePixelRatio
                    : bbox.left + 6 * devicePixelRatio,
                  y - 6 * devicePixelRatio,
                );
              }
              ctx.restore();
            },
          ],
        },
      };
      const made = new uPlot(
        options,
        [
          [0, live.current.toMs / 1000],
          [0, 0],
        ],
        element,
      );
      const dots = Array.from({ length: 3 }, () => document.createElement('i'));
      for (const dot of dots) dot.hidden = true;
      made.over.append(...dots);
      made.setScale('x', { min: live.current.fromMs / 1000, max: live.current.toMs / 1000 });
      made.over.addEventListener('click', (event) => {
        const { left } = made.over.getBoundingClientRect();
        live.current.onChoose(made.posToVal(event.clientX - left, 'x') * 1000);
      });
      return made;
    };
    const room = (): number => Math.min(element.clientWidth, isOnPaper() ? paperWidth : Infinity);
    let made = build(room());
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: room(), height: strip.height }),
    );
    observer.observe(element);
    // Nothing is observed or rendered between here and the paper, which is narrower than most windows, and white.
    const again = (): void => {
      made.destroy();
      made = build(room());
      plot.current = made;
    };
    addEventListener('beforeprint', again);
    addEventListener('afterprint', again);
    return () => {
      removeEventListener('beforeprint', again);
      removeEventListener('afterprint', again);
      observer.disconnect();
      if (idle !== 0) cancelIdleCallback(idle);
      made.destroy();
      plot.current = null;
    };
  }, [strip, curves, theme, shownLimits, top]);

  // Panning only moves the picture: no chart is built anew. Before the frame is painted, so that nothing lags behind the slider.
  useLayoutEffect(() => {
    const made = plot.current;
    if (made === null) return;
    made.batch(() => made.setScale('x', { min: fromMs / 1000, max: toMs / 1000 }));
  }, [fromMs, toMs]);
  useEffect(() => plot.current?.redraw(false), [chosenMs]);

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

/** What each curve says at a moment, the greatest first; nothing of a process that had not begun or had ended. */
function readings(
  curves: readonly Curve[],
  atMs: number,
): readonly { readonly curve: Curve; readonly value: number }[] {
  return curves
    .map((curve) => {
      const after = firstAt(curve.atMs, atMs);
      const before = Math.max(0, after - 1);
      const nearer =
        atMs - (curve.atMs[before] ?? 0) <= (curve.atMs[after] ?? Infinity) - atMs ? before : after;
      const known = after < curve.atMs.length && (after > 0 || (curve.atMs[0] ?? Infinity) <= atMs);
      return { curve, value: known ? (curve.values[nearer] ?? Number.NaN) : Number.NaN };
    })
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => b.value - a.value);
}

const niceSeconds = [
  ...[0.001, 0.01, 0.1, 1, 10].flatMap((power) => [power, 2 * power, 5 * power]),
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  3600,
  7200,
  10_800,
  21_600,
  43_200,
  86_400,
].sort((a, b) => a - b);

/** Round numbers of the unit that is shown: 0, 50 MiB, 100 MiB. */
function niceSplits(max: number, wanted: number, isBytes: boolean): number[] {
  const unit = isBytes ? 1024 ** Math.max(0, Math.floor(Math.log(max) / Math.log(1024))) : 1;
  const rough = max / unit / wanted;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power * unit;
  const splits: number[] = [];
  for (let value = 0; value <= max; value += step) splits.push(value);
  return splits;
}

type Shown = Omit<PackedRecording['events'][number], 'what'> & {
  readonly what: PackedRecording['events'][number]['what'] | 'death';
};

/** The end of the one that died is its death, however it ended; but who was slow and ended by itself died of nothing at its end. */
function withDeath(recording: PackedRecording, incident: Incident | undefined): readonly Shown[] {
  const pid = incident?.outOfMemory === true ? incident.victim?.pid : undefined;
  const bySignal = recording.processes.some(
    (process) => process.pid === pid && process.signal !== null,
  );
  if (pid === undefined || (incident?.death === 'slow' && !bySignal)) return recording.events;
  return recording.events.map((event) =>
    event.what === 'end' && event.pid === pid ? { ...event, what: 'death' } : event,
  );
}

const eventTone: Readonly<Record<string, string>> = {
  kill: 'bad',
  death: 'bad',
  exception: 'bad',
  'failed-allocation': 'bad',
  'limit-hit': 'warn',
  stall: 'warn',
  look: 'accent',
};
const eventName: Readonly<Record<string, string>> = {
  start: 'start',
  end: 'end',
  death: 'death',
  kill: 'kill',
  'limit-hit': 'limit reached',
  stall: 'stall',
  exception: 'exception',
  'failed-allocation': 'allocation refused',
  look: 'look inside',
  note: 'note',
};

const eventColors = (): ReadonlyMap<string, string> =>
  new Map(Object.values(eventTone).map((tone) => [tone, color(tone)]));

/** A tick on top for each event; a line through the picture for the deadly ones. */
function drawEvents(
  self: uPlot,
  events: readonly Shown[],
  tones: ReadonlyMap<string, string>,
  first: boolean,
): void {
  const { ctx, bbox } = self;
  const ratio = devicePixelRatio;
  for (const { atMs, what } of events) {
    const tone = eventTone[what];
    if (tone === undefined) continue;
    const x = Math.round(self.valToPos(atMs / 1000, 'x', true)) + 0.5;
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    ctx.strokeStyle = tones.get(tone) ?? '';
    ctx.fillStyle = tones.get(tone) ?? '';
    ctx.lineWidth = ratio;
    if (tone === 'bad') {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    if (!first) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x - 4 * ratio, bbox.top - 7 * ratio);
    ctx.lineTo(x + 4 * ratio, bbox.top - 7 * ratio);
    ctx.fill();
  }
}

/** What the curves say at the chosen moment, for the eye and for those who hear it. */
const AtMoment = ({
  strips,
  hidden,
  atMs,
}: {
  strips: readonly Strip[];
  hidden: ReadonlySet<string>;
  atMs: number;
}): JSX.Element => (
  <p class="at-moment" role="status">
    At {clock(atMs)}:{' '}
    {strips
      .flatMap(({ title, curves, format }, index) =>
        readings(
          curves.filter(({ label }) => !hidden.has(label)),
          atMs,
        )
          .slice(0, index === 0 ? 4 : 1)
          .map(
            ({ curve, value }) =>
              `${curve.label} ${format(value)}${index === 0 ? '' : ` (${title.toLowerCase()})`}`,
          ),
      )
      .join(', ') || 'nothing was read'}
  </p>
);

const mostEvents = 8;

function Events({
  events: unsorted,
  victimPid,
  chosenMs,
  onChoose,
}: {
  events: readonly Shown[];
  victimPid: number | undefined;
  chosenMs: number | null;
  onChoose: (atMs: number | null) => void;
}): JSX.Element | null {
  const [all, setAll] = useState(false);
  const events = [...unsorted].sort((a, b) => a.atMs - b.atMs);
  if (events.length === 0) return null;
  // The end is what one looks for: of many events the last ones stay, and of helpers that came and went none.
  const telling =
    events.length <= mostEvents
      ? events
      : events.filter(({ what, pid }) => eventTone[what] !== undefined || pid === victimPid);
  const shown = all ? events : telling.slice(-mostEvents);
  return (
    <div class="events">
      <h3>What happened when</h3>
      <ol>
        {shown.length < events.length ? (
          <li>
            <button type="button" class="link" onClick={() => setAll(true)}>
              {count(events.length - shown.length, 'more event')}
            </button>
          </li>
        ) : null}
        {shown.map(({ atMs, what, text }, index) => (
          <li key={index}>
            <button
              type="button"
              class="moment"
              aria-pressed={chosenMs === atMs}
              onClick={() => onChoose(atMs)}
            >
              {clock(atMs)}
            </button>
            <span class={`tag ${eventTone[what] ?? ''}`}>{eventName[what] ?? what}</span>
            <span class="what">{text}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** What the picture shows, for those who cannot see it: each curve's start, peak and end. */
function FiguresTable({ strips }: { strips: readonly Strip[] }): JSX.Element | null {
  const [open, setOpen] = useState(false);
  if (strips.length === 0) return null;
  return (
    <details
      class={`table-behind ${open ? '' : 'not-on-paper'}`}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>The same as a table</summary>
      {open ? (
        <div class="scroll" tabIndex={0} role="group" aria-label="Figures of the timeline">
          <table>
            <thead>
              <tr>
                <th scope="col">Figure</th>
                <th scope="col">Of</th>
                <th scope="col" class="number">
                  First
                </th>
                <th scope="col" class="number">
                  Highest
                </th>
                <th scope="col" class="number">
                  at
                </th>
                <th scope="col" class="number">
                  Last
                </th>
              </tr>
            </thead>
            <tbody>
              {strips.flatMap(({ title, curves, format }) =>
                curves.map(({ label, atMs, values }) => {
                  const known = [...values.keys()].filter((row) => !Number.isNaN(values[row]));
                  const peak = known.reduce(
                    (best, row) => ((values[row] ?? 0) > (values[best] ?? 0) ? row : best),
                    known[0] ?? 0,
                  );
                  return (
                    <tr key={`${title} ${label}`}>
                      <td>{title}</td>
                      <td>{label}</td>
                      <td class="number">{format(values[known[0] ?? 0] ?? 0)}</td>
                      <td class="number">{format(values[peak] ?? 0)}</td>
                      <td class="number">{clock(atMs[peak] ?? 0)}</td>
                      <td class="number">{format(values[known.at(-1) ?? 0] ?? 0)}</td>
                    </tr>
                  );
                }),
              )}
            </tbody>
          </table>
        </div>
      ) : null}
    </details>
  );
}
