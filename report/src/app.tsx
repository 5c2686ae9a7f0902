import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Answer, PageData } from '../../src/model/page.ts';
import type { Incident, MemoryPicture, Reason, SourceReport } from '../../src/model/report.ts';
import { Markdown } from './markdown.tsx';
import { Allocations, Failures, Holders, setDocuments } from './memory.tsx';
import { Command, Section, Whole } from './parts.tsx';
import { Stacks } from './stacks.tsx';
import { Tasks } from './tasks.tsx';
import { useTheme } from './theme.ts';
import { Timeline } from './timeline.tsx';
import { unpack, type Unpacked } from './unpack.ts';
import { capital, clock, count } from './labels.ts';
import { isBlank, inWords } from '../../src/model/prose.ts';

export function App({ data }: { data: PageData }): JSX.Element {
  const { report, recording, answers } = data;
  const [theme, toggleTheme] = useTheme();
  const worst = report.incidents.findLastIndex(({ outOfMemory }) => outOfMemory === true);
  const [index, setIndex] = useState(worst >= 0 ? worst : Math.max(0, report.incidents.length - 1));
  const [chosenMs, setChosenMs] = useState<number | null>(null);
  const [unpacked, setUnpacked] = useState<Unpacked | null>(null);
  const [broken, setBroken] = useState(false);
  useMemo(() => setDocuments(data.documents), [data]);
  useEffect(() => {
    if (recording !== null) unpack(recording).then(setUnpacked, () => setBroken(true));
  }, [recording]);
  const incident = report.incidents[index];
  useEffect(() => {
    document.title =
      incident === undefined
        ? 'coroner'
        : `${verdict(incident)}: ${incident.headline}`.slice(0, 120);
  }, [incident]);
  // On paper everything is open, but for the sources of libraries, which would fill pages.
  useEffect(() => {
    const open = (): void => {
      for (const details of document.querySelectorAll('details'))
        details.open ||= details.closest('.library') === null;
    };
    addEventListener('beforeprint', open);
    return () => removeEventListener('beforeprint', open);
  }, []);
  const look = useMemo(
    () => lookAt(recording, incident, chosenMs),
    [recording, incident, chosenMs],
  );
  const memory: MemoryPicture = look?.picture ?? incident?.memory ?? {};
  const nearest = useMemo(
    () => (chosenMs === null ? null : nearerTo(chosenMs, recording, unpacked, incident)),
    [chosenMs, recording, unpacked, incident],
  );
  const moment = look === null ? null : `as seen at ${clock(look.atMs)}`;
  return (
    <>
      <a class="skip" href="#main">
        To the verdict
      </a>
      <header class="top">
        <div class="bar-inner">
          <strong class="brand">coroner</strong>
          <span class="command-line">{data.commandLine}</span>
          <button
            type="button"
            class="theme"
            onClick={toggleTheme}
            aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'}
          >
            {theme === 'dark' ? 'Light' : 'Dark'}
          </button>
        </div>
      </header>
      <main id="main">
        {report.incidents.length > 1 ? (
          <Incidents incidents={report.incidents} chosen={index} onChoose={setIndex} />
        ) : null}
        {incident === undefined ? (
          <Nothing sources={report.sources} />
        ) : (
          <Verdict incident={incident} answers={answers[index] ?? []} />
        )}
        {incident === undefined ? null : <Remedies incident={incident} />}
        {recording === null ? null : (
          <Timeline
            recording={recording}
            unpacked={unpacked}
            incident={incident}
            theme={theme}
            chosenMs={chosenMs}
            onChoose={setChosenMs}
          />
        )}
        {broken ? (
          <p class="note">The recorded curves could not be unpacked by this browser.</p>
        ) : null}
        {chosenMs === null ? null : (
          <p class="chosen">
            {moment === null
              ? `No look into the process was made by ${clock(chosenMs)}: below is the death.`
              : `Below: ${moment}, the look nearest to the chosen moment.`}{' '}
            <button type="button" class="link" onClick={() => setChosenMs(null)}>
              Back to the death
            </button>
          </p>
        )}
        {incident === undefined ? null : (
          <>
            <Evidence incident={incident} />
            <Stacks incident={incident} memory={memory} moment={moment} sources={data.sources} />
            <Holders memory={memory} moment={moment} />
            <Allocations memory={incident.memory} nearest={nearest} />
            <Failures memory={incident.memory} />
            <Tasks key={index} incident={incident} />
            <Related incident={incident} />
            <About incident={incident} documents={data.documents} />
          </>
        )}
        <Sources sources={report.sources} />
      </main>
      <footer>
        Made by coroner {data.version}. This page is one file, asks nothing of any network, and may
        be passed on; it holds what the program's names, lines and log quotes say.
      </footer>
    </>
  );
}

