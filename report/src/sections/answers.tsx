/** Questions with their answers, as the head of the page shows them. */
import type { ComponentChildren, JSX } from 'preact';
import type { Answer } from '../../../src/model/page.ts';
import { Whole } from '../parts.tsx';

export const AnswerList = ({
  answers,
  below = (answer) => <Details answer={answer} />,
}: {
  answers: readonly Answer[];
  /** What stands below an answer; default: its details. */
  below?: (answer: Answer) => ComponentChildren;
}): JSX.Element => (
  <dl class="answers">
    {answers.map((one) => (
      <div key={one.question} class={one.known ? '' : 'unknown'}>
        <dt>{one.question}</dt>
        <dd>
          <Whole text={one.answer} />
          {below(one)}
        </dd>
      </div>
    ))}
  </dl>
);

export const Details = ({ answer: { details } }: { answer: Answer }): JSX.Element => (
  <>
    {details.map((detail) => (
      <span class="detail" key={detail}>
        <Whole text={detail} />
      </span>
    ))}
  </>
);
