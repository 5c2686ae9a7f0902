/** The page: one HTML file with everything in it, for a browser without a network. */
import { existsSync, readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { causes } from '../model/causes.ts';
import type { PageData, RunTold, SourceExcerpt } from '../model/page.ts';
import type { Recording } from '../model/recording.ts';
import type { Report } from '../model/report.ts';
import { excerptAround, noSourceText, wantedLines, type SourceText } from '../model/source-text.ts';
import { commandLine } from './command-line.ts';
import { packRecording } from './page/pack.ts';
import { renderMarkdownReport } from './exports/markdown.ts';
import { safeCopy } from './safe-text.ts';
import {
  againWithin,
  lookMoment,
  runAnswers,
  runHeadline,
  runWord,
  toldAsRun,
} from './run-answers.ts';
import { fiveAnswers } from './answers.ts';
import { belowDirectory } from './names.ts';

const template = new URL('../../dist/report/index.html', import.meta.url);
const documents = new URL('../../docs/', import.meta.url);
const placeholder = '"coroner-data"';

export interface HtmlOptions {
  readonly recording?: Recording | undefined;
  readonly version: string;
  /** Lines of source to show beside the stacks; no file is opened for them. */
  readonly sourceText?: SourceText | undefined;
}

/** Whether the page was built: `npm run build` does. */
export const pageIsBuilt = (): boolean => existsSync(template);

export function renderHtml(
  report: Report,
  { recording, version, sourceText = noSourceText }: HtmlOptions,
): string {
  // What reorders or hides text does so in a browser too.
  const safe = safeCopy(report, false);
  const packed = recording === undefined ? null : packRecording(recording);
  const data: PageData = {
    report: safe,
    answers: safe.incidents.map((incident) =>
      fiveAnswers(incident).map(({ answer, details, ...rest }) => ({
        ...rest,
        answer: belowDirectory(answer, recording?.cwd),
        details: details.map((detail) => belowDirectory(detail, recording?.cwd)),
      })),
    ),
    recording:
      packed === null
        ? null
        : { ...safeCopy({ ...packed, packed: '' }, false), packed: packed.packed },
    run: runTold(safe, recording),
    commandLine: recording === undefined ? '' : safeCopy(commandLine(recording.command), false),
    documents: documentsFor(report),
    sources: sourcesFor(report, sourceText),
    version,
    markdown: renderMarkdownReport(safe),
  };
  // A function as replacement: in a string `$&` and the like would be expanded.
  return readFileSync(template, 'utf8').replace(placeholder, () => embedded(data));
}

function runTold(report: Report, recording: Recording | undefined): RunTold | null {
  const run = toldAsRun(report);
  if (run === null) return null;
  const command = belowDirectory(commandLine(run.command), recording?.cwd);
  return {
    word: runWord(run, report.incidents),
    headline: runHeadline(run, command),
    answers: runAnswers(run).map(({ answer, details, ...rest }) => ({
      ...rest,
      answer: belowDirectory(answer, recording?.cwd),
      details: details.map((detail) => belowDirectory(detail, recording?.cwd)),
    })),
    lookMoment: lookMoment(run),
    again: againWithin(run, command),
  };
}

/** Above this the data is deflated: a report with thousands of call paths repeats itself twentyfold. */
const mostPlainCharacters = 300_000;

function embedded(data: PageData): string {
  const plain = embeddable(data);
  return plain.length <= mostPlainCharacters
    ? plain
    : embeddable({ deflated: deflateSync(JSON.stringify(data)).toString('base64') });
}

/**
 * JSON that can stand in a script element: without `<` nothing can close the element or open a comment in it;
 * U+2028 and U+2029 end a line in old JavaScript.
 */
export const embeddable = (value: unknown): string =>
  JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('>', '\\u003e')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');

function documentsFor(report: Report): Record<string, string> {
  const ids = new Set(
    report.incidents.flatMap(({ cause, memory }) => [
      ...(cause in causes ? [`causes/${cause}`] : []),
      ...(memory.smells ?? [])
        .filter(({ id }) => /^[a-z\d-]+$/.test(id))
        .map(({ id }) => `smells/${id}`),
    ]),
  );
  const found: Record<string, string> = {};
  for (const id of ids) {
    const path = new URL(`${id}.md`, documents);
    if (existsSync(path)) found[id.replace(/^.*\//, '')] = readFileSync(path, 'utf8');
  }
  return found;
}

/** Lines around each frame of the last look and of the failure, as far as they came along with the report. */
function sourcesFor(
  report: Report,
  sourceText: SourceText,
): Record<string, readonly SourceExcerpt[]> {
  const excerpts = new Map<string, SourceExcerpt[]>();
  for (const wanted of wantedLines(report)) {
    const excerpt = excerptAround(sourceText, wanted);
    if (excerpt === null) continue;
    // By the name that the page's stacks have.
    const name = safeCopy(wanted.file, false);
    const own = excerpts.get(name) ?? [];
    excerpts.set(name, [...own, safeCopy(excerpt, false)]);
  }
  return Object.fromEntries(excerpts);
}
