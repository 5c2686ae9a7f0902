import type { Evidence, MemoryLook } from '../model/evidence.ts';
import type { Incident, MemoryPicture, StackFrame, Thread } from '../model/report.ts';
import type { DeathGroup } from './join.ts';

/** Adds what was seen inside the process that an incident is about: the last look, the agent's tables. */
export function withMemory(
  incident: Incident,
  evidence: readonly Evidence[],
  group?: DeathGroup,
): Incident {
  const pid =
    incident.victim?.pid ??
    incident.culprit?.pid ??
    incident.trigger?.pid ??
    group?.find(({ finding }) => finding.subject.pid !== undefined)?.finding.subject.pid;
  if (pid === undefined) return incident;
  // The kernel's log may know the process by a pid of another namespace.
  const pids = new Set([
    pid,
    ...(group ?? []).flatMap(({ finding: { subject } }) =>
      subject.pid === pid || subject.otherPids?.includes(pid) === true
        ? [subject.pid, ...(subject.otherPids ?? [])]
        : [],
    ),
  ]);
  const looks = evidence.filter(
    (fact): fact is MemoryLook => fact.kind === 'memory-look' && pids.has(fact.pid),
  );
  if (looks.length === 0) return incident;
  let memory: MemoryPicture = incident.memory;
  for (const { picture } of looks) memory = merge(memory, picture);
  const stack = incident.stack.length > 0 ? incident.stack : stackOf(memory.threads ?? []);
  return { ...incident, memory, stack };
}

/** Every look knows other things; of the same thing the later look speaks. Notes add up. */
function merge(a: MemoryPicture, b: MemoryPicture): MemoryPicture {
  const notes = [...(a.notes ?? []), ...(b.notes ?? [])];
  return { ...a, ...b, ...(notes.length === 0 ? {} : { notes: [...new Set(notes)] }) };
}

/** The thread that held the GIL ran; where nobody did, the main thread. */
function stackOf(threads: readonly Thread[]): readonly StackFrame[] {
  const running = threads.find(({ holdsGil }) => holdsGil) ?? threads[0];
  return running?.stack ?? [];
}
