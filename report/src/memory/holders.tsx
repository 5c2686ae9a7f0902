/** Which variables held the memory, and what that memory was. */
import type { JSX } from 'preact';
import type { PageData } from '../../../src/model/page.ts';
import type { Holder, MemoryPicture } from '../../../src/model/report.ts';
import { isOwnHook } from '../../../src/model/stack.ts';
import { formatBytes, formatDuration } from '../../../src/model/units.ts';
import { capital } from '../../../src/model/words.ts';
import { shortPlace } from '../labels.ts';
import { Bar, Section } from '../parts.tsx';
import { AddsUp } from './adds-up.tsx';
import { Smells } from './smells.tsx';
import { Types } from './types.tsx';
import { inWords } from '../../../src/model/prose.ts';

const scopeWords: Readonly<Record<Holder['scope'], string>> = {
  local: 'local variable',
  global: 'global variable',
  attribute: 'attribute',
  closure: 'closure',
  stack: 'only on the evaluation stack',
  native: 'native code',
  unknown: 'unknown holder',
};

export function Holders({
  memory,
  moment,
  documents,
}: {
  memory: MemoryPicture;
  moment: string | null;
  /** Our pages on smells, by their ids. */
  documents: PageData['documents'];
}): JSX.Element | null {
  const { holders = [], types = [], smells = [], accounted, notes = [] } = memory;
  if (holders.length + types.length + smells.length === 0 && accounted === undefined) return null;
  const sorted = [...holders].sort((a, b) => b.retainedBytes - a.retainedBytes);
  const total = Math.max(
    1,
    memory.peakRssBytes ?? 0,
    ...sorted.map(({ retainedBytes }) => retainedBytes),
  );
  const age =
    moment ??
    (memory.ageAtDeathMs === undefined
      ? null
      : `as seen ${formatDuration(memory.ageAtDeathMs)} before the end`);
  return (
    <Section id="holders" title="Which variables held it" {...(age === null ? {} : { note: age })}>
      {sorted.length > 0 ? (
        <ul class="tree">
          {sorted.slice(0, 40).map((holder, index) => (
            <HolderItem key={index} holder={holder} total={total} open={index === 0} />
          ))}
        </ul>
      ) : null}
      {accounted === undefined ? null : <AddsUp accounted={accounted} />}
      {smells.length > 0 ? <Smells smells={smells} documents={documents} /> : null}
      {types.length > 0 ? <Types types={types} /> : null}
      {notes.map((note) => (
        <p class="note" key={note}>
          {capital(inWords(note))}
        </p>
      ))}
    </Section>
  );
}

function HolderItem({
  holder,
  total,
  open,
}: {
  holder: Holder;
  total: number;
  open: boolean;
}): JSX.Element {
  const steps = holder.path === '' ? [holder.name] : holder.path.split(' -> ');
  const [name, ...below] = steps;
  const where = [
    capital(scopeWords[holder.scope]),
    holder.function === null ? '' : `of ${holder.function}`,
    shortPlace(holder),
  ]
    .filter((part) => part !== '')
    .join(' ');
  return (
    <li>
      <details open={open}>
        <summary>
          <span class="number">
            {holder.estimate ? '~ ' : ''}
            {formatBytes(holder.retainedBytes)}
          </span>
          <Bar share={holder.retainedBytes / total} />
          <span class="what">
            <code>{name}</code>{' '}
            <span class="quiet">
              {isOwnHook(holder) ? "coroner's own, for its last words" : holder.type}
            </span>
          </span>
        </summary>
        <div class="below">
          {below.length > 0 ? (
            <ol class="path">
              {below.map((step, index) => (
                // The depth is a class and not a style: the page's policy allows no inline styles.
                <li key={index} class={`depth-${Math.min(index, 6)}`}>
                  <code>{step}</code>
                </li>
              ))}
            </ol>
          ) : null}
          <p class="quiet">
            {where}. Its own {formatBytes(holder.ownBytes)}
            {holder.estimate ? '; the whole is an estimate' : ''}.
            {holder.alsoHeldBy.length > 0
              ? ` Also held by ${timesEach(holder.alsoHeldBy).join(', ')}.`
              : ''}
          </p>
        </div>
      </details>
    </li>
  );
}

/** Each once, with how often it was there. */
function timesEach(names: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, times]) => (times === 1 ? name : `${name} (${times} times)`));
}
