/** A report as text for a terminal. Pure: what the terminal can do is an argument. */
import { defined } from '../model/defined.ts';
import { contained } from '../model/faults.ts';
import type { Recording } from '../model/recording.ts';
import type { Incident, Report, SourceReport, Unknown } from '../model/report.ts';
import { safeCopy } from './safe-text.ts';
import { hanging, inked, type Line, type Style } from './terminal/layout.ts';
import { memoryPicture, tasks } from './terminal/memory.ts';
import { Page, type TerminalOptions } from './terminal/page.ts';
import { evidence, remedies, ruledOut, unknowns } from './terminal/reasons.ts';
import { nothingFound, sourcesRead } from './terminal/sources.ts';
import { runScreen } from './terminal/run.ts';
import { stack } from './terminal/stack.ts';
import { timeline } from './terminal/timeline.ts';
import { mainIncident, verdictWord, whenText } from '../model/incident.ts';
import { capital } from '../model/words.ts';
import { inWords } from '../model/prose.ts';
import { fiveAnswers } from './answers.ts';
import { toldAsRun } from './run-answers.ts';
import { belowDirectory, processName } from './names.ts';

export type { TerminalOptions } from './terminal/page.ts';

export function renderTerminal(report: Report, options: TerminalOptions): string {
  const page = new Page(options);
  const safe = safeCopy(report, !options.unicode, options.verbose ? Infinity : 400);
  const { incidents, sources } = safe;
  const recording =
    options.recording === undefined ? undefined : safeCopy(options.recording, !options.unicode);
  const run = toldAsRun(safe);
  if (run !== null) runScreen(page, run, safe, recording);
  else if (incidents.length === 0) nothingFound(page, sources);
  else if (options.quiet) for (const incident of incidents) headlineOnly(page, incident);
  else if (incidents.length === 1 || options.verbose)
    for (const incident of incidents) oneIncident(page, incident, recording, sources);
  else manyIncidents(page, incidents, recording, sources);
  return inked(page.lines, options);
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

function banner(page: Page, incident: Incident): void {
  page.gap();
  const left = `${mark(page, incident)} ${verdictWord(incident).toUpperCase()}`;
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
  page.text([{ text: inWords(incident.headline), style: ['bold'] }]);
  page.gap();
}

/** What cannot be shown of one incident leaves the others their pages. */
function oneIncident(
  page: Page,
  incident: Incident,
  recording: Recording | undefined,
  sources: readonly SourceReport[],
): void {
  contained(
    `showing "${incident.headline}"`,
    () => wholeIncident(page, incident, recording, sources),
    ({ says }) => {
      headlineOnly(page, incident);
      page.text([{ text: `not all of it can be shown, a fault of coroner itself: ${says}` }]);
    },
  );
}

/** Of many incidents which one is told; and whether the same death came before. */
function whichOne(page: Page, incident: Incident): void {
  const { again } = page.options;
  if (again === undefined || incident.outOfMemory === false) return;
  page.text([{ text: `${capital(again)}: coroner list shows the others.`, style: ['dim'] }]);
  page.gap();
}

function wholeIncident(
  page: Page,
  incident: Incident,
  recording: Recording | undefined,
  sources: readonly SourceReport[],
): void {
  banner(page, incident);
  whichOne(page, incident);
  answers(page, incident, recording);
  if (recording !== undefined) timeline(page, incident, recording);
  if (page.options.verbose) {
    evidence(page, incident, Infinity);
    ruledOut(page, incident);
    unknowns(page, incident.unknown);
    remedies(page, incident.remedies);
    stack(page, incident, recording);
    memoryPicture(page, incident, recording);
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
    evidence(page, incident, 2);
    if (incident.outOfMemory !== true) ruledOut(page, incident, 2);
    unknowns(page, briefly(incident));
    remedies(page, incident.remedies, 2, true);
    page.gap();
    footer(page, incident);
  }
}

/** The gaps that the brief screen has room for: the first, and the one that the next run would close if it were asked to. */
function briefly({ unknown, outOfMemory }: Incident): readonly Unknown[] {
  if (outOfMemory === null) return unknown.slice(0, 3);
  return unknown.filter(
    ({ command }, index) => index === 0 || command?.startsWith('coroner run ') === true,
  );
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
        [
          {
            text: belowDirectory(answer, recording?.cwd),
            ...(known ? {} : { style: ['yellow'] as const }),
          },
        ],
        page.width,
      ),
    );
    const shown = page.options.verbose ? details : details.slice(0, 2);
    for (const detail of shown)
      page.add(
        ...hanging(
          [{ text: ' '.repeat(2 + labelWidth) }],
          [{ text: belowDirectory(detail, recording?.cwd), style: ['dim'] }],
          page.width,
        ),
      );
  }
}

