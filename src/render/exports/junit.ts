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
    `  <testsuite name="coroner" ${counts} skipped="${skipped}" time="0">`,
    ...incidents.map(testCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(incident: Incident): string {
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
  return `    <testcase classname="coroner.${cause}" name="${message}" time="0">${inner}</testcase>`;
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
