/** The screen of a run that ended well, or still runs. */
import type { Recording } from '../../model/recording.ts';
import type { Report, RunAccount, SourceReport } from '../../model/report.ts';
import { formatDuration } from '../../model/units.ts';
import { commandLine } from '../command-line.ts';
import { belowDirectory } from '../names.ts';
import { againWithin, lookMoment, runAnswers, runHeadline, runWord } from '../run-answers.ts';
import { hanging } from './layout.ts';
import { allocations, holders, types } from './memory.ts';
import type { Page } from './page.ts';
import { sourcesRead } from './sources.ts';
import { curveOfRun } from './chart.ts';
import { drawCurve } from './timeline.ts';

const labelWidth = 20;

export function runScreen(
  page: Page,
  run: RunAccount,
  { incidents, sources }: Pick<Report, 'incidents' | 'sources'>,
  recording: Recording | undefined,
): void {
  const command = belowDirectory(commandLine(run.command), recording?.cwd);
  const word = runWord(run, incidents);
  if (page.options.quiet) {
    page.text([{ text: `${word}: ${runHeadline(run, command)}` }], 0);
    return;
  }
  banner(page, run, word);
  page.text([{ text: runHeadline(run, command), style: ['bold'] }]);
  page.gap();
  answers(page, run, recording);
  const curve = recording === undefined ? undefined : curveOfRun(recording);
  if (curve !== undefined) drawCurve(page, curve, false);
  const { memory } = run;
  if (memory !== undefined) {
    const most = page.options.verbose ? 15 : 5;
    allocations(page, memory, 'peak', recording, most);
    const moment = lookMoment(run);
    holders(page, memory, recording, { most, age: moment === null ? '' : `, ${moment}` });
    if (page.options.verbose) types(page, memory);
  }
  notLooked(page, run, sources);
  whatNow(page, run, command);
  if (page.options.verbose) sourcesRead(page, sources);
}

function banner(page: Page, { startedAt, durationMs, state }: RunAccount, word: string): void {
  page.gap();
  const when = startedAt.replace('T', ' ').replace(/(?:\.\d+)?Z$/, ' UTC');
  const isKnown = state !== 'cut-short';
  const sign = isKnown ? page.signs.proves : page.signs.unknown;
  const colour = isKnown ? 'green' : 'yellow';
  const left = `${sign} ${word.toUpperCase()}`;
  const lasted = durationMs === null ? '' : `  ${formatDuration(durationMs)}`;
  const space = page.width - 2 - left.length - lasted.length - when.length;
  page.add([
    { text: '  ' },
    { text: left, style: ['bold', colour] },
    { text: lasted, style: [colour] },
    ...(when === '' || space < 2
      ? []
      : [{ text: ' '.repeat(space) }, { text: when, style: ['dim'] as const }]),
  ]);
}

function answers(page: Page, run: RunAccount, recording: Recording | undefined): void {
  for (const { question, answer, details, known } of runAnswers(run)) {
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
    for (const detail of page.options.verbose ? details : details.slice(0, 2))
      page.add(
        ...hanging(
          [{ text: ' '.repeat(2 + labelWidth) }],
          [{ text: belowDirectory(detail, recording?.cwd), style: ['dim'] }],
          page.width,
        ),
      );
  }
}

/** Which variables held the peak only a look can tell. */
function notLooked(page: Page, { memory }: RunAccount, sources: readonly SourceReport[]): void {
  if ((memory?.holders?.length ?? 0) > 0) return;
  // A source of this id says why nobody looked into a process.
  const source = sources.find(({ id, status }) => id === 'last-look' && status !== 'read');
  if (source?.command !== undefined || source === undefined) return;
  page.gap();
  page.text([
    { text: 'Which variables held it: ', style: ['dim'] },
    { text: 'nobody looked, as no limit was near: ', style: ['dim'] },
    { text: 'coroner run --look-at-peak COMMAND', style: ['cyan'] },
    { text: ' does', style: ['dim'] },
  ]);
}

function whatNow(page: Page, run: RunAccount, command: string): void {
  const again = againWithin(run, command);
  if (again === null) return;
  page.title('To run it again within that limit');
  page.command(again, 4);
}
