/** A report as text for a terminal. Pure: what the terminal can do is an argument. */
import type { Recording } from '../model/recording.ts';
import type { Incident, Reason, Remedy, Report, SourceReport, Unknown } from '../model/report.ts';
import { formatBytes, formatDuration } from '../model/units.ts';
import { safeCopy, shortened } from './safe-text.ts';
import { drawChart, tellingCurve } from './terminal/chart.ts';
import {
  clipped,
  hanging,
  inked,
  squeezed,
  type Line,
  type Span,
  type Style,
} from './terminal/layout.ts';
import {
  belowDirectory,
  exactBytes,
  fiveAnswers,
  frameName,
  percent,
  placeOf,
  processName,
  verdictWord,
} from './words.ts';

export interface TerminalOptions {
  /** Columns of the terminal; lines never get longer. */
  readonly columns: number;
  readonly color: boolean;
  /** false: ASCII only, for locales that are not UTF-8. */
  readonly unicode: boolean;
  readonly hyperlinks: boolean;
  /** Everything there is, instead of the short story. */
  readonly verbose: boolean;
  /** The headlines only. */
  readonly quiet: boolean;
  readonly recording?: Recording | undefined;
  /** What shows everything there is; default: `--verbose`. */
  readonly more?: string | undefined;
}

export function renderTerminal(report: Report, options: TerminalOptions): string {
  const page = new Page(options);
  const { incidents, sources } = safeCopy(
    report,
    !options.unicode,
    options.verbose ? Infinity : 400,
  );
  const recording =
    options.recording === undefined ? undefined : safeCopy(options.recording, !options.unicode);
  if (incidents.length === 0) nothingFound(page, sources);
  else if (options.quiet) for (const incident of incidents) headlineOnly(page, incident);
  else if (incidents.length === 1 || options.verbose)
    for (const incident of incidents) tell(page, incident, recording, sources);
  else tellMany(page, incidents, recording, sources);
  return inked(page.lines, options);
}

/** Collects lines; knows the width and the signs. */
class Page {
  readonly lines: Line[] = [];
  readonly options: TerminalOptions;
  readonly width: number;
  readonly signs: Readonly<
    Record<
      | 'yes'
      | 'no'
      | 'unknown'
      | 'proves'
      | 'against'
      | 'rules'
      | 'bullet'
      | 'ellipsis'
      | 'bar'
      | 'axis'
      | 'foot'
      | 'rule'
      | 'more'
      | 'limit',
      string
    >
  >;

  constructor(options: TerminalOptions) {
    this.options = options;
    // Beyond 110 columns sentences get hard to read; the margin is one column on the right.
    this.width = Math.min(Math.max(options.columns, 40), 110) - 1;
    this.signs = options.unicode
      ? {
          yes: '✖',
          no: '✔',
          unknown: '?',
          proves: '✔',
          against: '!',
          rules: '✘',
          bullet: '•',
          ellipsis: '…',
          bar: '█',
          axis: '┤',
          foot: '┴',
          rule: '─',
          more: '▸',
          limit: '┄',
        }
      : {
          yes: 'X',
          no: 'OK',
          unknown: '?',
          proves: '+',
          against: '!',
          rules: 'x',
          bullet: '*',
          ellipsis: '...',
          bar: '#',
          axis: '|',
          foot: '+',
          rule: '-',
          more: '>',
          limit: '-',
        };
  }
  add(...lines: readonly Line[]): void {
    this.lines.push(...lines);
  }
  gap(): void {
    if (this.lines.length > 0 && this.lines.at(-1)?.length !== 0) this.lines.push([]);
  }
  text(spans: Line, indent = 2): void {
    this.add(...hanging([{ text: ' '.repeat(indent) }], spans, this.width));
  }
  title(text: string): void {
    this.gap();
    this.text([{ text, style: ['bold'] }]);
  }
  item(sign: Span, spans: Line, indent = 2): void {
    this.add(...hanging([{ text: ' '.repeat(indent) }, sign, { text: ' ' }], spans, this.width));
  }
  /** A command to copy: never wrapped, since a broken command cannot be pasted. */
  command(text: string, indent: number): void {
    for (const line of text.split('\n'))
      this.add([
        { text: ' '.repeat(indent) },
        { text: '$ ', style: ['dim'] },
        { text: line, style: ['cyan'] },
      ]);
  }
}

