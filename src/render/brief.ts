/** One screen of plain facts, below 1 KiB: for chats, alerts and language models. No colours, no drawings, one fact a line. */
import { mainIncident, verdictWord, whenText } from '../model/incident.ts';
import { heaviestHolder, heaviestLine } from '../model/memory-picture.ts';
import { inWords } from '../model/prose.ts';
import type { Incident, Report, RunAccount } from '../model/report.ts';
import { formatFrame, informativeFrame, placeOf } from '../model/stack.ts';
import { formatBytes, formatDuration } from '../model/units.ts';
import { percent } from '../model/words.ts';
import { commandLine } from './command-line.ts';
import { culpritName, limitName, processName } from './names.ts';
import { againWithin, runAnswers, runHeadline, runWord, toldAsRun } from './run-answers.ts';
import { safeText } from './safe-text.ts';

const mostBytes = 1023;
const longestLine = 170;

/** `again`: `the 7th time since Tuesday`. */
export function renderBrief(report: Report, again?: string): string {
  const run = toldAsRun(report);
  const incident = mainIncident(report.incidents);
  const facts =
    run !== null
      ? ofRun(run, report.incidents)
      : incident === undefined
        ? ['No death was found in what could be read.', ...unreadSources(report)]
        : ofIncident(incident, report, again);
  return within(facts.filter((fact) => fact !== null));
}

function ofRun(run: RunAccount, incidents: readonly Incident[]): readonly (string | null)[] {
  const command = commandLine(run.command);
  const lasted = run.durationMs === null ? '' : ` after ${formatDuration(run.durationMs)}`;
  return [
    `${runWord(run, incidents)}${lasted}: ${runHeadline(run, command)}`,
    ...runAnswers(run).map(({ question, answer }) => `${question} ${answer}`),
    named('again', againWithin(run, command)),
  ];
}

function ofIncident(
  incident: Incident,
  { incidents }: Report,
  again: string | undefined,
): readonly (string | null)[] {
  const { confidence, cause, variant, headline, victim, limit, culprit, memory, stack } = incident;
  const line = heaviestLine(memory);
  const holder = heaviestHolder(memory);
  const frame = informativeFrame(stack);
  const [remedy] = incident.remedies;
  const [unknown] = incident.unknown;
  const kind = variant === undefined ? cause : `${cause}, ${variant}`;
  return [
    `${verdictWord(incident)} (${confidence}; ${kind}): ${inWords(headline)}`,
    incidents.length < 2
      ? null
      : `of ${incidents.length} incidents this is number ${incidents.indexOf(incident) + 1}`,
    named('when', [whenText(incident), again ?? ''].filter((part) => part !== '').join(', ')),
    named('who died', victim === null ? null : processName(victim)),
    named('limit', limit === null ? null : limitName(limit)),
    named('who held it', culprit === null ? null : culpritName(culprit)),
    named(
      'variable',
      holder === undefined
        ? null
        : `${holder.name}${holder.function === null ? '' : ` of ${holder.function}`}, ${formatBytes(holder.retainedBytes)}: ${holder.path}`,
    ),
    named(
      'allocated at',
      line === undefined
        ? null
        : `${placeOf(line)}${line.function === null ? '' : ` in ${line.function}`}, ${formatBytes(line.bytes)}, ${percent(line.share)}${line.text === undefined ? '' : `: ${line.text.trim()}`}`,
    ),
    named('at', frame === undefined ? null : formatFrame(frame)),
    named('do', remedy === undefined ? null : inWords(remedy.title)),
    named('not known', unknown === undefined ? null : inWords(unknown.what)),
    named('fingerprint', incident.fingerprint ?? null),
  ];
}

const named = (name: string, value: string | null): string | null =>
  value === null || value === '' ? null : `${name}: ${value}`;

const unreadSources = ({ sources }: Report): readonly string[] =>
  sources
    .filter(({ status }) => status !== 'read')
    .slice(0, 4)
    .map(({ id, place, status }) => `${id} ${place}: ${status}`);

/** As many of the lines as fit, the first ones first. */
function within(facts: readonly string[]): string {
  let text = '';
  for (const fact of facts) {
    const plain = safeText(fact).replaceAll(/\s+/g, ' ').replaceAll('\u00a0', ' ').trim();
    const line = plain.length > longestLine ? `${plain.slice(0, longestLine - 3)}...` : plain;
    if (new TextEncoder().encode(`${text}${line}\n`).length <= mostBytes) text += `${line}\n`;
  }
  return text;
}
