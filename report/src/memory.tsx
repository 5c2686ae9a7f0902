/** Which variables held the memory, which lines had allocated it, of which types it was. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Accounted, Holder, MemoryPicture, Smell } from '../../src/model/report.ts';
import { formatBytes, formatDuration } from '../../src/model/units.ts';
import { Flame } from './flame.tsx';
import { Markdown } from './markdown.tsx';
import { Bar, Choice, Section } from './parts.tsx';
import { capital, count, isSum, percent, placeOf, shortPlace } from './labels.ts';
import { inWords } from '../../src/model/prose.ts';

export function Allocations({
  memory,
  nearest,
}: {
  memory: MemoryPicture;
  /** Which of the two moments that are kept a chosen one is nearer to. */
  nearest: 'peak' | 'death' | null;
}): JSX.Element | null {
  const all = memory.allocations ?? [];
  const moments = (['peak', 'death'] as const).filter((moment) =>
    all.some(({ when }) => when === moment),
  );
  const [asked, setAsked] = useState<'peak' | 'death'>('peak');
  useEffect(() => setAsked(nearest ?? 'peak'), [nearest]);
  const when = moments.includes(asked) ? asked : (moments[0] ?? 'peak');
  const chosen = all
    .filter((allocation) => allocation.when === when)
    .sort((a, b) => b.bytes - a.bytes);
  // The interpreter's own start alone is nobody's line.
  if (chosen.every(isSum)) return null;
  const live = when === 'peak' ? 'what was live at the peak' : 'what was live at its death';
  return (
    <Section
      id="allocations"
      title="Which lines allocated it"
      note={
        nearest === null
          ? live
          : `${live}: of the moments that are kept, the nearer to the chosen one`
      }
    >
      {moments.length > 1 ? (
        <Choice
          label="Moment"
          options={[
            ['peak', 'At the peak'],
            ['death', 'At its death'],
          ]}
          value={when}
          onChange={setAsked}
        />
      ) : null}
      <Flame allocations={chosen} />
      <ol class="weights">
        {chosen.slice(0, 12).map((allocation, index) => (
          <li key={index}>
            <span class="number">{formatBytes(allocation.bytes)}</span>
            <Bar share={allocation.share} />
            <span class="number quiet">
              {percent(allocation.share)}
              {allocation.plusMinus > 0.005 && allocation.share >= 0.01
                ? ` ±${Math.round(allocation.plusMinus * 100)} %`
                : ''}
            </span>
            <span class="what">
              <code>{shortPlace(allocation) || (allocation.function ?? 'unknown place')}</code>
              {allocation.function === null || shortPlace(allocation) === '' ? null : (
                <span class="quiet"> in {allocation.function}</span>
              )}
              {allocation.text === undefined ? null : (
                <code class="line">{allocation.text.trim()}</code>
              )}
            </span>
          </li>
        ))}
      </ol>
    </Section>
  );
}

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
}: {
  memory: MemoryPicture;
  moment: string | null;
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
      {smells.length > 0 ? <Smells smells={smells} /> : null}
      {types.length > 0 ? <Types types={types} /> : null}
      {notes.map((note) => (
        <p class="note" key={note}>
          {capital(inWords(note))}
        </p>
      ))}
    </Section>
  );
}

const typesAtFirst = 15;

