/** Memory against its limits over time, with the moments that mattered. The moment chosen here drives the other sections. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { PackedRecording } from '../../../src/model/page.ts';
import type { Incident } from '../../../src/model/report.ts';
import { lowerFirst } from '../../../src/model/words.ts';
import { clock, count } from '../labels.ts';
import { Section } from '../parts.tsx';
import type { Theme } from '../theme.ts';
import type { Unpacked } from '../unpack.ts';
import { Charts } from './charts.tsx';
import { Events, withDeath } from './events.tsx';
import { colorsOf, difference, hiddenAtFirst, Legend } from './legend.tsx';
import { addressLimits, limitsOf } from './limits.ts';
import { isQuiet, stripsOf, type Strip } from './series.ts';
import { AtMoment, FiguresTable } from './table.tsx';
import { useView, type View } from './view.ts';

interface TimelineProps {
  readonly recording: PackedRecording;
  /** null: not unpacked yet. */
  readonly unpacked: Unpacked | null;
  readonly incident: Incident | undefined;
  readonly theme: Theme;
  readonly chosenMs: number | null;
  readonly onChoose: (atMs: number | null) => void;
}

export function Timeline(props: TimelineProps): JSX.Element {
  const { recording, unpacked, incident, theme, chosenMs, onChoose } = props;
  const all = useMemo(
    () => (unpacked === null ? [] : stripsOf(recording, unpacked, incident)),
    [recording, unpacked, incident],
  );
  const strips = useMemo(() => all.filter((strip) => !isQuiet(strip)), [all]);
  const endMs = useMemo(() => endOf(recording, strips), [recording, strips]);
  const view = useView(endMs);
  const { hidden, palette, legend } = useCurves(strips);
  // The same arrays from one drawing to the next: a new one would build the charts anew.
  const limits = useMemo(
    () => ({
      memory: limitsOf(recording, incident),
      'address-space': addressLimits(incident),
    }),
    [recording, incident],
  );
  const events = useMemo(() => withDeath(recording, incident), [recording, incident]);
  // The same elements from one frame of panning to the next: nothing of them is compared.
  const below = useMemo(
    () => (
      <>
        <Events
          events={events}
          victimPid={incident?.victim?.pid}
          chosenMs={chosenMs}
          onChoose={onChoose}
        />
        <NotDrawn strips={all.filter(isQuiet)} />
        <FiguresTable strips={all} />
      </>
    ),
    [events, incident, chosenMs, onChoose, all],
  );
  const isDrawn = unpacked === null || strips.length > 0;
  if (!isDrawn && recording.events.length === 0) return <></>;
  return (
    <Section
      id="timeline"
      title="Timeline"
      note={`${count(recording.processes.length, 'process', 'processes')} over ${clock(endMs)}`}
    >
      {isDrawn ? (
        <>
          <Toolbar view={view} chosenMs={chosenMs} />
          {legend}
          <Charts
            {...{ strips, view, hidden, palette, theme, events, limits, chosenMs, onChoose }}
          />
        </>
      ) : null}
      {view.isWhole ? null : <Pan view={view} />}
      {chosenMs === null || strips.length === 0 ? null : (
        <AtMoment strips={strips} hidden={hidden} atMs={chosenMs} />
      )}
      {below}
    </Section>
  );
}

/** Of the run, and of whatever was noted after it. Never 0. */
const endOf = (recording: PackedRecording, strips: readonly Strip[]): number =>
  Math.max(
    1,
    recording.durationMs ?? 0,
    ...strips.flatMap(({ curves }) => curves.map(({ atMs }) => atMs.at(-1) ?? 0)),
    ...recording.events.map(({ atMs }) => atMs),
  );

/** Which curves are shown and in which colours, with the buttons that change it. */
function useCurves(strips: readonly Strip[]): {
  readonly hidden: ReadonlySet<string>;
  readonly palette: ReadonlyMap<string, string>;
  readonly legend: JSX.Element | null;
} {
  const atFirst = useMemo(() => hiddenAtFirst(strips), [strips]);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const hidden = useMemo(() => difference(atFirst, toggled), [atFirst, toggled]);
  const palette = useMemo(() => colorsOf(strips, atFirst), [strips, atFirst]);
  const legend = useMemo(() => {
    const curves = strips[0]?.curves ?? [];
    const toggle = (label: string): void =>
      setToggled((before) => difference(before, new Set([label])));
    return curves.length > 1 ? (
      <Legend curves={curves} hidden={hidden} palette={palette} onToggle={toggle} />
    ) : null;
  }, [strips, hidden, palette]);
  return { hidden, palette, legend };
}

const Toolbar = ({ view, chosenMs }: { view: View; chosenMs: number | null }): JSX.Element => (
  <div class="toolbar">
    <div class="choice" role="group" aria-label="Zoom">
      <button type="button" onClick={() => view.zoom(0.5, chosenMs)} aria-label="Zoom in">
        +
      </button>
      <button
        type="button"
        onClick={() => view.zoom(2, chosenMs)}
        aria-label="Zoom out"
        disabled={view.isWhole}
      >
        −
      </button>
      <button type="button" onClick={view.showAll} disabled={view.isWhole}>
        All
      </button>
    </div>
    <p class="note hint">
      Drag to zoom, click to choose a moment. Keys: ← → choose, shift ← → pan, + − zoom.
    </p>
  </div>
);

const Pan = ({ view }: { view: View }): JSX.Element => (
  <input
    class="pan"
    type="range"
    aria-label="Pan the timeline"
    min={0}
    max={Math.max(1, view.endMs - view.spanMs)}
    step="any"
    value={view.fromMs}
    onInput={(event) => view.showSoon(Number(event.currentTarget.value), view.spanMs)}
  />
);

/** What has next to nothing to show is told in words. */
const NotDrawn = ({ strips }: { strips: readonly Strip[] }): JSX.Element | null =>
  strips.length === 0 ? null : (
    <p class="note">
      Too small to draw: {strips.map(({ title }) => lowerFirst(title)).join(', ')}.
    </p>
  );