function related(page: Page, { related: all = [] }: Incident): void {
  if (all.length === 0) return;
  page.title('Other processes involved');
  for (const { pid, name, how } of all)
    page.item({ text: page.signs.bullet }, [
      { text: processName({ pid, ...defined({ name }) }) },
      { text: `: ${how}`, style: ['dim'] },
    ]);
}

const shortWhen = (incident: Incident): string =>
  whenText(incident)
    .replace(/ UTC$/, '')
    .replace(/ s after boot$/, ' s');

/** `worker-7` and `worker-8` do the same work. */
const numberless = (name: string | undefined): string | undefined => name?.replaceAll(/\d+/g, '0');

/** Incidents one after the other that differ in their pid alone: a storm of kills is one line. */
function alike(incidents: readonly Incident[]): readonly (readonly [Incident, ...Incident[]])[] {
  const key = ({
    outOfMemory,
    death,
    cause,
    variant,
    confidence,
    exception,
    victim,
    killer,
    limit,
  }: Incident): string =>
    JSON.stringify([
      [outOfMemory, death, cause, variant, confidence, exception],
      numberless(victim?.name),
      [killer?.name, limit?.owner, numberless(limit?.path)],
    ]);
  const groups: [Incident, ...Incident[]][] = [];
  for (const incident of incidents) {
    const last = groups.at(-1);
    if (last !== undefined && key(last[0]) === key(incident)) last.push(incident);
    else groups.push([incident]);
  }
  return groups;
}

/** Groups of a storm that are listed. */
const mostGroups = 12;

/** More than one death: a list of all, and the story of the one that matters most. */
function manyIncidents(
  page: Page,
  incidents: readonly Incident[],
  recording: Recording | undefined,
  sources: readonly SourceReport[],
): void {
  const memoryDeaths = incidents.filter(({ outOfMemory }) => outOfMemory === true).length;
  const sum = `${incidents.length} incidents, ${memoryDeaths === 0 ? 'none' : memoryDeaths} of them out of memory`;
  page.text([{ text: sum, style: ['bold'] }], 0);
  const groups = alike(incidents);
  if (groups.length > mostGroups) {
    const earlier = `${page.signs.ellipsis} ${groups.length - mostGroups} earlier ones (--verbose shows them)`;
    page.text([{ text: earlier, style: ['dim'] }], 2);
  }
  for (const group of groups.slice(-mostGroups)) groupOfAlike(page, group);
  const told = mainIncident(incidents);
  if (told === undefined) return;
  page.gap();
  page.add([{ text: page.signs.rule.repeat(page.width), style: ['dim'] }]);
  const number = incidents.indexOf(told) + 1;
  page.text(
    [
      {
        text: `Told here: number ${number} of ${incidents.length}, the last ${told.outOfMemory === true ? 'death of memory' : 'one'}. --verbose tells all.`,
        style: ['dim'],
      },
    ],
    0,
  );
  oneIncident(page, told, recording, sources);
}

/** The last one of a group, and how many came before it. */
function groupOfAlike(page: Page, [first, ...others]: readonly [Incident, ...Incident[]]): void {
  const incident = others.at(-1) ?? first;
  const [when, since] = [shortWhen(incident), shortWhen(first)];
  const before =
    others.length === 0
      ? ''
      : `, and ${others.length} like it before that${since === '' ? '' : ` (since ${since})`}`;
  const dim = (text: string): Line => (text === '' ? [] : [{ text, style: ['dim'] }]);
  page.item({ text: mark(page, incident), style: [tone(incident)] }, [
    ...dim(when === '' ? '' : `${when} `),
    { text: inWords(incident.headline) },
    ...dim(incident.confidence === 'certain' ? '' : ` (${incident.confidence})`),
    ...dim(before),
  ]);
}
