/** A report as Markdown, for step summaries, issues and chats. */
import type { Incident, Report, RunAccount } from '../../model/report.ts';
import { safeText, shortened } from '../safe-text.ts';
import { evidenceTitle, unknownTitle, verdictWord } from '../../model/incident.ts';
import { inWords } from '../../model/prose.ts';
import { fiveAnswers } from '../answers.ts';
import type { Answer } from '../../model/page.ts';
import { commandLine } from '../command-line.ts';
import { againWithin, runAnswers, runHeadline, runWord, toldAsRun } from '../run-answers.ts';

/** Text from outside can neither be markup nor HTML nor mention anybody. */
export const markdownText = (text: string): string =>
  safeText(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\\`*_[\]#+!|~$]/g, '\\$&')
    // GitHub turns @name into a mention, and www. and :// into links, whatever is escaped: a word joiner breaks both.
    .replaceAll(/@|:(?=\/\/)|\bwww(?=\.)/g, '$&\u2060');

/** A block of code whose fence is longer than any in it. */
function codeBlock(text: string, indent = ''): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const lines = text.split('\n').map((line) => safeText(line));
  return [`${fence}text`, ...lines, fence].map((line) => `${indent}${line}`).join('\n');
}

const sign = ({ outOfMemory }: Incident): string =>
  outOfMemory === null ? '❔' : outOfMemory ? '❌' : '✅';

/** `most`: how many incidents are told; the others are counted. */
export function renderMarkdownReport(report: Report, most = 10): string {
  const run = toldAsRun(report);
  if (run !== null) return runMarkdown(run, report.incidents);
  if (report.incidents.length === 0) return 'No death was found in what could be read.\n';
  const told = report.incidents.slice(-most);
  const parts = told.map(incidentMarkdown);
  const more = report.incidents.length - told.length;
  return `${more > 0 ? `${more} earlier incidents are not shown.\n\n` : ''}${parts.join('\n---\n\n')}`;
}

function runMarkdown(run: RunAccount, incidents: readonly Incident[]): string {
  const command = commandLine(run.command);
  const again = againWithin(run, command);
  return [
    `### ✅ ${markdownText(runHeadline(run, command))}`,
    '',
    `**${runWord(run, incidents).toUpperCase()}**`,
    '',
    '| | |',
    '| --- | --- |',
    ...rowsOf(runAnswers(run)),
    '',
    ...(again === null ? [] : [codeBlock(again), '']),
  ].join('\n');
}

const rowsOf = (answers: readonly Answer[]): readonly string[] =>
  answers.map(
    ({ question, answer, details }) =>
      `| **${question}** | ${[answer, ...details.slice(0, 2)].map((text) => markdownText(shortened(text, 600))).join('<br>')} |`,
  );

function incidentMarkdown(incident: Incident): string {
  const { because, against, ruledOut, unknown, remedies } = incident;
  const rows = rowsOf(fiveAnswers(incident));
  return [
    `### ${sign(incident)} ${markdownText(shortened(inWords(incident.headline), 400))}`,
    '',
    `**${verdictWord(incident).toUpperCase()}**, ${incident.confidence} (\`${incident.cause}\`)`,
    '',
    '| | |',
    '| --- | --- |',
    ...rows,
    '',
    ...(remedies.length === 0
      ? []
      : [
          '**What now?**',
          '',
          ...remedies.flatMap(({ title, detail, command }, index) => [
            `${index + 1}. **${markdownText(inWords(title))}** ${markdownText(inWords(detail))}`,
            ...(command === null ? [] : ['', codeBlock(command, '   ')]),
          ]),
          '',
        ]),
    ...(because.length + against.length === 0
      ? []
      : [
          `<details><summary>${evidenceTitle(incident)} (${because.length + against.length})</summary>`,
          '',
          ...[...because, ...against].flatMap(({ says, place, quote }) => [
            `- ${markdownText(inWords(says))}${place === '' ? '' : ` (${markdownText(place)})`}`,
            ...(quote === undefined ? [] : ['', codeBlock(shortened(quote, 2000), '  '), '']),
          ]),
          ...ruledOut.map(
            ({ cause, because: why }) => `- not \`${cause}\`: ${markdownText(inWords(why))}`,
          ),
          '',
          '</details>',
          '',
        ]),
    ...(unknown.length === 0
      ? []
      : [
          `**${unknownTitle(unknown)}**`,
          '',
          ...unknown.flatMap(({ what, why, command }) => [
            `- ${markdownText(inWords(what))}: ${markdownText(inWords(why))}`,
            ...(command === null ? [] : ['', codeBlock(command, '  ')]),
          ]),
          '',
        ]),
  ].join('\n');
}
