import type { Evidence, HeapSnapshot } from '../model/evidence.ts';
import type { Question } from '../model/finding.ts';
import { withoutRepeats } from '../model/prose.ts';
import type { Incident, MemoryPicture, SourceReport, StackFrame, Thread } from '../model/report.ts';
import type { DeathGroup } from './join.ts';

/** A source of this id says why nobody looked into a process; its place is `/proc/PID/mem`. */
export const finalSnapshotId = 'last-look';

/** Adds what was seen inside the process that an incident is about: the last look, the agent's tables. */
export function withMemory(
  incident: Incident,
  evidence: readonly Evidence[],
  group?: DeathGroup,
  sources: readonly SourceReport[] = [],
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
  const snapshots = evidence.filter(
    (fact): fact is HeapSnapshot => fact.kind === 'heap-snapshot' && pids.has(fact.pid),
  );
  let memory: MemoryPicture = incident.memory;
  for (const { picture } of snapshots) memory = merge(memory, picture);
  const stack = incident.stack.length > 0 ? incident.stack : stackOf(memory.threads ?? []);
  const unknown =
    (memory.holders?.length ?? 0) > 0 || incident.outOfMemory === false
      ? incident.unknown
      : [...incident.unknown, ...withoutSnapshot(sources, pids, stack.length > 0)];
  return { ...incident, memory, stack, unknown };
}

/** Nobody knows which variables held the memory of a Python into which nobody looked: why, and what would have told. */
function withoutSnapshot(
  sources: readonly SourceReport[],
  pids: ReadonlySet<number | undefined>,
  hasStack: boolean,
): Question[] {
  const source = sources.find(
    ({ id, place, status }) =>
      id === finalSnapshotId &&
      status !== 'read' &&
      pids.has(Number(/^\/proc\/(\d+)\/mem$/.exec(place)?.[1])),
  );
  if (source === undefined) return [];
  return [
    {
      id: 'which-variables',
      what: `which variables held the memory${hasStack ? '' : ', and which lines ran'}`,
      why: source.detail ?? `no last look into the process was taken (${source.status})`,
      command: source.command ?? null,
    },
  ];
}

/** Every look knows other things; of the same thing the later look speaks. Notes add up. */
function merge(a: MemoryPicture, b: MemoryPicture): MemoryPicture {
  const notes = [...(a.notes ?? []), ...(b.notes ?? [])];
  return {
    ...a,
    ...b,
    ...(notes.length === 0 ? {} : { notes: withoutRepeats(notes, (note) => note) }),
  };
}

/** The thread that held the GIL ran; where nobody did, the main thread. */
function stackOf(threads: readonly Thread[]): readonly StackFrame[] {
  const running = threads.find(({ holdsGil }) => holdsGil) ?? threads[0];
  return running?.stack ?? [];
}
