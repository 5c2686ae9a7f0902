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

/** A button that copies a text and says that it did. */
export function CopyButton({
  text,
  label,
  name = label,
}: {
  text: string;
  label: string;
  /** For those who hear it; default: the label. */
  name?: string;
}): JSX.Element {
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
    <button type="button" class="copy" onClick={() => void copy()} aria-label={name}>
      {copied ? 'Copied' : label}
    </button>
  );
}

/** A command with a button that copies it. */
export const Command = ({ text }: { text: string }): JSX.Element => (
  <div class="command">
    <pre tabIndex={0} role="group" aria-label="Command">
      <code>{text}</code>
    </pre>
    <CopyButton text={text} label="Copy" name={`Copy: ${text.slice(0, 60)}`} />
  </div>
);

/** A share of something as a bar; the number stands beside it, so it is decoration. */
export const Bar = ({ share }: { share: number }): JSX.Element => (
  <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
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

/** A button that looks like a link: it shows more, or leads back. */
export const LinkButton = ({
  onClick,
  children,
}: {
  onClick: () => void;
  children: ComponentChildren;
}): JSX.Element => (
  <button type="button" class="link" onClick={onClick}>
    {children}
  </button>
);

/** A table that scrolls sideways where it is too wide. Headings with `#` in front are of numbers; cards on a phone. */
export const DataTable = ({
  label,
  headings,
  cards = false,
  children,
}: {
  label: string;
  headings: readonly string[];
  cards?: boolean;
  children: ComponentChildren;
}): JSX.Element => (
  <div class="scroll" tabIndex={0} role="group" aria-label={label}>
    <table class={cards ? 'cards' : ''}>
      <thead>
        <tr>
          {headings.map((heading) => (
            <th key={heading} scope="col" class={heading.startsWith('#') ? 'number' : ''}>
              {heading.replace('#', '')}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </div>
);

/** A search field, and how many it found. */
export const Search = ({
  what,
  within,
  text,
  found,
  onSearch,
  children,
}: {
  /** `a name or pid`. */
  what: string;
  /** `the tasks`. */
  within: string;
  text: string;
  /** `3 tasks`. */
  found: string;
  onSearch: (text: string) => void;
  children?: ComponentChildren;
}): JSX.Element => (
  <div class="toolbar">
    <input
      type="search"
      placeholder={`Search for ${what}`}
      aria-label={`Search in ${within}`}
      value={text}
      onInput={(event) => onSearch(event.currentTarget.value)}
    />
    {children}
    {text === '' ? null : (
      <span class="note" role="status">
        {found} found
      </span>
    )}
  </div>
);
