/** The page from top to bottom, and the moment that its sections share. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { mainIncident, verdictWord } from '../../src/model/incident.ts';
import type { PageData, PackedRecording } from '../../src/model/page.ts';
import type { Incident } from '../../src/model/report.ts';
import { clock } from './labels.ts';
import { Allocations } from './memory/allocations.tsx';
import { Failures } from './memory/failures.tsx';
import { Holders } from './memory/holders.tsx';
import { lookAt, nearerTo } from './moment.ts';
import { Contents } from './contents.tsx';
import { CopyButton, LinkButton } from './parts.tsx';
import { About, Related } from './sections/about.tsx';
import { Evidence } from './sections/evidence.tsx';
import { Incidents } from './sections/incidents.tsx';
import { Remedies } from './sections/remedies.tsx';
import { Environment, RunVerdict } from './sections/run.tsx';
import { Sources } from './sections/sources.tsx';
import { Nothing, Verdict } from './sections/verdict.tsx';
import { Stacks } from './stacks.tsx';
import { Tasks } from './tasks.tsx';
import { useTheme, type Theme } from './theme.ts';
import { Timeline } from './timeline/index.tsx';
import { unpack, type Unpacked } from './unpack.ts';

export function App({ data }: { data: PageData }): JSX.Element {
  const { report, recording, answers } = data;
  const { incidents, sources } = report;
  const [theme, toggleTheme] = useTheme();
  const [index, setIndex] = useState(() => {
    const main = mainIncident(incidents);
    return main === undefined ? 0 : incidents.indexOf(main);
  });
  const [chosenMs, setChosenMs] = useState<number | null>(null);
  const { unpacked, isBroken } = useUnpacked(recording);
  const { run: told } = data;
  // A run that was ended by Ctrl-C is told as a run, not as a death.
  const incident = told === null ? incidents[index] : undefined;
  useTitle(incident, told?.headline);
  useOpenOnPaper();
  const contents = <Contents of={`${index} ${chosenMs} ${unpacked !== null}`} />;
  return (
    <>
      <a class="skip" href="#main">
        To the verdict
      </a>
      <Head
        commandLine={data.commandLine}
        markdown={data.markdown}
        theme={theme}
        onToggle={toggleTheme}
      />
      <main id="main">
        {told === null && incidents.length > 1 ? (
          <Incidents incidents={incidents} chosen={index} onChoose={setIndex} />
        ) : null}
        {told !== null ? (
          <>
            <RunVerdict told={told} run={report.run} />
            {contents}
          </>
        ) : incident === undefined ? (
          <Nothing sources={sources} />
        ) : (
          <>
            <Verdict incident={incident} answers={answers[index] ?? []} />
            {contents}
            <Remedies incident={incident} />
          </>
        )}
        {recording === null ? null : (
          <Timeline
            {...{ recording, unpacked, incident, theme, chosenMs }}
            onChoose={setChosenMs}
          />
        )}
        {isBroken ? <p class="note">This browser could not unpack the recorded curves.</p> : null}
        <Moment {...{ data, unpacked, incident, chosenMs }} onBack={() => setChosenMs(null)} />
        {incident === undefined ? null : (
          <>
            <Tasks key={index} incident={incident} />
            <Related incident={incident} />
            <About incident={incident} documents={data.documents} />
          </>
        )}
        {report.run === undefined ? null : (
          <Environment environment={report.run.environment} startedAt={report.run.startedAt} />
        )}
        <Sources sources={sources} />
      </main>
      <footer>
        Made by coroner {data.version}. This page is one file, asks nothing of any network, and may
        be passed on; it quotes names, source lines and logs of the program.
      </footer>
    </>
  );
}

interface MomentProps {
  readonly data: PageData;
  readonly unpacked: Unpacked | null;
  readonly incident: Incident | undefined;
  readonly chosenMs: number | null;
  readonly onBack: () => void;
}

/** What is told of the death, or of the moment that was chosen in the timeline. */
function Moment({ data, unpacked, incident, chosenMs, onBack }: MomentProps): JSX.Element {
  const {
    recording,
    report: { run },
  } = data;
  const look = useMemo(
    () => lookAt(recording, incident, chosenMs),
    [recording, incident, chosenMs],
  );
  const nearest = useMemo(
    () => (chosenMs === null ? null : nearerTo(chosenMs, recording, unpacked, incident)),
    [chosenMs, recording, unpacked, incident],
  );
  const memory = look?.picture ?? incident?.memory ?? run?.memory ?? {};
  const whole = incident === undefined ? 'the peak' : 'the death';
  const ofRun = data.run?.lookMoment ?? null;
  const moment = look === null ? null : `as seen at ${clock(look.atMs)}`;
  return (
    <>
      {chosenMs === null ? null : (
        <p class="chosen">
          {moment === null
            ? `No look into the process was recorded: what follows is ${whole}.`
            : `What follows is ${moment}, the look nearest to the chosen moment.`}{' '}
          <LinkButton onClick={onBack}>Back to {whole}</LinkButton>
        </p>
      )}
      {incident === undefined && run?.memory !== undefined ? (
        <>
          <Holders
            memory={memory}
            moment={moment ?? (ofRun === null ? null : `as seen ${ofRun}`)}
            documents={data.documents}
          />
          <Allocations memory={run.memory} nearest={nearest} />
        </>
      ) : null}
      {incident === undefined ? null : (
        <>
          <Evidence incident={incident} />
          <Stacks incident={incident} memory={memory} moment={moment} sources={data.sources} />
          <Holders memory={memory} moment={moment} documents={data.documents} />
          <Allocations memory={incident.memory} nearest={nearest} />
          <Failures memory={incident.memory} />
        </>
      )}
    </>
  );
}

interface HeadProps {
  readonly markdown: string;
  readonly commandLine: string;
  readonly theme: Theme;
  readonly onToggle: () => void;
}

const Head = ({ commandLine, markdown, theme, onToggle }: HeadProps): JSX.Element => (
  <header class="top">
    <div class="bar-inner">
      <strong class="brand">coroner</strong>
      <span class="command-line">{commandLine}</span>
      <CopyButton text={markdown} label="Copy as Markdown" />
      <button
        type="button"
        class="theme"
        onClick={onToggle}
        aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'}
      >
        {theme === 'dark' ? 'Light' : 'Dark'}
      </button>
    </div>
  </header>
);

/** The recorded series; null until they are unpacked, and for good where the browser cannot do it. */
function useUnpacked(recording: PackedRecording | null): {
  readonly unpacked: Unpacked | null;
  readonly isBroken: boolean;
} {
  const [unpacked, setUnpacked] = useState<Unpacked | null>(null);
  const [isBroken, setBroken] = useState(false);
  useEffect(() => {
    if (recording !== null) unpack(recording).then(setUnpacked, () => setBroken(true));
  }, [recording]);
  return { unpacked, isBroken };
}

function useTitle(incident: Incident | undefined, headline: string | undefined): void {
  useEffect(() => {
    document.title =
      incident === undefined
        ? (headline ?? 'coroner').slice(0, 120)
        : `${verdictWord(incident)}: ${incident.headline}`.slice(0, 120);
  }, [incident, headline]);
}

/** On paper everything is open, but for the sources of libraries, which would fill pages. */
function useOpenOnPaper(): void {
  useEffect(() => {
    const open = (): void => {
      for (const details of document.querySelectorAll('details'))
        details.open ||= details.closest('.library') === null;
    };
    addEventListener('beforeprint', open);
    return () => removeEventListener('beforeprint', open);
  }, []);
}
