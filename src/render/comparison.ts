/** A comparison as text for a terminal. Pure. */
import { formatBytes, formatDuration } from '../model/units.ts';
import { grownBy, headlineWords, type Change, type Comparison } from './compare.ts';
import { safeCopy } from './safe-text.ts';
import {
  clipped,
  displayWidth,
  hanging,
  inked,
  type Ink,
  type Line,
  type Span,
} from './terminal/layout.ts';

export interface ComparisonOptions extends Ink {
  readonly columns: number;
}

export function renderComparison(comparison: Comparison, options: ComparisonOptions): string {
  const safe = safeCopy(comparison, !options.unicode);
  const { limit, peakRssBytes, durationMs } = safe;
  const width = Math.min(options.columns, 110) - 1;
  const figures = (change: Change, format: (value: number) => string): readonly Line[] =>
    change.before === null && change.after === null
      ? []
      : [row(change, format, width, options.unicode)];
  const lines: Line[] = [
    ...headline('before', safe.before, width),
    ...headline('after', safe.after, width),
    [],
    ...whatGrew(safe, width),
    ...figures(peakRssBytes, formatBytes),
    ...figures(durationMs, formatDuration),
    ...(limit.before === limit.after
      ? []
      : hanging(
          [{ text: '  limit  ' }],
          [{ text: `${limit.before ?? 'none known'}, then ${limit.after ?? 'none known'}` }],
          width,
        )),
    ...tables(safe, figures),
  ];
  return inked(lines, options);
}

/** What grew, table by table; for a look that follows another one. */
export function renderGrowth(comparison: Comparison, options: ComparisonOptions): string {
  const safe = safeCopy(comparison, !options.unicode);
  const width = Math.min(options.columns, 110) - 1;
  const figures = (change: Change): readonly Line[] => [
    row(change, formatBytes, width, options.unicode),
  ];
  return inked(
    [...whatGrew(safe, width), ...figures(safe.peakRssBytes), ...tables(safe, figures, 3), []],
    options,
  );
}

function tables(
  { groups, holders, lines, types }: Comparison,
  figures: (change: Change, format: (value: number) => string) => readonly Line[],
  most = 8,
): readonly Line[] {
  return (
    [
      ['What many of one kind hold', groups],
      ['Which variables held it', holders],
      ['Which lines allocated what was live at the peak', lines],
      ['Which types it was made of', types],
    ] as const
  )
    .filter(([, changed]) => changed.length > 0)
    .flatMap(([title, changed]): readonly Line[] => [
      [],
      [{ text: `  ${title}`, style: ['bold'] }],
      ...changed.slice(0, most).flatMap((change) => figures(change, formatBytes)),
    ]);
}

const subject: Readonly<Record<NonNullable<Comparison['culprit']>['of'], string>> = {
  group: 'objects',
  holder: 'variable',
  line: 'line',
  type: 'type',
};

function whatGrew({ culprit }: Comparison, width: number): readonly Line[] {
  if (culprit === null) return [];
  const name = culprit.now ?? culprit.what;
  const from = culprit.before === null ? 'was not seen before' : formatBytes(culprit.before);
  return [
    ...hanging(
      [{ text: '  What grew most: ', style: ['bold'] }],
      [
        { text: `the ${subject[culprit.of]} ` },
        { text: name, style: ['bold', 'red'] },
        {
          text: `, by ${formatBytes(grownBy(culprit))} (${from}${culprit.before === null ? '' : `, then ${formatBytes(culprit.after ?? 0)}`})`,
        },
      ],
      width,
    ),
    [],
  ];
}

const headline = (label: string, run: Comparison['before'], width: number): readonly Line[] =>
  hanging(
    [{ text: `  ${label.padEnd(7)}`, style: ['dim'] }],
    [
      { text: headlineWords(run), style: ['bold'] },
      { text: ` ${run.name}`, style: ['dim'] },
    ],
    width,
  );
function row(
  { what, before, after, now }: Change,
  format: (value: number) => string,
  width: number,
  unicode: boolean,
): Line {
  const figure = (value: number | null): string =>
    (value === null ? 'not seen' : format(value)).padStart(11);
  const figures = `${figure(before)} ${unicode ? '→' : '->'} ${figure(after)}`;
  const room = Math.max(12, width - 2 - figures.length - 12);
  const name = clipped(
    now === undefined ? what : `${what} ${unicode ? '→' : '->'} ${/:(\d+)/.exec(now)?.[1] ?? now}`,
    room,
    unicode ? '…' : '...',
  );
  return [
    { text: `  ${name}${' '.repeat(Math.max(0, room - displayWidth(name)))}` },
    { text: figures },
    changeText(before, after),
  ];
}

function changeText(before: number | null, after: number | null): Span {
  if (before === null || after === null || before === 0) return { text: '' };
  const ratio = after / before;
  if (Math.abs(ratio - 1) < 0.005) return { text: '       same', style: ['dim'] };
  const text =
    ratio >= 10
      ? `${Math.round(ratio)} times`
      : `${ratio > 1 ? '+' : '-'}${Math.round(Math.abs(ratio - 1) * 100)} %`;
  return { text: text.padStart(11), style: [ratio > 1 ? 'red' : 'green'] };
}
