/** Stacks of the death and of the last look, with lines of source where the files were readable. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { SourceExcerpt } from '../../src/model/page.ts';
import type { Incident, MemoryPicture, StackFrame, Thread } from '../../src/model/report.ts';
import { stackTitle } from '../../src/model/incident.ts';
import { informativeFrame, isUserFrame, placeOf, userFrame } from '../../src/model/stack.ts';
import { LinkButton, Section } from './parts.tsx';
import { count, shortPlace } from './labels.ts';

type Sources = Readonly<Record<string, readonly SourceExcerpt[]>>;

export function Stacks({
  incident,
  memory,
  moment,
  sources,
}: {
  incident: Incident;
  memory: MemoryPicture;
  moment: string | null;
  sources: Sources;
}): JSX.Element | null {
  const all = memory.threads ?? [];
  // At a chosen moment only what was seen at that moment.
  const own = moment === null ? incident.stack : [];
  // The only thread, where it died: the same frames need not stand there twice.
  const threads = all.length === 1 && isSame(all[0]?.stack ?? [], own) ? [] : all;
  if (own.length + threads.length === 0) return null;
  return (
    <Section id="code" title="Where in the code" {...(moment === null ? {} : { note: moment })}>
      {own.length > 0 ? (
        <Stack title={stackTitle(incident)} frames={own} sources={sources} open />
      ) : null}
      {threads.slice(0, 200).map((thread) => (
        <Stack
          key={thread.id}
          title={threadTitle(thread)}
          frames={thread.stack}
          sources={sources}
          open={own.length === 0 && thread === threads[0]}
        />
      ))}
    </Section>
  );
}

const isSame = (a: readonly StackFrame[], b: readonly StackFrame[]): boolean =>
  a.length === b.length &&
  a.every(({ file, line, function: name }, index) => {
    const other = b[index];
    return file === other?.file && line === other.line && name === other.function;
  });

const threadTitle = ({ name, id, holdsGil, collectingGarbage }: Thread): string =>
  `Thread ${name ?? id}${holdsGil ? ', running' : ''}${collectingGarbage === true ? ', collecting garbage' : ''}`;

function Stack({
  title,
  frames,
  sources,
  open,
}: {
  title: string;
  frames: readonly StackFrame[];
  sources: Sources;
  open: boolean;
}): JSX.Element {
  const [all, setAll] = useState(false);
  const shown = all ? frames : frames.slice(0, 30);
  const telling = informativeFrame(frames);
  const hasOwn = userFrame(frames) !== undefined;
  return (
    <details class="stack" open={open}>
      <summary>
        {title} <span class="quiet">{count(frames.length, 'frame')}, innermost first</span>
      </summary>
      <ol>
        {shown.map((frame, index) => (
          <Frame
            key={index}
            frame={frame}
            sources={sources}
            // Where no frame is the user's, none is less than another.
            isQuiet={hasOwn && !isUserFrame(frame)}
            open={frame === telling}
          />
        ))}
      </ol>
      {shown.length < frames.length ? (
        <LinkButton onClick={() => setAll(true)}>
          {count(frames.length - shown.length, 'more frame')}
        </LinkButton>
      ) : null}
    </details>
  );
}

interface FrameProps {
  readonly frame: StackFrame;
  readonly sources: Sources;
  /** Dimmed, with a short path: somebody else's code. */
  readonly isQuiet: boolean;
  /** Whether its source is shown at first. */
  readonly open: boolean;
}

function Frame({ frame, sources, isQuiet, open }: FrameProps): JSX.Element {
  const { line, text } = frame;
  const excerpt = excerptOf(frame, sources);
  const head = (
    <>
      <strong>{frame.function}</strong>{' '}
      <code class="place" title={placeOf(frame)}>
        {isQuiet ? shortPlace(frame) : placeOf(frame)}
      </code>
    </>
  );
  return (
    <li class={isQuiet ? 'library' : ''}>
      {excerpt === undefined ? (
        <>
          {head}
          {text === undefined || text.trim() === '' ? null : (
            <code class="line">{text.trim()}</code>
          )}
        </>
      ) : (
        <details open={open}>
          <summary>{head}</summary>
          <Excerpt excerpt={excerpt} line={line} />
        </details>
      )}
    </li>
  );
}

const excerptOf = ({ file, line }: StackFrame, sources: Sources): SourceExcerpt | undefined =>
  file === null || line === null
    ? undefined
    : sources[file]?.find(
        ({ firstLine, lines }) => line >= firstLine && line < firstLine + lines.length,
      );

const Excerpt = ({
  excerpt: { firstLine, lines },
  line,
}: {
  excerpt: SourceExcerpt;
  line: number | null;
}): JSX.Element => (
  <pre class="source" tabIndex={0}>
    {lines.map((content, index) => {
      const number = firstLine + index;
      return (
        <span key={number} class={number === line ? 'here' : ''}>
          <i>{number}</i>
          {content}
          {'\n'}
        </span>
      );
    })}
  </pre>
);