const tone = ({ outOfMemory }: Incident): Style =>
  outOfMemory === null ? 'yellow' : outOfMemory ? 'red' : 'green';

const mark = (page: Page, { outOfMemory }: Incident): string =>
  outOfMemory === null ? page.signs.unknown : outOfMemory ? page.signs.yes : page.signs.no;

function headlineOnly(page: Page, incident: Incident): void {
  page.add(
    ...hanging(
      [{ text: mark(page, incident), style: [tone(incident)] }, { text: ' ' }],
      [
        { text: `${incident.headline} ` },
        { text: `[${incident.cause}, ${incident.confidence}]`, style: ['dim'] },
      ],
      page.width,
    ),
  );
}

function whenText({ at, atUptimeSeconds }: Incident): string {
  if (at !== null) return at.replace('T', ' ').replace(/(?:\.\d+)?Z$/, ' UTC');
  return atUptimeSeconds === undefined ? '' : `${atUptimeSeconds.toFixed(1)} s after boot`;
}

function banner(page: Page, incident: Incident): void {
  page.gap();
  const left = `${mark(page, incident)} ${verdictWord(incident)}`;
  const when = whenText(incident);
  const confidence = `  ${incident.confidence}`;
  const space = page.width - 2 - left.length - confidence.length - when.length;
  page.add([
    { text: '  ' },
    { text: left, style: ['bold', tone(incident)] },
    { text: confidence, style: [tone(incident)] },
    ...(when === '' || space < 2
      ? []
      : [{ text: ' '.repeat(space) }, { text: when, style: ['dim'] as const }]),
  ]);
  page.text([{ text: incident.headline, style: ['bold'] }]);
  page.gap();
}

function tell(
  page: Page,
  incident: Incident,
  recording: Recording | undefined,
  sources: readonly SourceReport[],
): void {
  banner(page, incident);
  answers(page, incident, recording);
  if (recording !== undefined) timeline(page, incident, recording);
  if (page.options.verbose) {
    evidence(page, incident.because, incident.against, Infinity);
    ruledOut(page, incident);
    unknowns(page, incident.unknown);
    remedies(page, incident.remedies);
    stack(page, incident, recording);
    holders(page, incident, recording);
    tasks(page, incident);
    related(page, incident);
    sourcesRead(page, sources);
    page.gap();
    page.text([
      { text: `coroner explain ${incident.cause}`, style: ['cyan'] },
      { text: '  tells more about this cause', style: ['dim'] },
    ]);
  } else {
    // Without a recording the kernel's table is the only picture of who held what.
    if (recording === undefined && (incident.tasks?.length ?? 0) > 1) tasks(page, incident, 3);
    evidence(page, incident.because, incident.against, 2);
    if (incident.outOfMemory !== true) ruledOut(page, incident, 2);
    if (incident.outOfMemory === null) unknowns(page, incident.unknown, 3, 'What now? Find out');
    else unknowns(page, incident.unknown, 1);
    remedies(page, incident.remedies, 2, true);
    page.gap();
    footer(page, incident);
  }
}

function footer(page: Page, { cause }: Incident): void {
  page.text([
    { text: 'More: ', style: ['dim'] },
    { text: page.options.more ?? '--verbose', style: ['cyan'] },
    { text: ', ', style: ['dim'] },
    { text: `coroner explain ${cause}`, style: ['cyan'] },
  ]);
}

const labelWidth = 20;

function answers(page: Page, incident: Incident, recording: Recording | undefined): void {
  for (const { question, answer, details, known } of fiveAnswers(incident)) {
    // Has its own section below.
    if (question === 'What now?' && incident.remedies.length + incident.unknown.length > 0)
      continue;
    page.add(
      ...hanging(
        [{ text: '  ' }, { text: question.padEnd(labelWidth), style: ['dim'] }],
        [{ text: relative(answer, recording), ...(known ? {} : { style: ['yellow'] as const }) }],
        page.width,
      ),
    );
    const shown = page.options.verbose ? details : details.slice(0, 2);
    for (const detail of shown)
      page.add(
        ...hanging(
          [{ text: ' '.repeat(2 + labelWidth) }],
          [{ text: relative(detail, recording), style: ['dim'] }],
          page.width,
        ),
      );
  }
}

