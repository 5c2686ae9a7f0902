/** Small parts that several sections share. */
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Incident } from '../../src/model/report.ts';

export function Section({
  id,
  title,
  note,
  children,
}: {
  id: string;
  title: string;
  note?: ComponentChildren;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <header class="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {note === undefined ? null : <p class="note">{note}</p>}
      </header>
      {children}
    </section>
  );
}

/** A command with a button that copies it. */
export function Command({ text }: { text: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page in a sandboxed frame may not copy: the text can still be selected.
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div class="command">
      <pre tabIndex={0} role="group" aria-label="Command">
        <code>{text}</code>
      </pre>
      <button type="button" onClick={() => void copy()} aria-label={`Copy: ${text.slice(0, 60)}`}>
        {copied ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}

/** A share of something as a bar; the number stands beside it, so it is decoration. */
export const Bar = ({ share, tone = 'accent' }: { share: number; tone?: string }): JSX.Element => (
  <svg class={`bar ${tone}`} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="8" />
    <rect class="fill" width={Math.max(0, Math.min(1, share)) * 100} height="8" />
  </svg>
);

/** One of a few, as a row of buttons. */
export function Choice<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}): JSX.Element {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button type="button" key={key} aria-pressed={key === value} onClick={() => onChange(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

const quantity = /(\d[\d.,]*[ \u00a0](?:bytes?|[KMGTP]iB|ms|s|min|h|%)(?![\p{L}\d]))/u;

/** Text in which no figure is parted from its unit at the end of a line. */
export const Whole = ({ text }: { text: string }): JSX.Element => (
  <>
    {text.split(quantity).map((part, index) =>
      index % 2 === 0 ? (
        part
      ) : (
        <span class="whole" key={index}>
          {part}
        </span>
      ),
    )}
  </>
);

/** The colour of a verdict. */
export const toneOf = ({ outOfMemory }: Incident): string =>
  outOfMemory === null ? 'warn' : outOfMemory ? 'bad' : 'good';
