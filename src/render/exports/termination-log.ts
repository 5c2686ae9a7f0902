import type { Report } from '../../model/report.ts';
import { safeText, shortened } from '../safe-text.ts';
import { mainIncident } from '../../model/incident.ts';
import { fiveAnswers } from '../answers.ts';

/** Kubernetes keeps 4096 bytes of a container's termination message (and 12 KiB of all containers of a pod). */
const mostBytes = 4096;

/** For /dev/termination-log: the worst death in a few lines; the rest is counted. Never longer than Kubernetes keeps. */
export function renderTerminationLog(report: Report): string {
  const { incidents } = report;
  const worst = mainIncident(incidents);
  if (worst === undefined) return '';
  const lines = [
    `${worst.headline} [${worst.cause}, ${worst.confidence}]`,
    ...fiveAnswers(worst).map(({ question, answer, details }) =>
      [`${question} ${answer}`, ...details.slice(0, 1)].join('; '),
    ),
    ...worst.because
      .slice(0, 2)
      .map(({ says, quote }) => `- ${says}${quote === undefined ? '' : `: ${quote}`}`),
    ...worst.unknown.slice(0, 2).map(({ what, why }) => `? ${what}: ${why}`),
    ...(incidents.length > 1 ? [`and ${incidents.length - 1} more`] : []),
  ];
  return withinBytes(lines.map((line) => safeText(shortened(line, 500))).join('\n'));
}

function withinBytes(text: string): string {
  if (Buffer.byteLength(text) < mostBytes) return `${text}\n`;
  let cut = Buffer.from(text).subarray(0, mostBytes - 4);
  // Not within a character: UTF-8 continuation bytes are 10xxxxxx.
  while (cut.length > 0 && ((cut.at(-1) ?? 0) & 0xc0) === 0x80) cut = cut.subarray(0, -1);
  return `${cut.subarray(0, -1).toString('utf8')}…\n`;
}
