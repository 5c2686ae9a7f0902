/** Who held the memory and who had asked for it: variables, lines, types, the kernel's table of tasks. */
import type { Recording } from '../../model/recording.ts';
import type { Allocation, Holder, Incident, MemoryPicture } from '../../model/report.ts';
import { formatBytes, formatDuration } from '../../model/units.ts';
import { coarseParts, momentWords, unexplainedPart } from '../../model/memory-picture.ts';
import { frameName, informativeFrame, placeOf } from '../../model/stack.ts';
import { groupedDigits, percent } from '../../model/words.ts';
import { belowDirectory, exactBytes, processName } from '../names.ts';
import { hanging, type Line } from './layout.ts';
import type { Page } from './page.ts';
import { inWords } from '../../model/prose.ts';

/** Bars of a share, ten columns. */
const bar = (page: Page, share: number): string => {
  const filled = Math.max(share > 0 ? 1 : 0, Math.round(Math.min(1, share) * 10));
  return page.signs.bar.repeat(filled).padEnd(10);
};

interface Weighed {
  readonly bytes: number;
  readonly share: number;
  readonly what: Line;
}

function weights(page: Page, rows: readonly Weighed[]): void {
  for (const { bytes, share, what } of rows)
    page.add(
      ...hanging(
        [
          { text: '    ' },
          { text: bar(page, share), style: ['cyan'] },
          { text: ` ${formatBytes(bytes).padStart(9)}  ` },
        ],
        what,
        page.width,
      ),
    );
}

/** Everything that is known of the memory, from who held it to how it adds up. */
export function memoryPicture(
  page: Page,
  { memory }: Incident,
  recording: Recording | undefined,
): void {
  holders(page, memory, recording);
  for (const when of ['refusal', 'peak', 'death'] as const)
    allocations(page, memory, when, recording);
  types(page, memory);
  smells(page, memory);
  failures(page, memory, recording);
  accounted(page, memory);
  for (const note of memory.notes ?? [])
    page.item({ text: page.signs.unknown, style: ['yellow'] }, [{ text: inWords(note) }]);
}

export function holders(
  page: Page,
  memory: MemoryPicture,
  recording: Recording | undefined,
  { most = 15, age }: { readonly most?: number; readonly age?: string } = {},
): void {
  const { holders: all = [], peakRssBytes = 0, ageAtDeathMs } = memory;
  if (all.length === 0) return;
  const total = Math.max(1, peakRssBytes, ...all.map(({ retainedBytes }) => retainedBytes));
  const when =
    age ?? (ageAtDeathMs === undefined ? '' : `, ${formatDuration(ageAtDeathMs)} before the end`);
  page.title(`Which variables held the memory${when}`);
  weights(
    page,
    all.slice(0, most).map((holder) => ({
      bytes: holder.retainedBytes,
      share: holder.retainedBytes / total,
      what: [
        { text: holder.path === '' ? holder.name : holder.path },
        {
          text: ` ${[holder.scope, holder.function === null ? '' : `in ${holder.function}`, belowDirectory(placeOf(holder), recording?.cwd), holder.estimate ? 'estimated' : ''].filter(Boolean).join(', ')}`,
          style: ['dim'],
        },
      ],
    })),
  );
  explained(page, all, peakRssBytes);
}

/** Below this share of the peak the variables explain too little not to say so. */
const littleShare = 0.3;

/** Says so where what has a name is little of what the process held. */
function explained(page: Page, holders: readonly Holder[], peakRssBytes: number): void {
  const bytes = holders.reduce((sum, { retainedBytes }) => sum + retainedBytes, 0);
  if (peakRssBytes === 0 || bytes >= littleShare * peakRssBytes) return;
  const share = percent(bytes / peakRssBytes);
  page.item({ text: page.signs.unknown, style: ['yellow'] }, [
    {
      text: `These are only ${share} of the peak of ${formatBytes(peakRssBytes)}: they do not tell what held the rest.`,
    },
  ]);
}

