import type { Evidence, MemoryLook } from '../model/evidence.ts';
import type { Incident, MemoryPicture } from '../model/report.ts';

/** Adds what was seen inside the process that an incident is about: the last look, the agent's tables. */
export function withMemory(incident: Incident, evidence: readonly Evidence[]): Incident {
  const pids = [incident.victim?.pid, incident.culprit?.pid, incident.trigger?.pid].filter(
    (pid) => pid !== undefined,
  );
  const [pid] = pids;
  if (pid === undefined) return incident;
  const looks = evidence.filter(
    (fact): fact is MemoryLook => fact.kind === 'memory-look' && fact.pid === pid,
  );
  if (looks.length === 0) return incident;
  let memory: MemoryPicture = incident.memory;
  for (const { picture } of looks) memory = merge(memory, picture);
  return { ...incident, memory };
}

/** Every look knows other things; of the same thing the later look speaks. Notes add up. */
function merge(a: MemoryPicture, b: MemoryPicture): MemoryPicture {
  const notes = [...(a.notes ?? []), ...(b.notes ?? [])];
  return { ...a, ...b, ...(notes.length === 0 ? {} : { notes: [...new Set(notes)] }) };
}