const relative = (text: string, recording: Recording | undefined): string =>
  belowDirectory(text, recording?.cwd);

const absolute = (file: string, recording: Recording | undefined): string | undefined =>
  file.startsWith('/')
    ? file
    : recording === undefined || file.startsWith('<')
      ? undefined
      : `${recording.cwd.replace(/\/$/, '')}/${file}`;

function timeline(page: Page, incident: Incident, recording: Recording): void {
  const curve = tellingCurve(incident, recording);
  if (curve === undefined) return;
  const died = incident.death !== 'slow' && incident.outOfMemory !== false;
  const margin = 13;
  const columns = Math.min(page.width - margin, 72);
  const chart = drawChart(
    curve,
    { columns, rows: page.options.verbose ? 6 : 3 },
    { unicode: page.options.unicode, endMark: died },
  );
  const peak = Math.max(...curve.points.map(({ bytes }) => bytes));
  const limit =
    curve.limitBytes === null
      ? `peak ${formatBytes(peak)}`
      : `peak ${formatBytes(peak)}, limit ${formatBytes(curve.limitBytes)}`;
  page.gap();
  page.text([{ text: curve.title }, { text: ` (${limit})`, style: ['dim'] }]);
  const { length } = chart.rows;
  chart.rows.forEach(({ cells }, row) => {
    const label = row === 0 ? formatBytes(chart.topBytes) : row === length - 1 ? '0' : '';
    page.add([
      { text: `  ${label.padStart(9)} ${page.signs.axis}`, style: ['dim'] },
      ...cells.map(({ sign, kind }): Span => ({
        text: sign,
        style:
          kind === 'end'
            ? ['bold', 'red']
            : kind === 'limit'
              ? ['dim']
              : kind === 'memory'
                ? ['cyan']
                : [],
      })),
    ]);
  });
  const end = formatDuration(curve.endMs);
  page.add([
    {
      text: `${' '.repeat(margin)}0 s${' '.repeat(Math.max(1, columns - 3 - end.length))}${end}`,
      style: ['dim'],
    },
  ]);
}

function evidence(
  page: Page,
  because: readonly Reason[],
  against: readonly Reason[],
  most: number,
): void {
  if (because.length + against.length === 0) return;
  page.title('How we know');
  for (const reason of because.slice(0, most))
    reasonItem(page, { text: page.signs.proves, style: ['green'] }, reason);
  for (const reason of against.slice(0, most))
    reasonItem(
      page,
      { text: page.signs.against, style: ['yellow'] },
      { ...reason, says: `against it: ${reason.says}` },
    );
}

function reasonItem(page: Page, sign: Span, { says, place, quote }: Reason): void {
  page.item(sign, [{ text: says }]);
  const room = page.width - 4;
  if (quote !== undefined && quote !== '') {
    const lines = quote.split('\n').filter((line) => line.trim() !== '');
    if (page.options.verbose) {
      for (const line of lines.slice(0, 40))
        page.add(
          ...hanging(
            [{ text: '    ' }],
            [{ text: shortened(line, 2000), style: ['dim'] }],
            page.width,
          ),
        );
      if (lines.length > 40)
        page.text(
          [{ text: `${page.signs.ellipsis} ${lines.length - 40} more lines`, style: ['dim'] }],
          4,
        );
    } else {
      page.add([
        { text: '    ' },
        { text: clipped(tellingLine(lines), room, page.signs.ellipsis), style: ['dim'] },
      ]);
    }
  }
  if (page.options.verbose && place !== '')
    page.add([
      { text: '    ' },
      { text: squeezed(place, room, page.signs.ellipsis), style: ['cyan', 'dim'] },
    ]);
}

/** What stands before a kernel message: the head of a /dev/kmsg record, syslog's date and host, the time since boot, the caller. */
const logPrefix =
  /^(?:\d+,\d+,\d+,[^;]*;|(?:[^[\]]{0,80}\bkernel: ?)?(?:\[ *\d+\.\d+\] ?)?(?:\[ *[TC]\d+\] ?)?)/;

