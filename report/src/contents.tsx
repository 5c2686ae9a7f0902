/** The sections of the page that there are, as links. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

interface Entry {
  readonly id: string;
  readonly title: string;
}

/** `of`: what the page shows; where it changes, sections come and go. */
export function Contents({ of }: { of: string }): JSX.Element | null {
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  useEffect(() => {
    const found = [...document.querySelectorAll('main > section[id] .section-head h2')];
    setEntries(
      found.map((heading) => ({
        id: heading.closest('section')?.id ?? '',
        title: heading.textContent ?? '',
      })),
    );
  }, [of]);
  return entries.length < 3 ? null : (
    <nav class="contents" aria-label="On this page">
      <ul>
        {entries.map(({ id, title }) => (
          <li key={id}>
            <a href={`#${id}`}>{title}</a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
