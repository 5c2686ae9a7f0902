/** What `coroner inspect` shows in a terminal: who holds the memory first, then the rest. Pure. */
import type {
  Accounted,
  Holder,
  Inspection,
  MemoryPicture,
  Smell,
  StackFrame,
  Thread,
  TypeTotal,
} from '../model/report.ts';
import { formatBytes } from '../model/units.ts';
import { displayWidth, hanging, inked, squeezed, type Line, type Span } from './terminal/layout.ts';
import { inWords } from '../model/prose.ts';
import { placeOf } from '../model/stack.ts';
import { groupedDigits as grouped } from '../model/words.ts';

export interface InspectionOptions {
  readonly columns: number;
  readonly color: boolean;
  readonly unicode: boolean;
  readonly hyperlinks: boolean;
  /** Everything there is, instead of the largest. */
  readonly verbose?: boolean;
}

export function renderInspection(inspection: Inspection, options: InspectionOptions): string {
  const width = Math.max(40, Math.min(options.columns, 120));
  const isVerbose = options.verbose === true;
  const { memory, threads } = inspection;
  const lines: Line[] = [
    ...title(inspection, width),
    ...threadsPart(threads, inspection.process.pid, width, isVerbose),
    ...holdersPart(memory, width, isVerbose),
    ...typesPart(memory.types ?? [], width, isVerbose),
    ...smellsPart(memory.smells ?? [], width),
    ...accountedPart(memory.accounted, width),
    ...notesPart((memory.notes ?? []).map(inWords), width),
  ];
  return inked(lines, options);
}

const bold = (text: string): Span => ({ text, style: ['bold'] });
const dim = (text: string): Span => ({ text, style: ['dim'] });
const plain = (text: string): Span => ({ text });

const sizeColumns = 9;
const size = (bytes: number): string => formatBytes(bytes).padStart(sizeColumns);

function title({ process, memory }: Inspection, width: number): readonly Line[] {
  const { accounted } = memory;
  const words = [
    process.pid === null ? '' : `(pid ${process.pid})`,
    process.python === null ? '' : `CPython ${process.python}`,
    accounted === undefined ? '' : `${formatBytes(accounted.rssBytes)} resident`,
  ].filter((word) => word !== '');
  return [
    [bold(process.name ?? process.place), plain(`  ${words.join('  ')}`)],
    ...(process.command === null ? [] : [[dim(squeezed(process.command, width))]]),
    [],
  ];
}

const shownFrames = 12;

function threadsPart(
  threads: readonly Thread[],
  pid: number | null,
  width: number,
  isVerbose: boolean,
): readonly Line[] {
  if (threads.length === 0) return [];
  const lines: Line[] = [[bold('What it is doing'), dim('  (innermost call first)')]];
  // Threads that wait at the same place are one to a reader.
  const groups = new Map<string, Thread[]>();
  for (const thread of threads) {
    const key = thread.holdsGil
      ? `${thread.id} ${thread.subinterpreter ?? 0}`
      : JSON.stringify([thread.stack, thread.subinterpreter]);
    groups.set(key, [...(groups.get(key) ?? []), thread]);
  }
  for (const [first, ...others] of groups.values()) {
    const thread = first!;
    const marks = [
      thread.subinterpreter === undefined ? '' : `sub-interpreter ${thread.subinterpreter}`,
      thread.holdsGil ? 'holds the GIL' : '',
      thread.collectingGarbage === true ? 'collecting garbage' : '',
    ].filter((mark) => mark !== '');
    // Without the threading module no thread has a name; the first one's id is the process's.
    const name =
      thread.name ?? (thread.id === pid ? `main thread ${thread.id}` : `thread ${thread.id}`);
    const ids = thread.name === null ? '' : `  ${thread.id}`;
    const same = others.length === 0 ? '' : `  and ${others.length} more at the same place`;
    lines.push([
      plain('  '),
      { text: name, style: ['cyan'] },
      dim(ids + same),
      ...(marks.length === 0
        ? []
        : [{ text: `  ${marks.join(', ')}`, style: ['yellow'] as const }]),
    ]);
    lines.push(...stackLines(thread.stack, width, isVerbose));
  }
  return [...lines, []];
}

function stackLines(
  stack: readonly StackFrame[],
  width: number,
  isVerbose: boolean,
): readonly Line[] {
  if (stack.length === 0) return [[dim('      no Python code')]];
  const hidden = stack.length - shownFrames;
  const lines = (frames: readonly StackFrame[]) => frames.map((frame) => frameLine(frame, width));
  if (isVerbose || hidden <= 2) return lines(stack);
  return [
    ...lines(stack.slice(0, shownFrames - 3)),
    [dim(`      ... ${grouped(hidden)} more calls ...`)],
    ...lines(stack.slice(-3)),
  ];
}

function frameLine(frame: StackFrame, width: number): Line {
  const room = width - 6;
  const place = placeOf(frame);
  const name = squeezed(`${frame.function}()`, Math.max(12, Math.min(room - 20, 44)));
  const left = Math.max(12, room - displayWidth(name) - 2);
  return [plain(`      ${name}  `), dim(tailOf(place, left))];
}

