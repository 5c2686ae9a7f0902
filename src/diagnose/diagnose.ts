import type { Evidence } from '../model/evidence.ts';
import { contained } from '../model/faults.ts';
import type { Incident, Report, RuleNotRun, SourceReport } from '../model/report.ts';
import { noSourceText, withSourceText, type SourceText } from '../model/source-text.ts';
import { fingerprint, incidentId } from '../model/fingerprint.ts';
import type { Recording } from '../model/recording.ts';
import { maskEvery } from '../model/secrets.ts';
import { rules as allRules } from '../rules/index.ts';
import type { Rule } from '../rules/shared/define-rule.ts';
import { endOfCommand } from './command-end.ts';
import { doubted } from './doubt.ts';
import { toIncident } from './incident.ts';
import { joinOpinions, type Opinion } from './join.ts';
import { accountOf } from './run-account.ts';
import { withMemory } from './memory.ts';
import { withSharedLimit } from './shared-limit.ts';
import { withFittingRemedies } from './remedies.ts';

export interface DiagnoseInput {
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
  readonly sourceText?: SourceText;
  readonly recording?: Recording;
  readonly rules?: readonly Rule[];
}

/** With what makes it the same death when it comes again, and when it is told again. */
function identified(incident: Incident, recording: Recording | undefined): Incident {
  const { bootId, processes = [], command } = recording ?? {};
  const startTicks = processes.find(({ pid }) => pid === incident.victim?.pid)?.startTicks;
  const { pid } = incident.victim ?? {};
  return {
    ...incident,
    fingerprint: fingerprint(incident, command),
    ...(bootId === undefined || pid === undefined || startTicks === undefined
      ? {}
      : { id: incidentId(bootId, pid, startTicks) }),
  };
}

/** Evidence in, verdict out. Pure. */
export function diagnose({
  evidence,
  sources,
  sourceText = noSourceText,
  recording,
  rules = allRules,
}: DiagnoseInput): Report {
  const kinds = new Set(evidence.map(({ kind }) => kind));
  const opinions: Opinion[] = [];
  const notRun: RuleNotRun[] = [];
  for (const rule of rules) {
    const missing = rule.needs.filter((kind) => !kinds.has(kind));
    if (missing.length > 0) notRun.push({ rule: rule.id, missing });
    else
      for (const finding of contained(
        `rule ${rule.id}`,
        () => rule.judge(evidence, { sources }),
        ({ says }) => {
          notRun.push({ rule: rule.id, missing: [], fault: says });
          return [];
        },
      ))
        opinions.push({ rule: rule.id, finding: doubted(finding) });
  }
  const snapshots = evidence.filter(({ kind }) => kind === 'heap-snapshot');
  const withCommandsEnd = endOfCommand(evidence);
  const incidents = joinOpinions(opinions).flatMap((group): readonly Incident[] => {
    const ids = [...new Set(group.map(({ rule }) => rule))];
    return contained(
      `the incident of ${ids.join(', ')}`,
      () => [
        withCommandsEnd(
          withFittingRemedies(
            withSharedLimit(
              withMemory(toIncident(group, sources), snapshots, group, sources),
              sources,
            ),
          ),
          group,
        ),
      ],
      ({ says }) => {
        for (const id of ids) notRun.push({ rule: id, missing: [], fault: says });
        return [];
      },
    );
  });
  const run =
    recording === undefined
      ? null
      : contained(
          'the account of the run',
          () => accountOf(recording, evidence, incidents),
          () => null,
        );
  const report: Report = {
    format: 'coroner/1',
    incidents: incidents.map((incident) => identified(incident, recording)),
    sources,
    ...(run === null ? {} : { run }),
    rulesNotRun: notRun,
  };
  // The one place where the words of programs become a report: from here on there is no secret in it.
  return maskEvery(withSourceText(report, sourceText));
}