function Types({ types }: { types: NonNullable<MemoryPicture['types']> }): JSX.Element {
  const [all, setAll] = useState(false);
  const shown = types.slice(0, all ? 200 : typesAtFirst);
  return (
    <details class="table-behind">
      <summary>{count(types.length, 'type')} that it was made of</summary>
      <div class="scroll" tabIndex={0} role="group" aria-label="Types">
        <table>
          <thead>
            <tr>
              <th scope="col">Type</th>
              <th scope="col" class="number">
                Objects
              </th>
              <th scope="col" class="number">
                Memory
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ type, count: objects, bytes }) => (
              <tr key={type}>
                <td>
                  <code>{type}</code>
                </td>
                <td class="number">{objects.toLocaleString('en')}</td>
                <td class="number">{formatBytes(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {all || types.length <= typesAtFirst ? null : (
        <button type="button" class="link" onClick={() => setAll(true)}>
          {count(types.length - typesAtFirst, 'more type')}
        </button>
      )}
    </details>
  );
}

/** What the start-up hook sets aside: told, since it was resident, and told whose it is. */
const isOurs = ({ file }: Holder): boolean =>
  file?.endsWith('/python-hook/sitecustomize.py') === true;

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
              {isOurs(holder) ? "coroner's own, for its last words" : holder.type}
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

function AddsUp({ accounted }: { accounted: Accounted }): JSX.Element {
  const { rssBytes, pythonBytes, nativeBytes, unexplainedBytes, parts: finer = [] } = accounted;
  const parts: readonly (readonly [tone: string, title: string, bytes: number])[] = [
    ['series-1', 'Python objects', pythonBytes],
    ['series-2', 'native code and libraries', nativeBytes],
    // Estimates can add up to more than there was.
    [
      'series-quiet',
      unexplainedBytes < 0 ? 'too much: estimates' : 'not explained',
      unexplainedBytes,
    ],
  ];
  const drawn = Math.max(1, rssBytes, pythonBytes + nativeBytes);
  let at = 0;
  return (
    <figure class="adds-up">
      <figcaption>How {formatBytes(rssBytes)} of resident memory add up</figcaption>
      <svg viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">
        {parts.map(([tone, title, bytes]) => {
          const width = (Math.max(0, bytes) / drawn) * 1000;
          at += width;
          return <rect key={title} class={tone} x={at - width} width={width} height="14" />;
        })}
      </svg>
      <p class="legend">
        {parts.map(([tone, title, bytes]) => (
          <span key={title}>
            <i class={`swatch ${tone}`} aria-hidden="true" />
            {title} <span class="quiet">{formatBytes(Math.abs(bytes))}</span>
          </span>
        ))}
      </p>
      {finer.length === 0 ? null : (
        <details class="table-behind">
          <summary>Finer</summary>
          <ul class="weights">
            {finer.map(({ what, bytes }) => (
              <li key={what}>
                <span class="number">{formatBytes(bytes)}</span>
                <Bar share={bytes / Math.max(1, rssBytes)} />
                <span class="number quiet">{percent(bytes / Math.max(1, rssBytes))}</span>
                <span class="what">{what}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </figure>
  );
}

/** Each once, with how often it was there. */
function timesEach(names: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, times]) => (times === 1 ? name : `${name} (${times} times)`));
}

let documentsOf: Readonly<Record<string, string>> = {};
/** Pages of smells, set once by the app. */
export const setDocuments = (documents: Readonly<Record<string, string>>): void => {
  documentsOf = documents;
};

function Smells({ smells }: { smells: readonly Smell[] }): JSX.Element {
  return (
    <div class="smells">
      <h3>What could be held more cheaply</h3>
      <ul>
        {smells.map(({ id, says, savesBytes }, index) => (
          <li key={index}>
            <strong>saves {formatBytes(savesBytes)}</strong> {says}
            {documentsOf[id] === undefined ? null : (
              <details>
                <summary>How</summary>
                <Markdown text={documentsOf[id]} />
              </details>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Failures({ memory }: { memory: MemoryPicture }): JSX.Element | null {
  const failures = memory.failures ?? [];
  if (failures.length === 0) return null;
  return (
    <Section id="failures" title="Allocations that failed" note={count(failures.length, 'time')}>
      <div class="scroll" tabIndex={0} role="group" aria-label="Failed allocations">
        <table class="cards">
          <thead>
            <tr>
              <th scope="col" class="number">
                Asked for
              </th>
              <th scope="col">Answer</th>
              <th scope="col">Who asked</th>
              <th scope="col">Where</th>
            </tr>
          </thead>
          <tbody>
            {failures.slice(0, 200).map(({ bytes, errno, caller, stack }, index) => (
              <tr key={index}>
                <td class="number">{formatBytes(bytes)}</td>
                <td class="code">{errno}</td>
                <td>{caller ?? ''}</td>
                <td>
                  <code>{stack[0] === undefined ? '' : placeOf(stack[0])}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}
