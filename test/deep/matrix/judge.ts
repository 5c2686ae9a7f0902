/** Compares what was said with what was provoked. */
import type { Cause } from '../../../src/model/causes.ts';
import { compareConfidence, type Confidence } from '../../../src/model/confidence.ts';
import type { Incident, Report } from '../../../src/model/report.ts';
import type { Expected } from './row.ts';

export interface Said {
  readonly cause: Cause | 'none';
  readonly confidence: Confidence | null;
  /** Its own words on the one incident that was compared. */
  readonly headline: string | null;
}
export interface Judgement {
  readonly said: Said;
  /** The cause is one of those expected. */
  readonly right: boolean;
  /** Any incident of ours that is `certain` and not among what was expected. */
  readonly certainAndWrong: readonly string[];
  /** What else differs: the limit's owner, its path, the request. */
  readonly faults: readonly string[];
}

export interface Ours {
  readonly pids: ReadonlySet<number>;
  readonly cgroup: string | null;
}
/** The kernel log is the whole machine's: an incident is ours unless it names a process and a cgroup that are not. */
const isOurs = (incident: Incident, { pids, cgroup }: Ours): boolean => {
  const { victim } = incident;
  if (victim?.pid === undefined) return true;
  if (pids.has(victim.pid)) return true;
  return cgroup !== null && victim.cgroup !== undefined && victim.cgroup.startsWith(cgroup);
};

export const judge = (
  report: Report,
  expected: Expected,
  besides: readonly Cause[],
  ours: Ours | null,
): Judgement => {
  const incidents = report.incidents.filter((incident) => ours === null || isOurs(incident, ours));
  const isExpected = ({ cause }: Incident): boolean => expected.cause.includes(cause);
  const incident = incidents.find(isExpected) ?? incidents.at(-1);
  const said: Said = incident
    ? { cause: incident.cause, confidence: incident.confidence, headline: `${incident.headline}` }
    : { cause: 'none', confidence: null, headline: null };
  const faults: string[] = [];
  const right = expected.cause.includes(said.cause);
  if (right && incident) {
    const { limit, request, confidence, variant, stack } = incident;
    if (expected.incidents !== undefined && incidents.length !== expected.incidents)
      faults.push(`${incidents.length} incidents, not ${expected.incidents}`);
    if (expected.limitOwner && limit?.owner !== expected.limitOwner)
      faults.push(`limit owner ${limit?.owner ?? 'not said'}, not ${expected.limitOwner}`);
    if (expected.limitBytes !== undefined && limit?.bytes !== expected.limitBytes)
      faults.push(`limit of ${limit?.bytes ?? 'unsaid'} bytes, not ${expected.limitBytes}`);
    if (expected.path && limit?.path !== expected.path)
      faults.push(`limit's path ${limit?.path ?? 'not said'}, not ${expected.path}`);
    if (expected.limitPath && ours?.cgroup) {
      const wanted =
        expected.limitPath === 'own' ? ours.cgroup : `/${ours.cgroup.split('/')[1] ?? ''}`;
      if (limit?.path !== wanted)
        faults.push(`limit's path ${limit?.path ?? 'not said'}, not ${wanted}`);
    }
    if (expected.variant && variant !== expected.variant)
      faults.push(`variant ${variant ?? 'not said'}, not ${expected.variant}`);
    if (expected.requestBytes !== undefined) {
      const { bytes } = request;
      if (bytes === null || Math.abs(bytes - expected.requestBytes) > 8192)
        faults.push(`request of ${bytes ?? 'unsaid'} bytes, not ${expected.requestBytes}`);
    }
    if (expected.inFunction && !stack.some((frame) => frame.function === expected.inFunction))
      faults.push(`no ${expected.inFunction} in the stack`);
    if (expected.atLeast && compareConfidence(confidence, expected.atLeast) < 0)
      faults.push(`${confidence}, less than ${expected.atLeast}`);
    if (expected.atMost && compareConfidence(confidence, expected.atMost) > 0)
      faults.push(`${confidence}, more than ${expected.atMost}`);
  }
  return {
    said,
    right,
    faults,
    certainAndWrong: incidents
      .filter(
        (other) =>
          other.confidence === 'certain' && !isExpected(other) && !besides.includes(other.cause),
      )
      .map(({ cause, headline }) => `${cause}: ${headline}`),
  };
};
