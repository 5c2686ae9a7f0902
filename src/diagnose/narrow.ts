import { passesThroughCgroup } from '../model/cgroup-path.ts';
import type { Incident, Report } from '../model/report.ts';

/** Which incidents a user wants to see. */
export interface Narrow {
  readonly since?: Date;
  readonly until?: Date;
  readonly pid?: number;
  readonly name?: string;
  /** A cgroup, or the end of its path: container paths differ from those of the host in front. */
  readonly cgroup?: string;
}

/** The incidents that fit; the sources stay, so that "nothing" can be told from "not readable". */
export function narrow(report: Report, wanted: Narrow): Report {
  if (Object.values(wanted).every((value) => value === undefined)) return report;
  return { ...report, incidents: report.incidents.filter((incident) => fits(incident, wanted)) };
}

function fits(incident: Incident, { since, until, pid, name, cgroup }: Narrow): boolean {
  const { at, victim, trigger, related = [] } = incident;
  if (at !== null) {
    const time = Date.parse(at);
    if (since !== undefined && time < since.getTime()) return false;
    if (until !== undefined && time > until.getTime()) return false;
  }
  if (
    pid !== undefined &&
    victim?.pid !== pid &&
    trigger?.pid !== pid &&
    !related.some((other) => other.pid === pid)
  )
    return false;
  // The kernel knows 15 characters of a name.
  if (
    name !== undefined &&
    !(victim?.name !== undefined && (victim.name === name || victim.name === name.slice(0, 15)))
  )
    return false;
  if (cgroup !== undefined) {
    const paths = [
      victim?.cgroup,
      trigger?.cgroup,
      incident.limit?.owner === 'cgroup' ? incident.limit.path : undefined,
    ];
    if (!paths.some((path) => path !== undefined && passesThroughCgroup(path, cgroup)))
      return false;
  }
  return true;
}