/** The look nearest to the chosen moment, where it is not the last one anyway. */
function lookAt(
  recording: PageData['recording'],
  incident: Incident | undefined,
  chosenMs: number | null,
): { readonly atMs: number; readonly picture: MemoryPicture } | null {
  if (recording === null || chosenMs === null || recording.looks.length === 0) return null;
  const pid = incident?.victim?.pid;
  const own = recording.looks.filter((look) => look.pid === pid);
  const [first, ...others] = own.length > 0 ? own : recording.looks;
  if (first === undefined) return null;
  return others.reduce(
    (best, look) => (Math.abs(look.atMs - chosenMs) < Math.abs(best.atMs - chosenMs) ? look : best),
    first,
  );
}

/** Lines are known of two moments: which of them the chosen one is nearer to. */
function nearerTo(
  chosenMs: number,
  recording: PageData['recording'],
  unpacked: Unpacked | null,
  incident: Incident | undefined,
): 'peak' | 'death' | null {
  const index = recording?.processes.findIndex(({ pid }) => pid === incident?.victim?.pid) ?? -1;
  const series = unpacked?.processes[index];
  const values = series?.columns['rssBytes'];
  if (series === undefined || values === undefined || values.length === 0) return null;
  let peak = 0;
  for (let row = 1; row < values.length; row += 1)
    if ((values[row] ?? 0) > (values[peak] ?? 0)) peak = row;
  const [peakMs, deathMs] = [series.atMs[peak] ?? 0, series.atMs.at(-1) ?? 0];
  return Math.abs(chosenMs - peakMs) <= Math.abs(chosenMs - deathMs) ? 'peak' : 'death';
}

const verdict = ({ outOfMemory }: Incident): string =>
  outOfMemory === null ? 'Not known' : outOfMemory ? 'Out of memory' : 'Not memory';
const toneOf = ({ outOfMemory }: Incident): string =>
  outOfMemory === null ? 'warn' : outOfMemory ? 'bad' : 'good';

function whenText({ at, atUptimeSeconds }: Incident): string {
  if (at !== null && at !== undefined) return at.replace('T', ' ').replace(/(?:\.\d+)?Z$/, ' UTC');
  return atUptimeSeconds === undefined ? '' : `${atUptimeSeconds.toFixed(1)} s after boot`;
}