/** Of a traceback the last line, which names the exception; else the first. */
const tellingLine = (lines: readonly string[]): string =>
  ((lines[0]?.startsWith('Traceback') === true ? lines.at(-1) : lines[0]) ?? '')
    .trim()
    .replace(logPrefix, '');

function ruledOut(page: Page, { ruledOut: all }: Incident, most = Infinity): void {
  if (all.length === 0) return;
  page.title('What it was not');
  for (const { cause, variant, because } of all.slice(0, most))
    page.item({ text: page.signs.rules, style: ['dim'] }, [
      { text: variant === undefined ? cause : `${cause} (${variant})` },
      { text: `: ${because}`, style: ['dim'] },
    ]);
}

function unknowns(
  page: Page,
  all: readonly Unknown[],
  most = Infinity,
  title = 'What could not be told',
): void {
  if (all.length === 0) return;
  page.title(title);
  for (const { what, why, command } of all.slice(0, most)) {
    page.item({ text: page.signs.unknown, style: ['yellow'] }, [
      { text: what },
      { text: `: ${why}`, style: ['dim'] },
    ]);
    if (command !== null) page.command(command, 4);
  }
}

function remedies(page: Page, all: readonly Remedy[], most = Infinity, brief = false): void {
  if (all.length === 0) return;
  page.title('What now?');
  all.slice(0, most).forEach(({ title, detail, command }, index) => {
    page.item({ text: `${index + 1}.`, style: ['dim'] }, [
      { text: /[.:!?]$/.test(title) || detail === '' ? title : `${title}.` },
      ...(detail === ''
        ? []
        : [{ text: ` ${brief ? firstSentence(detail) : detail}`, style: ['dim'] as const }]),
    ]);
    if (command !== null) page.command(command, 5);
  });
}

const firstSentence = (text: string): string =>
  /^.{20,}?[.;](?=\s|$)/s.exec(text)?.[0].replace(/[.;]$/, '') ?? text;

function stack(page: Page, incident: Incident, recording: Recording | undefined): void {
  if (incident.stack.length > 0) {
    page.title('Where it died or failed, innermost first');
    frames(page, incident.stack, recording, 40);
  }
  const told = JSON.stringify(incident.stack);
  for (const thread of incident.memory.threads ?? []) {
    // The stack of the death is mostly that of one of the threads, seen once more.
    if (JSON.stringify(thread.stack) === told) continue;
    page.title(
      `Thread ${thread.name ?? thread.id}${thread.holdsGil ? ' (running Python)' : ''}${thread.collectingGarbage === true ? ' (collecting garbage)' : ''}`,
    );
    frames(page, thread.stack, recording, 12);
  }
}

function frames(
  page: Page,
  all: Incident['stack'],
  recording: Recording | undefined,
  most: number,
): void {
  for (const frame of all.slice(0, most)) {
    const link = frame.file === null ? undefined : absolute(frame.file, recording);
    const place = placeOf(frame);
    page.add(
      ...hanging(
        [{ text: '    ' }],
        [
          { text: frame.function },
          ...(place === ''
            ? []
            : [
                { text: ' ' },
                {
                  text: relative(place, recording),
                  style: ['cyan'] as const,
                  ...(link === undefined ? {} : { link: `file://${link}` }),
                },
              ]),
        ],
        page.width,
      ),
    );
    if (frame.text !== undefined && frame.text.trim() !== '')
      page.add([
        { text: '      ' },
        { text: squeezed(frame.text.trim(), page.width - 6, page.signs.ellipsis), style: ['dim'] },
      ]);
  }
  if (all.length > most)
    page.text(
      [{ text: `${page.signs.ellipsis} ${all.length - most} more frames`, style: ['dim'] }],
      4,
    );
}

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

