/** The limits that are drawn against the curves. */
import type { PackedRecording } from '../../../src/model/page.ts';
import type { Incident, Limit } from '../../../src/model/report.ts';
import { formatBytes } from '../../../src/model/units.ts';

/** Of the resident memory: cgroups and the machine, each once. */
export const limitsOf = (
  recording: PackedRecording,
  incident: Incident | undefined,
): readonly Limit[] => {
  const fromCgroups = recording.cgroups.flatMap(({ path, limitBytes, highBytes }): Limit[] => [
    ...(limitBytes === null ? [] : [{ owner: 'cgroup' as const, path, bytes: limitBytes }]),
    ...(highBytes == null
      ? []
      : [{ owner: 'cgroup' as const, path: `${path} (high)`, bytes: highBytes }]),
  ]);
  const all = [
    ...(incident?.limit == null ? [] : [incident.limit]),
    ...recording.limits,
    ...fromCgroups,
  ].filter(({ owner, bytes }) => bytes !== null && (owner === 'cgroup' || owner === 'host'));
  const seen = new Set<string>();
  return all.filter(({ path, bytes }) => {
    const key = `${path} ${bytes}`;
    return !seen.has(key) && seen.add(key);
  });
};

export const noLimits: readonly Limit[] = [];
/** Of the address space: the one that the incident names. */
export const addressLimits = (incident: Incident | undefined): readonly Limit[] =>
  incident?.limit?.bytes == null ? [] : [incident.limit];

export const limitLabel = ({ owner, path, bytes }: Limit): string =>
  `${owner === 'host' ? 'machine' : (path ?? owner)} ${formatBytes(bytes ?? 0)}`;