/** The end of a path tells more than its beginning: what does not fit is cut at a slash. */
function tailOf(place: string, width: number): string {
  if (displayWidth(place) <= width) return place;
  for (let at = place.indexOf('/', 1); at > 0; at = place.indexOf('/', at + 1)) {
    const tail = `…${place.slice(at)}`;
    if (displayWidth(tail) <= width) return tail;
  }
  return squeezed(place, width);
}

const shownHolders = 12;

function holdersPart(memory: MemoryPicture, width: number, isVerbose: boolean): readonly Line[] {
  const holders = memory.holders ?? [];
  const [largest] = holders;
  if (largest === undefined) return [];
  const lines: Line[] = [[bold('What holds the memory'), dim('  (what would be freed with each)')]];
  const shown = isVerbose
    ? holders
    : holders
        .filter(({ retainedBytes }) => retainedBytes >= largest.retainedBytes * 0.003)
        .slice(0, shownHolders);
  for (const holder of shown) lines.push(...holderLines(holder, largest.retainedBytes, width));
  const rest = holders.length - shown.length;
  if (rest > 0) lines.push([dim(`  ${' '.repeat(sizeColumns)}  ${rest} smaller ones: --verbose`)]);
  return [...lines, []];
}

const barColumns = 8;

function holderLines(holder: Holder, most: number, width: number): readonly Line[] {
  const filled = Math.max(1, Math.round((holder.retainedBytes / most) * barColumns));
  const bar = '#'.repeat(filled).padEnd(barColumns);
  const indent = 2 + sizeColumns + 2 + barColumns + 2;
  const amount = `${holder.estimate ? '~' : ''}${formatBytes(holder.retainedBytes)}`;
  const [start = '', ...steps] = holder.path.split(' -> ');
  const isShared = holder.kind === 'shared';
  const where = isShared ? 'shared' : holderPlace(holder);
  const shownName = isShared ? squeezed(start, Math.max(16, width - 34)) : holder.name;
  const head = `  ${amount.padStart(sizeColumns)}  `;
  const lines: Line[] = [];
  const name: Line = [
    isShared || holder.kind === 'variable'
      ? { text: shownName, style: ['bold'] }
      : plain(holder.name),
    ...(where === ''
      ? []
      : [dim(`  ${squeezed(where, Math.max(16, width - indent - displayWidth(shownName) - 2))}`)]),
  ];
  lines.push(...hanging([plain(head), { text: `${bar}  `, style: ['red'] }], name, width));
  const below = steps.join(' -> ');
  const blank: Line = [plain(' '.repeat(indent))];
  if (below !== '') lines.push(...hanging(blank, [plain(below)], width));
  if (holder.alsoHeldBy.length > 0)
    lines.push(
      ...hanging(
        blank,
        [dim(`${isShared ? 'with' : 'also'}: ${holder.alsoHeldBy.slice(0, 3).join('; ')}`)],
        width,
      ),
    );
  return lines;
}

function holderPlace({ scope, function: call, file, line, kind }: Holder): string {
  const place = placeOf({ file, line });
  if (call !== null) return `${kind === 'variable' ? 'of' : 'in'} ${call}() at ${place}`;
  if (scope === 'global' && file !== null) return `global of ${place}`;
  if (scope === 'attribute' && file !== null) return place;
  return '';
}

const shownTypes = 10;

function typesPart(
  types: readonly TypeTotal[],
  width: number,
  isVerbose: boolean,
): readonly Line[] {
  if (types.length === 0) return [];
  const shown = types.slice(0, isVerbose ? types.length : shownTypes);
  return [
    [bold('Objects by type')],
    ...shown.map(({ type, count, bytes }): Line => [
      plain(`  ${size(bytes)}  ${grouped(count).padStart(12)}  `),
      plain(squeezed(type, Math.max(12, width - 27))),
    ]),
    [],
  ];
}

function smellsPart(smells: readonly Smell[], width: number): readonly Line[] {
  if (smells.length === 0) return [];
  const indent = 2 + sizeColumns + 2;
  return [
    [bold('What could be saved')],
    ...smells
      .slice(0, 8)
      .flatMap(({ id, savesBytes, says }) => [
        ...hanging(
          [{ text: `  ${size(savesBytes)}  `, style: ['green'] }],
          [plain(inWords(says))],
          width,
        ),
        [dim(`${' '.repeat(indent)}${id}`)],
      ]),
    [],
  ];
}

function accountedPart(accounted: Accounted | undefined, width: number): readonly Line[] {
  if (accounted === undefined) return [];
  const { rssBytes, parts = [], untouchedBytes } = accounted;
  return [
    [bold('Where the resident memory is'), dim(`  (${formatBytes(rssBytes)} in all)`)],
    ...parts.flatMap(({ what, bytes }) =>
      hanging([plain(`  ${size(bytes)}  `)], [plain(inWords(what))], width),
    ),
    ...(untouchedBytes === undefined
      ? []
      : hanging(
          [plain(`  ${size(untouchedBytes)}  `)],
          [dim('allocated by Python, never touched or swapped out: not resident')],
          width,
        )),
    [],
  ];
}

const notesPart = (notes: readonly string[], width: number): readonly Line[] =>
  notes.flatMap((note) => hanging([dim('Note: ')], [dim(note)], width));
