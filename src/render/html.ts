/** The page: one HTML file with everything in it, for a browser without a network. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { causes } from '../model/causes.ts';
import type { PageData, SourceExcerpt } from '../model/page.ts';
import type { Recording } from '../model/recording.ts';
import type { Report, StackFrame } from '../model/report.ts';
import { commandLine } from './command-line.ts';
import { packRecording } from './page/pack.ts';
import { safeCopy } from './safe-text.ts';
import { fiveAnswers } from './answers.ts';
import { belowDirectory } from './names.ts';

const template = new URL('../../dist/report/index.html', import.meta.url);
const documents = new URL('../../docs/', import.meta.url);
const placeholder = '"coroner-data"';

export interface HtmlOptions {
  readonly recording?: Recording | undefined;
  readonly version: string;
  /** Embeds lines of the source files that the stacks name. Default true; files of this machine, as they are now. */
  readonly embedSource?: boolean;
}

/** Whether the page was built: `npm run build` does. */
export const pageIsBuilt = (): boolean => existsSync(template);

export function renderHtml(
  report: Report,
  { recording, version, embedSource = true }: HtmlOptions,
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
    commandLine: recording === undefined ? '' : safeCopy(commandLine(recording.command), false),
    documents: documentsFor(report),
    sources: embedSource ? sourcesFor(report, recording) : {},
    version,
  };
  // A function as replacement: in a string `$&` and the like would be expanded.
  return readFileSync(template, 'utf8').replace(placeholder, () => embedded(data));
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

const mostSourceFiles = 40;
const mostSourceBytes = 2 * 2 ** 20;
/** Lines before and after the one that a frame names. */
const around = 4;

/** Lines around each frame of the last look and of the failure. Only files that end like source code. */
function sourcesFor(
  report: Report,
  recording: Recording | undefined,
): Record<string, readonly SourceExcerpt[]> {
  const wanted = new Map<string, Set<number>>();
  const want = (frames: readonly StackFrame[]): void => {
    for (const { file, line } of frames.slice(0, 30)) {
      if (file === null || line === null || !/\.(?:py|pyx|c|cc|cpp|rs|ipynb)$/.test(file)) continue;
      const lines = wanted.get(file) ?? new Set();
      if (wanted.size < mostSourceFiles || wanted.has(file)) wanted.set(file, lines.add(line));
    }
  };
  for (const { stack, memory } of report.incidents) {
    want(stack);
    for (const thread of memory.threads ?? []) want(thread.stack);
    for (const allocation of (memory.allocations ?? []).slice(0, 20))
      want([{ function: '', file: allocation.file, line: allocation.line }]);
  }
  const excerpts: Record<string, readonly SourceExcerpt[]> = {};
  for (const [file, lines] of wanted) {
    const text = readSource(file, recording?.cwd);
    if (text === undefined) continue;
    const all = text.split(/\r?\n/);
    // By the name that the page's stacks have.
    excerpts[safeCopy(file, false)] = [...lines]
      .filter((line) => line >= 1 && line <= all.length)
      .map((line) => {
        const firstLine = Math.max(1, line - around);
        return {
          firstLine,
          lines: all
            .slice(firstLine - 1, line + around)
            .map((each) => safeCopy(each.replaceAll('\t', '    ').slice(0, 300), false)),
        };
      });
  }
  return excerpts;
}

function readSource(file: string, cwd: string | undefined): string | undefined {
  const path = file.startsWith('/') ? file : cwd === undefined ? undefined : `${cwd}/${file}`;
  if (path === undefined) return undefined;
  try {
    const { size } = statSync(path);
    return size > mostSourceBytes || !statSync(path).isFile()
      ? undefined
      : readFileSync(path, 'utf8');
  } catch {
    // Gone, or not ours to read: the frame's own text, where there is one, must do.
    return undefined;
  }
}
