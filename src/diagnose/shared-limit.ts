import { plainCgroup } from '../model/cgroup-path.ts';
import type { Incident, SourceReport } from '../model/report.ts';

/** A source of this id says how much coroner itself took of the command's limit; its place is the cgroup's path. */
const recorderId = 'recorder';

/** Where coroner lived within the limit that was reached, the advice says how much of it was coroner's. */
export function withSharedLimit(incident: Incident, sources: readonly SourceReport[]): Incident {
  const { limit, remedies } = incident;
  const [first, ...others] = remedies;
  if (limit?.owner !== 'cgroup' || limit.path === undefined || first === undefined) return incident;
  const { path } = limit;
  const shared = sources.find(({ id, place }) => id === recorderId && isSame(place, path));
  if (shared?.detail === undefined) return incident;
  const detail = `${shared.detail}: without it the command would have had that much more. ${first.detail}`;
  return { ...incident, remedies: [{ ...first, detail }, ...others] };
}

/** `seen` may be a path within a container's own namespace, and `path` the kernel's. */
const isSame = (seen: string, path: string): boolean =>
  plainCgroup(seen) === '/' || plainCgroup(path).endsWith(plainCgroup(seen));
