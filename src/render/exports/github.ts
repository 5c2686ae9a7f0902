/** GitHub Actions: workflow commands on stdout, a step summary, and outputs for later steps. */
import { causes } from '../../model/causes.ts';
import type { Incident, Report } from '../../model/report.ts';
import { safeText, shortened } from '../safe-text.ts';
import { mainIncident } from '../../model/incident.ts';
import { informativeFrame } from '../../model/stack.ts';
import { renderMarkdownReport } from './markdown.ts';
import { inWords } from '../../model/prose.ts';

export interface GithubOutput {
  /** For stdout. */
  readonly commands: string;
  /** To append to the file that $GITHUB_STEP_SUMMARY names. */
  readonly summary: string;
  /** To append to the file that $GITHUB_OUTPUT names. */
  readonly outputs: string;
}

/** GitHub refuses step summaries above 1 MiB. */
const mostSummaryCharacters = 250_000;

export function renderGithub(
  report: Report,
  { directory }: { readonly directory: string },
): GithubOutput {
  const { incidents } = report;
  const worst = mainIncident(incidents);
  return {
    // GitHub shows ten annotations a step.
    commands: incidents
      .slice(-10)
      .map((incident) => annotation(incident, directory))
      .join(''),
    summary: shortened(renderMarkdownReport(report), mostSummaryCharacters),
    // Ids of ours and one line without controls: nothing can begin another output.
    outputs:
      worst === undefined
        ? 'out-of-memory=false\n'
        : `out-of-memory=${worst.outOfMemory ?? 'unknown'}\ncause=${worst.cause}\ndeath=${worst.death}\nconfidence=${worst.confidence}\nheadline=${safeText(shortened(inWords(worst.headline), 400))}\n`,
  };
}

function annotation(incident: Incident, directory: string): string {
  const { outOfMemory, cause, confidence, headline, remedies } = incident;
  const level = outOfMemory === true ? 'error' : outOfMemory === null ? 'warning' : 'notice';
  const frame = informativeFrame(incident.stack);
  const place =
    frame === undefined || frame.file === null
      ? []
      : [
          `file=${property(relative(frame.file, directory))}`,
          ...(frame.line === null ? [] : [`line=${frame.line}`]),
        ];
  const title = `title=${property(`${outOfMemory === true ? 'Out of memory' : causes[cause].title} (${cause}, ${confidence})`)}`;
  const [remedy] = remedies;
  const text = [inWords(headline), ...(remedy === undefined ? [] : [`What now: ${remedy.title}`])]
    .map((line) => safeText(shortened(line, 800)))
    .join('\n');
  return `::${level} ${[...place, title].join(',')}::${data(text)}\n`;
}

/** https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts */
const data = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string =>
  data(safeText(text)).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** Annotations are put on files by their path in the repository. */
const relative = (file: string, directory: string): string =>
  file.startsWith(`${directory}/`) ? file.slice(directory.length + 1) : file;
