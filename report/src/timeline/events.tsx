/** The moments that mattered: which of them are deaths, what they are called, and the list below the charts. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { PackedRecording } from '../../../src/model/page.ts';
import type { Incident } from '../../../src/model/report.ts';
import { clock, count } from '../labels.ts';
import { LinkButton } from '../parts.tsx';

export type Shown = Omit<PackedRecording['events'][number], 'what'> & {
  readonly what: PackedRecording['events'][number]['what'] | 'death';
};

/** The end of the one that died is its death, however it ended; but who was slow and ended by itself died of nothing at its end. */
export function withDeath(
  recording: PackedRecording,
  incident: Incident | undefined,
): readonly Shown[] {
  const pid = incident?.outOfMemory === true ? incident.victim?.pid : undefined;
  const bySignal = recording.processes.some(
    (process) => process.pid === pid && process.signal !== null,
  );
  if (pid === undefined || (incident?.death === 'slow' && !bySignal)) return recording.events;
  return recording.events.map((event) =>
    event.what === 'end' && event.pid === pid ? { ...event, what: 'death' } : event,
  );
}

export const eventTone: Readonly<Record<string, string>> = {
  kill: 'bad',
  death: 'bad',
  exception: 'bad',
  'failed-allocation': 'bad',
  'limit-hit': 'warn',
  stall: 'warn',
  look: 'accent',
};
/** What is not called by its own name. */
const eventName: Readonly<Record<string, string>> = {
  'limit-hit': 'limit reached',
  'failed-allocation': 'allocation refused',
  look: 'look inside',
};

const mostEvents = 8;

export function Events({
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
            <LinkButton onClick={() => setAll(true)}>
              {count(events.length - shown.length, 'more event')}
            </LinkButton>
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