function holders(page: Page, { memory }: Incident, recording: Recording | undefined): void {
  const {
    holders: all = [],
    allocations = [],
    types = [],
    smells = [],
    failures = [],
    accounted,
    notes = [],
  } = memory;
  const total = Math.max(
    1,
    memory.peakRssBytes ?? 0,
    ...all.map(({ retainedBytes }) => retainedBytes),
  );
  if (all.length > 0) {
    const age =
      memory.ageAtDeathMs === undefined
        ? ''
        : `, ${formatDuration(memory.ageAtDeathMs)} before the end`;
    page.title(`Which variables held the memory${age}`);
    weights(
      page,
      all.slice(0, 15).map((holder) => ({
        bytes: holder.retainedBytes,
        share: holder.retainedBytes / total,
        what: [
          { text: holder.path === '' ? holder.name : holder.path },
          {
            text: ` ${[holder.scope, holder.function === null ? '' : `in ${holder.function}`, relative(placeOf(holder), recording), holder.estimate ? 'estimated' : ''].filter(Boolean).join(', ')}`,
            style: ['dim'],
          },
        ],
      })),
    );
  }
  for (const when of ['peak', 'death'] as const) {
    // What is under a hundredth explains nothing, unless all is.
    const at = allocations
      .filter((allocation) => allocation.when === when)
      .filter(({ share }, index) => index < 3 || share >= 0.01);
    if (at.length === 0) continue;
    page.title(
      when === 'peak'
        ? 'Which lines had allocated it, at the peak'
        : 'Which lines had allocated it, at its death',
    );
    weights(
      page,
      at.slice(0, 15).map(({ bytes, share, plusMinus, text, ...place }) => ({
        bytes,
        share,
        what: [
          { text: `${percent(share)}${plusMinus > 0.005 ? ` ±${percent(plusMinus)}` : ''}  ` },
          {
            text: relative(placeOf(place), recording) || (place.function ?? 'unknown place'),
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
  if (types.length > 0) {
    const most = Math.max(1, ...types.map(({ bytes }) => bytes));
    page.title('Which types it was');
    weights(
      page,
      types.slice(0, 10).map(({ type, count, bytes }) => ({
        bytes,
        share: bytes / most,
        what: [{ text: type }, { text: ` ${count} objects`, style: ['dim'] }],
      })),
    );
  }
  if (smells.length > 0) {
    page.title('What could be held more cheaply');
    for (const { says, savesBytes } of smells)
      page.item({ text: page.signs.bullet }, [
        { text: says },
        { text: ` (saves ${formatBytes(savesBytes)})`, style: ['dim'] },
      ]);
  }
  if (failures.length > 0) {
    page.title('Allocations that failed');
    for (const { bytes, errno, caller, stack: where } of failures.slice(0, 10)) {
      const [frame] = where;
      page.item({ text: page.signs.bullet }, [
        { text: `${exactBytes(bytes)}: ${errno}` },
        {
          text: [
            caller === undefined ? '' : ` by ${caller}`,
            frame === undefined ? '' : ` at ${relative(frameName(frame), recording)}`,
          ].join(''),
          style: ['dim'],
        },
      ]);
    }
  }
  if (accounted !== undefined) {
    page.title('How the resident memory adds up');
    const { rssBytes, pythonBytes, nativeBytes, unexplainedBytes, parts } = accounted;
    const coarse = [
      { what: 'Python objects', bytes: pythonBytes },
      { what: 'native code and libraries', bytes: nativeBytes },
    ];
    weights(
      page,
      [...(parts ?? coarse), { what: 'not explained', bytes: unexplainedBytes }].map(
        ({ what, bytes }) => ({
          bytes,
          share: bytes / Math.max(1, rssBytes),
          what: [{ text: what }],
        }),
      ),
    );
  }
  for (const note of notes)
    page.item({ text: page.signs.unknown, style: ['yellow'] }, [{ text: note }]);
}

function tasks(page: Page, { tasks: all = [], victim }: Incident, most = 15): void {
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

function related(page: Page, { related: all = [] }: Incident): void {
  if (all.length === 0) return;
  page.title('Other processes of this death');
  for (const { pid, name, how } of all)
    page.item({ text: page.signs.bullet }, [
      { text: processName({ pid, ...(name === undefined ? {} : { name }) }) },
      { text: `: ${how}`, style: ['dim'] },
    ]);
}

function sourcesRead(page: Page, sources: readonly SourceReport[]): void {
  if (sources.length === 0) return;
  page.title('What was read');
  for (const { id, place, status, detail, command } of sources) {
    page.item(
      {
        text: status === 'read' ? page.signs.proves : page.signs.unknown,
        style: [status === 'read' ? 'green' : 'yellow'],
      },
      [
        { text: id },
        {
          text: ` ${place}${status === 'read' ? '' : `: ${statusWords[status]}`}${detail === undefined ? '' : ` (${detail})`}`,
          style: ['dim'],
        },
      ],
    );
    if (command !== undefined) page.command(command, 4);
  }
}

const statusWords: Readonly<Record<SourceReport['status'], string>> = {
  read: 'read',
  absent: 'not there',
  denied: 'may not be read',
  malformed: 'not understood',
  truncated: 'cut short',
};

function nothingFound(page: Page, sources: readonly SourceReport[]): void {
  const missing = sources.filter(({ status }) => status !== 'read');
  page.text([{ text: 'No death was found in what could be read.', style: ['bold'] }], 0);
  if (page.options.quiet) return;
  if (page.options.verbose) sourcesRead(page, sources);
  else if (missing.length > 0) {
    page.title('What could not be read');
    for (const { id, place, status, detail, command } of missing.slice(0, 6)) {
      page.item({ text: page.signs.unknown, style: ['yellow'] }, [
        { text: `${id} ` },
        { text: `${place}: ${detail ?? statusWords[status]}`, style: ['dim'] },
      ]);
      if (command !== undefined) page.command(command, 4);
    }
  }
}

const shortWhen = (incident: Incident): string =>
  whenText(incident)
    .replace(/ UTC$/, '')
    .replace(/ s after boot$/, ' s');

/** Incidents one after the other that differ in their pid alone: a storm of kills is one line. */
function alike(incidents: readonly Incident[]): readonly (readonly [Incident, ...Incident[]])[] {
  const key = ({ outOfMemory, cause, confidence, headline }: Incident): string =>
    JSON.stringify([outOfMemory, cause, confidence, headline.replaceAll(/\d+/g, '0')]);
  const groups: [Incident, ...Incident[]][] = [];
  for (const incident of incidents) {
    const last = groups.at(-1);
    if (last !== undefined && key(last[0]) === key(incident)) last.push(incident);
    else groups.push([incident]);
  }
  return groups;
}

/** More than one death: a list of all, and the story of the one that matters most. */
function tellMany(
  page: Page,
  incidents: readonly Incident[],
  recording: Recording | undefined,
  sources: readonly SourceReport[],
): void {
  const memoryDeaths = incidents.filter(({ outOfMemory }) => outOfMemory === true).length;
  page.text(
    [
      {
        text: `${incidents.length} incidents, ${memoryDeaths === 0 ? 'none' : memoryDeaths} of them out of memory`,
        style: ['bold'],
      },
    ],
    0,
  );
  const groups = alike(incidents);
  const shown = groups.slice(-12);
  if (shown.length < groups.length)
    page.text(
      [
        {
          text: `${page.signs.ellipsis} ${groups.length - shown.length} earlier ones: --verbose`,
          style: ['dim'],
        },
      ],
      2,
    );
  for (const [first, ...others] of shown) {
    const incident = others.at(-1) ?? first;
    const when = shortWhen(incident);
    page.item({ text: mark(page, incident), style: [tone(incident)] }, [
      ...(when === '' ? [] : [{ text: `${when} `, style: ['dim'] as const }]),
      { text: incident.headline },
      ...(incident.confidence === 'certain'
        ? []
        : [{ text: ` (${incident.confidence})`, style: ['dim'] as const }]),
      ...(others.length === 0
        ? []
        : [
            {
              text: `, and ${others.length} like it before${shortWhen(first) === '' ? '' : `, since ${shortWhen(first)}`}`,
              style: ['dim'] as const,
            },
          ]),
    ]);
  }
  const told = incidents.findLast(({ outOfMemory }) => outOfMemory === true) ?? incidents.at(-1);
  if (told === undefined) return;
  page.gap();
  page.add([{ text: page.signs.rule.repeat(page.width), style: ['dim'] }]);
  tell(page, told, recording, sources);
}
