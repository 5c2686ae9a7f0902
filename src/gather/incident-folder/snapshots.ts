import { defined } from '../../model/defined.ts';
import { withHolderKinds } from '../../model/holder-kinds.ts';
import type { HeapSnapshot } from '../../model/evidence.ts';
import type { SnapshotFile } from '../../model/incident-folder.ts';
import type { RecordedSnapshot } from '../../model/recording.ts';

/** A look with the file it stands in. */
export interface ReadSnapshot extends RecordedSnapshot {
  readonly place: string;
  /** When the process was let go: until then nothing changed in it. */
  readonly untilMs: number;
}

/** Looks of an incident folder (`looks/NNN-PID.json`), the earliest first. A file that was cut off is left out. */
export function snapshotsIn(texts: ReadonlyMap<string, string>): readonly ReadSnapshot[] {
  const snapshots: ReadSnapshot[] = [];
  for (const [place, text] of texts) {
    if (!/^looks\/[^/]+\.json$/.test(place)) continue;
    const snapshot = parse(text);
    if (snapshot === null) continue;
    const { atMs, pid, name, rssBytes, stoppedMs, picture } = snapshot;
    const untilMs = atMs + (typeof stoppedMs === 'number' ? stoppedMs : 0);
    snapshots.push({
      place,
      untilMs,
      atMs,
      pid,
      name,
      picture,
      ...defined({ rssBytes }),
    });
  }
  return snapshots.sort((a, b) => a.atMs - b.atMs || (a.place < b.place ? -1 : 1));
}

function parse(text: string): SnapshotFile | null {
  try {
    const value = JSON.parse(text) as SnapshotFile | null;
    const isSnapshot =
      value?.format === 'coroner-look/1' &&
      typeof value.atMs === 'number' &&
      typeof value.pid === 'number' &&
      typeof value.picture === 'object' &&
      value.picture !== null;
    return isSnapshot
      ? { ...value, name: String(value.name), picture: withHolderKinds(value.picture) }
      : null;
  } catch {
    return null;
  }
}

/** The last look into each process that has died, with its age at that moment. */
export function snapshotEvidence(
  snapshots: readonly ReadSnapshot[],
  endedMs: (pid: number) => number | null,
): readonly HeapSnapshot[] {
  const last = new Map<number, ReadSnapshot>();
  // A later look that got as far as holders wins over an earlier one; stacks alone do not replace holders.
  for (const snapshot of snapshots) {
    const known = last.get(snapshot.pid);
    if (known === undefined || hasHolders(snapshot) || !hasHolders(known))
      last.set(snapshot.pid, snapshot);
  }
  return [...last.values()].map(({ place, pid, name, untilMs, picture }) => {
    const ended = endedMs(pid);
    return {
      kind: 'heap-snapshot',
      origin: { source: 'last-look', place },
      pid,
      name,
      picture: {
        ...picture,
        ...(ended === null ? {} : { ageAtDeathMs: Math.max(0, ended - untilMs) }),
      },
    };
  });
}

const hasHolders = ({ picture }: ReadSnapshot): boolean => (picture.holders?.length ?? 0) > 0;
