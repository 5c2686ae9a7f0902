import type { Incident, Report } from '../../model/report.ts';
import { safeText, shortened } from '../safe-text.ts';
import { inWords } from '../../model/prose.ts';
import { fiveAnswers } from '../answers.ts';

/** One test case a death: an error where it was memory, skipped where it cannot be told, passed where it was not memory. */
export function renderJunit(report: Report): string {
  const { incidents } = report;
  const errors = incidents.filter(({ outOfMemory }) => outOfMemory === true).length;
  const skipped = incidents.filter(({ outOfMemory }) => outOfMemory === null).length;
  const counts = `tests="${incidents.length}" failures="0" errors="${errors}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="coroner" ${counts} skipped="${skipped}" time="${seconds((report.run?.durationMs ?? 0) / 1000)}">`,
    ...incidents.map((incident) => testCase(incident, report)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

const seconds = (value: number): string => String(Number(Math.max(0, value).toFixed(3)));

/** From the start of the run to the death; of the whole run where that moment is not known; 0 where nothing was recorded. */
function timeOf({ at }: Incident, { run }: Report): string {
  const ms = Date.parse(at ?? '') - Date.parse(run?.startedAt ?? '');
  return seconds((ms >= 0 ? ms : (run?.durationMs ?? 0)) / 1000);
}

function testCase(incident: Incident, report: Report): string {
  const { outOfMemory, cause, headline, because } = incident;
  const message = attribute(shortened(inWords(headline), 500));
  const story = [
    ...fiveAnswers(incident).map(({ question, answer }) => `${question} ${answer}`),
    ...because.map(
      ({ says, place, quote }) =>
        `- ${says} (${place})${quote === undefined ? '' : `\n  ${shortened(quote, 2000)}`}`,
    ),
  ];
  const body = text(story.join('\n'));
  const inner =
    outOfMemory === true
      ? `<error type="OutOfMemory" message="${message}">${body}</error>`
      : outOfMemory === null
        ? `<skipped message="${message}"/><system-out>${body}</system-out>`
        : `<system-out>${body}</system-out>`;
  return `    <testcase classname="coroner.${cause}" name="${message}" time="${timeOf(incident, report)}">${inner}</testcase>`;
}

/** XML 1.0 has no way to write most controls at all: they are shown as `\x1b`. */
const text = (value: string): string =>
  value
    .split('\n')
    .map((line) => safeText(line))
    .join('\n')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\ufffe\uffff]/g, '\ufffd');
const attribute = (value: string): string => text(safeText(value)).replaceAll('"', '&quot;');