export function allocations(
  page: Page,
  { allocations: all = [] }: MemoryPicture,
  when: Allocation['when'],
  recording: Recording | undefined,
  most = 15,
): void {
  // What is under a hundredth explains nothing, unless all is.
  const at = all
    .filter((allocation) => allocation.when === when)
    .filter(({ share }, index) => index < 3 || share >= 0.01);
  if (at.length === 0) return;
  page.title(`Which lines allocated what was live at ${momentWords[when]}`);
  weights(
    page,
    at.slice(0, most).map(({ bytes, share, plusMinus, text, ...place }) => ({
      bytes,
      share,
      what: [
        { text: `${percent(share)}${plusMinus > 0.005 ? ` ±${percent(plusMinus)}` : ''}  ` },
        {
          text:
            belowDirectory(placeOf(place), recording?.cwd) || (place.function ?? 'unknown place'),
          style: ['cyan'],
        },
        ...(place.function === null || placeOf(place) === ''
          ? []
          : [{ text: ` in ${place.function}`, style: ['dim'] as const }]),
        ...(text === undefined ? [] : [{ text: ` ${text.trim()}`, style: ['dim'] as const }]),
      ],
    })),
  );
}

export function types(page: Page, { types: all = [] }: MemoryPicture): void {
  if (all.length === 0) return;
  const most = Math.max(1, ...all.map(({ bytes }) => bytes));
  page.title('Which types it was made of');
  weights(
    page,
    all.slice(0, 10).map(({ type, count, bytes }) => ({
      bytes,
      share: bytes / most,
      what: [
        { text: type },
        {
          text: ` ${groupedDigits(count)} ${count === 1 ? 'object' : 'objects'}`,
          style: ['dim'],
        },
      ],
    })),
  );
}

function smells(page: Page, { smells: all = [] }: MemoryPicture): void {
  if (all.length === 0) return;
  page.title('What could be held more cheaply');
  for (const { says, savesBytes } of all)
    page.item({ text: page.signs.bullet }, [
      { text: inWords(says) },
      { text: ` (saves ${formatBytes(savesBytes)})`, style: ['dim'] },
    ]);
}

function failures(
  page: Page,
  { failures: all = [] }: MemoryPicture,
  recording: Recording | undefined,
): void {
  if (all.length === 0) return;
  page.title('Allocations that failed');
  for (const { bytes, errno, caller, stack } of all.slice(0, 10)) {
    const frame = informativeFrame(stack);
    page.item({ text: page.signs.bullet }, [
      { text: `${exactBytes(bytes)}: ${errno}` },
      {
        text: [
          caller === undefined ? '' : ` by ${caller}`,
          frame === undefined ? '' : ` at ${belowDirectory(frameName(frame), recording?.cwd)}`,
        ].join(''),
        style: ['dim'],
      },
    ]);
  }
}

function accounted(page: Page, { accounted: all }: MemoryPicture): void {
  if (all === undefined) return;
  page.title('How the resident memory adds up');
  weights(
    page,
    [...(all.parts ?? coarseParts(all)), unexplainedPart(all)].map(({ what, bytes }) => ({
      bytes,
      share: bytes / Math.max(1, all.rssBytes),
      what: [{ text: inWords(what) }],
    })),
  );
}

/** The kernel's table of tasks, the largest first. */
export function tasks(page: Page, { tasks: all = [], victim }: Incident, most = 15): void {
  if (all.length === 0) return;
  const size = (task: (typeof all)[number]): number => (task.rssBytes ?? 0) + (task.swapBytes ?? 0);
  const sorted = [...all].sort((a, b) => size(b) - size(a));
  const total = Math.max(
    1,
    sorted.reduce((sum, task) => sum + size(task), 0),
  );
  page.title(`The kernel's table of tasks: ${all.length}, the largest first`);
  weights(
    page,
    sorted.slice(0, most).map((task) => ({
      bytes: size(task),
      share: size(task) / total,
      what: [
        {
          text: processName(task),
          ...(task.pid === victim?.pid ? { style: ['red'] as const } : {}),
        },
        {
          text: `${task.pid === victim?.pid ? '  killed' : ''}${task.oomScoreAdj === undefined || task.oomScoreAdj === 0 ? '' : `  oom_score_adj ${task.oomScoreAdj}`}`,
          style: ['dim'],
        },
      ],
    })),
  );
  if (sorted.length > most)
    page.text([{ text: `${page.signs.ellipsis} ${sorted.length - most} more`, style: ['dim'] }], 4);
}
