import type { Evidence } from '../model/evidence.ts';
import type { Incident } from '../model/report.ts';
import type { DeathGroup } from './join.ts';

/** Facts that only a recorder, or a witness inside a recorded process, gives. */
const watched: ReadonlySet<Evidence['kind']> = new Set([
  'process-exit',
  'process-limits',
  'failed-allocation',
]);

/** Says of each incident of a recorded run whose command ended well that it did: what was refused, or who died, stands beside it. */
export function endOfCommand(
  evidence: readonly Evidence[],
): (incident: Incident, group: DeathGroup) => Incident {
  const commands = evidence.filter(
    (fact) => fact.kind === 'process-exit' && fact.role === 'command',
  );
  const [command] = commands;
  // Of several runs nothing tells which one an incident is of.
  if (commands.length !== 1 || command?.kind !== 'process-exit' || command.exitCode !== 0)
    return (incident) => incident;
  const ofRun = new Set<unknown>();
  const places = new Set<string>();
  for (const fact of evidence) {
    if (watched.has(fact.kind) && 'pid' in fact) ofRun.add(fact.pid);
    if (fact.origin.ofRun === true) places.add(fact.origin.place);
  }
  return (incident, group) => {
    const isOfRun = group.some(
      ({ finding: { subject, because } }) =>
        ofRun.has(subject.pid) || because.some(({ place }) => places.has(place)),
    );
    return isOfRun
      ? {
          ...incident,
          commandEndedWell: true,
          headline: `The command ended well. ${incident.headline}`,
        }
      : incident;
  };
}
