/** The verdict: badge, headline, the answers; or that nothing was found. */
import type { JSX } from 'preact';
import { verdictWord, whenText } from '../../../src/model/incident.ts';
import type { Answer } from '../../../src/model/page.ts';
import type { Incident, SourceReport } from '../../../src/model/report.ts';
import { count } from '../labels.ts';
import { toneOf, Whole } from '../parts.tsx';
import { AnswerList, Details } from './answers.tsx';
import { inWords } from '../../../src/model/prose.ts';

export function Verdict({
  incident,
  answers,
}: {
  incident: Incident;
  answers: readonly Answer[];
}): JSX.Element {
  return (
    <section class="verdict" aria-labelledby="headline">
      <p class="badge-line">
        <span class={`badge ${toneOf(incident)}`}>{verdictWord(incident)}</span>
        <span class="confidence">{incident.confidence}</span>
        <span class="quiet">{whenText(incident)}</span>
      </p>
      <h1 id="headline">
        <Whole text={inWords(incident.headline)} />
      </h1>
      <AnswerList
        answers={answers}
        below={(answer) =>
          answer.question === 'What now?' ? (
            <MoreToDo incident={incident} />
          ) : (
            <Details answer={answer} />
          )
        }
      />
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

export const Nothing = ({ sources }: { sources: readonly SourceReport[] }): JSX.Element => (
  <section class="verdict" aria-labelledby="headline">
    <h1 id="headline">No death was found in what could be read</h1>
    {sources.every(({ status }) => status === 'read') ? null : (
      <p class="note">
        Some sources could not be read: see below. That is not the same as "nothing happened".
      </p>
    )}
  </section>
);
