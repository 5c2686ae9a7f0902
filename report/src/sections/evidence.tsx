/** Why it is believed, and what it was not. */
import type { JSX } from 'preact';
import { confidenceMeaning } from '../../../src/model/confidence.ts';
import { evidenceTitle } from '../../../src/model/incident.ts';
import type { Incident, Reason } from '../../../src/model/report.ts';
import { Section } from '../parts.tsx';

export function Evidence({ incident }: { incident: Incident }): JSX.Element | null {
  const { because, against, ruledOut } = incident;
  if (because.length + against.length + ruledOut.length === 0) return null;
  return (
    <Section
      id="evidence"
      title={evidenceTitle(incident)}
      note={`${incident.confidence}: ${confidenceMeaning[incident.confidence]}`}
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