function Verdict({
  incident,
  answers,
}: {
  incident: Incident;
  answers: readonly Answer[];
}): JSX.Element {
  return (
    <section class="verdict" aria-labelledby="headline">
      <p class="badge-line">
        <span class={`badge ${toneOf(incident)}`}>{verdict(incident)}</span>
        <span class="confidence">{incident.confidence}</span>
        <span class="quiet">{whenText(incident)}</span>
      </p>
      <h1 id="headline">
        <Whole text={inWords(incident.headline)} />
      </h1>
      <dl class="answers">
        {answers.map(({ question, answer, details, known }) => (
          <div key={question} class={known ? '' : 'unknown'}>
            <dt>{question}</dt>
            <dd>
              <Whole text={answer} />
              {question === 'What now?' ? (
                <MoreToDo incident={incident} />
              ) : (
                details.map((detail) => (
                  <span class="detail" key={detail}>
                    <Whole text={inWords(detail)} />
                  </span>
                ))
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The answer names the first thing to do; how, and the others, stand in their own section. */
function MoreToDo({ incident: { remedies, unknown } }: { incident: Incident }): JSX.Element | null {
  if (remedies.length + unknown.length === 0) return null;
  const others = remedies.length - 1;
  return (
    <a class="detail" href="#remedies">
      {others > 0
        ? `How, and ${count(others, 'other way')}`
        : remedies.length > 0
          ? 'How to do it'
          : 'How to find out'}
    </a>
  );
}

/** So many of a storm's incidents are listed at first; on a phone, where each takes two lines, fewer. */
const severalFrom = matchMedia('(max-width: 40rem)').matches ? 3 : 6;

function Incidents({
  incidents,
  chosen,
  onChoose,
}: {
  incidents: readonly Incident[];
  chosen: number;
  onChoose: (index: number) => void;
}): JSX.Element {
  const [all, setAll] = useState(false);
  const from = all
    ? 0
    : Math.max(0, Math.min(chosen - severalFrom + 1, incidents.length - severalFrom));
  const shown = all ? incidents : incidents.slice(from, from + severalFrom);
  const deaths = incidents.filter(({ outOfMemory }) => outOfMemory === true).length;
  return (
    <nav class="incidents" aria-label="Incidents">
      <p class="note">
        {count(incidents.length, 'incident')}, {deaths} out of memory
      </p>
      <ol class={all ? 'long' : ''}>
        {shown.map((incident, offset) => (
          <li key={from + offset}>
            <button
              type="button"
              aria-current={from + offset === chosen ? 'true' : undefined}
              onClick={() => onChoose(from + offset)}
            >
              <i class={`dot ${toneOf(incident)}`} aria-hidden="true" />
              <span class="quiet time">{whenText(incident)}</span>
              <span class="what">{incident.headline}</span>
            </button>
          </li>
        ))}
      </ol>
      {shown.length < incidents.length ? (
        <button type="button" class="link" onClick={() => setAll(true)}>
          and {incidents.length - shown.length} more
        </button>
      ) : null}
    </nav>
  );
}

function Remedies({ incident }: { incident: Incident }): JSX.Element | null {
  const { remedies, unknown } = incident;
  if (remedies.length + unknown.length === 0) return null;
  const tellable = unknown.some(({ command }) => command !== null);
  return (
    <Section
      id="remedies"
      title={remedies.length > 0 ? 'What to do' : 'What could not be told'}
      {...(remedies.length > 0 || !tellable ? {} : { note: 'and what would tell it' })}
    >
      {remedies.length > 0 ? (
        <ol class="remedies">
          {remedies.map(({ title, detail, command }, index) => (
            <li key={index}>
              <strong>{title}</strong>
              {isBlank(detail) ? null : (
                <p>
                  <Whole text={inWords(detail)} />
                </p>
              )}
              {command === null ? null : <Command text={command} />}
            </li>
          ))}
        </ol>
      ) : null}
      {unknown.length > 0 ? (
        <>
          {remedies.length > 0 ? (
            <h3>What could not be told{tellable ? ', and what would tell it' : ''}</h3>
          ) : null}
          <ul class="unknowns">
            {unknown.map(({ what, why, command }, index) => (
              <li key={index}>
                <strong>{capital(inWords(what))}</strong>
                <p>{why}</p>
                {command === null ? null : <Command text={command} />}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </Section>
  );
}

function Evidence({ incident }: { incident: Incident }): JSX.Element | null {
  const { because, against, ruledOut } = incident;
  if (because.length + against.length + ruledOut.length === 0) return null;
  return (
    <Section
      id="evidence"
      title="How we know"
      note={`${incident.confidence}: ${meaning[incident.confidence] ?? ''}`}
    >
      <ul class="evidence">
        {because.map((reason, index) => (
          <ReasonItem key={index} reason={reason} sign="✓" tone="good" says="for it" />
        ))}
        {against.map((reason, index) => (
          <ReasonItem key={index} reason={reason} sign="!" tone="warn" says="against it" />
        ))}
      </ul>
      {ruledOut.length > 0 ? (
        <>
          <h3>What it was not</h3>
          <ul class="ruled-out">
            {ruledOut.map(({ cause, variant, because: why }, index) => (
              <li key={index}>
                <code>{variant === undefined ? cause : `${cause}, ${variant}`}</code> {why}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </Section>
  );
}

const meaning: Readonly<Record<string, string>> = {
  certain: 'a record names this very process',
  strong: 'a direct witness, with a gap',
  likely: 'several indirect signs agree',
  weak: 'one indirect sign only',
};

/** Priority, number and time before a record of /dev/kmsg: part of the quote, and not what is to be read in it. */
const recordHead = /^\d+,\d+,\d+,[^;\n]*;/;

function ReasonItem({
  reason: { says, place, quote },
  sign,
  tone,
  says: side,
}: {
  reason: Reason;
  sign: string;
  tone: string;
  says: string;
}): JSX.Element {
  const head = recordHead.exec(quote ?? '')?.[0] ?? '';
  const rest = (quote ?? '').slice(head.length);
  return (
    <li>
      <i class={`sign ${tone}`} role="img" aria-label={side}>
        {sign}
      </i>
      <div>
        <p>
          {says} <span class="place">{place}</span>
        </p>
        {quote === undefined || quote === '' ? null : (
          <pre
            class={quote.includes('\n') ? '' : 'one-line'}
            tabIndex={0}
            role="group"
            aria-label="Quote"
          >
            <code>
              <span class="quiet">{head}</span>
              {rest.length > 20_000 ? `${rest.slice(0, 20_000)}…` : rest}
            </code>
          </pre>
        )}
      </div>
    </li>
  );
}

function Related({ incident }: { incident: Incident }): JSX.Element | null {
  const { related = [] } = incident;
  if (related.length === 0) return null;
  return (
    <Section
      id="related"
      title="Other processes of this death"
      note={count(related.length, 'process', 'processes')}
    >
      <ul class="ruled-out">
        {related.slice(0, 200).map(({ pid, name, how }, index) => (
          <li key={index}>
            <code>
              {name ?? 'process'} ({pid})
            </code>{' '}
            {how}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function About({
  incident,
  documents,
}: {
  incident: Incident;
  documents: PageData['documents'];
}): JSX.Element | null {
  const text = documents[incident.cause];
  if (text === undefined) return null;
  return (
    <Section id="about" title="About this cause" note={incident.cause}>
      <details class="table-behind">
        <summary>{/^# (.*)$/m.exec(text)?.[1] ?? incident.cause}</summary>
        <Markdown text={text} />
      </details>
    </Section>
  );
}

const statusWords: Readonly<Record<string, string>> = {
  read: 'read',
  absent: 'not there',
  denied: 'may not be read',
  malformed: 'not understood',
  truncated: 'cut short',
};

function Sources({ sources }: { sources: readonly SourceReport[] }): JSX.Element | null {
  if (sources.length === 0) return null;
  return (
    <Section id="sources" title="What was read" note={count(sources.length, 'source')}>
      <div class="scroll" tabIndex={0} role="group" aria-label="Sources">
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">Source</th>
              <th scope="col">Where</th>
              <th scope="col">What became of it</th>
            </tr>
          </thead>
          <tbody>
            {sources.map(({ id, place, status, detail, command }, index) => (
              <tr key={index}>
                <td>{id}</td>
                <td>
                  <code>{place}</code>
                </td>
                <td>
                  <span class={`tag ${status === 'read' ? 'good' : 'warn'}`}>
                    {statusWords[status] ?? status}
                  </span>{' '}
                  {detail ?? ''}
                  {command === undefined ? null : <code class="line">{command}</code>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

const Nothing = ({ sources }: { sources: readonly SourceReport[] }): JSX.Element => (
  <section class="verdict" aria-labelledby="headline">
    <h1 id="headline">No death was found in what could be read</h1>
    {sources.every(({ status }) => status === 'read') ? null : (
      <p class="note">
        Some sources could not be read: see below. That is not the same as "nothing happened".
      </p>
    )}
  </section>
);
