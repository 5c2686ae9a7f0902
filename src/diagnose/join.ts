import { compareConfidence } from '../model/confidence.ts';
import type { Finding, Subject } from '../model/finding.ts';

/** Findings that speak of one death, the best first. */
export type DeathGroup = readonly [Finding, ...Finding[]];

/** Groups findings by the death they speak of, in the order in which the deaths happened. */
export function joinFindings(findings: readonly Finding[]): readonly DeathGroup[] {
  const groups: [Finding, ...Finding[]][] = [];
  for (const finding of findings) {
    const group = groups.find((others) =>
      others.some((other) => sameDeath(finding.subject, other.subject)),
    );
    if (group === undefined) groups.push([finding]);
    else group.push(finding);
  }
  for (const group of groups) group.sort((a, b) => compareConfidence(b.confidence, a.confidence));
  return groups.sort((a, b) => a[0].subject.position - b[0].subject.position);
}

function sameDeath(a: Subject, b: Subject): boolean {
  const pids = (subject: Subject) =>
    [subject.pid, ...(subject.otherPids ?? [])].filter((pid) => pid !== undefined);
  return pids(a).some((pid) => pids(b).includes(pid));
}
