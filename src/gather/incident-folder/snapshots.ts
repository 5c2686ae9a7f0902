import { defined } from '../../model/defined.ts';
import { withHolderKinds } from '../../model/holder-kinds.ts';
import type { HeapSnapshot } from '../../model/evidence.ts';
import type { SnapshotFile } from '../../model/incident-folder.ts';
import { repaired } from '../../model/repair.ts';
import type { SourceReport } from '../../model/report.ts';
import { memoryPicture } from '../../model/report-schema.ts';
import { parseFields } from '../../store/recorded-lines.ts';
import {
  conform,
  isAmount,
  isBoolean,
  isCount,
  isFields,
  isMoment,
  isPid,
  isText,
  object,
  oneOf,
  optional,
  otherwise,
  required,
  type Shape,
} from '../../store/shape.ts';
import type { RecordedSnapshot } from '../../model/recording.ts';

/** A look with the file it stands in. */
export interface ReadSnapshot extends RecordedSnapshot {
  readonly place: string;
  /** When the process was let go: until then nothing changed in it. */
  readonly untilMs: number;
}

/** Looks of an incident folder (`looks/NNN-PID.json`), the earliest first. A file that was cut off is left out. */
export function snapshotsIn(texts: ReadonlyMap<string, string>): {
  readonly snapshots: readonly ReadSnapshot[];
  /** Of the files that were left out, or of which something was. */
  readonly unread: readonly SourceReport[];
} {
  const snapshots: ReadSnapshot[] = [];
  const unread: SourceReport[] = [];
  const id = 'last-look';
  for (const [place, text] of texts) {
    if (!/^looks\/[^/]+\.json$/.test(place)) continue;
    const read = parseSnapshot(text);
    if (read === null) {
      unread.push({ id, place, status: 'malformed', detail: 'it could not be read' });
      continue;
    }
    if (!read.whole)
      unread.push({ id, place, status: 'malformed', detail: 'a part of it could not be read' });
    const { snapshot } = read;
    const { atMs, pid, name, rssBytes, stoppedMs, stops, cutShort, picture } = snapshot;
    const untilMs = atMs + (stoppedMs ?? 0);
    snapshots.push({
      place,
      untilMs,
      atMs,
      pid,
      name,
      picture,
      ...defined({ rssBytes, stops, cutShort }),
    });
  }
  snapshots.sort((a, b) => a.atMs - b.atMs || (a.place < b.place ? -1 : 1));
  return { snapshots, unread };
}

const snapshotShape: Shape = [
  required('format', oneOf('coroner-look/1')),
  required('pid', isPid),
  required('atMs', isMoment),
  otherwise('name', isText, '?'),
  optional('rssBytes', isAmount),
  optional('cutShort', isBoolean),
  optional('stoppedMs', isAmount),
  optional(
    'stops',
    object(
      otherwise('count', isCount, 0),
      otherwise('sumMs', isAmount, 0),
      otherwise('longestMs', isAmount, 0),
    ),
  ),
  required('picture', isFields),
];

/** null: it is none, or cut off. */
function parseSnapshot(
  text: string,
): { readonly snapshot: SnapshotFile; readonly whole: boolean } | null {
  const fields = parseFields(text);
  const result = fields === null ? 'none' : conform(fields, snapshotShape);
  if (fields === null || result === 'none') return null;
  const picture = repaired(memoryPicture, fields['picture']);
  if (picture === null) return null;
  return {
    snapshot: {
      ...(fields as unknown as SnapshotFile),
      picture: withHolderKinds(picture.value),
    },
    whole: result === 'whole' && picture.whole,
  };
}

/** A snapshot that ran out of time shows little of what there was: an earlier one that explains twice as much is better, although it is older. */
const worthItsAge = 2;

/** The last snapshot of each process that has died, with its age at that moment. */
export function snapshotEvidence(
  snapshots: readonly ReadSnapshot[],
  endedMs: (pid: number) => number | null,
): readonly HeapSnapshot[] {
  const last = new Map<number, ReadSnapshot>();
  // A later one that got as far as holders wins over an earlier one; stacks alone do not replace holders.
  for (const snapshot of snapshots) {
    const known = last.get(snapshot.pid);
    const explainsLess =
      known !== undefined &&
      snapshot.cutShort === true &&
      worthItsAge * explained(snapshot) < explained(known);
    if (known === undefined || !hasHolders(known) || (hasHolders(snapshot) && !explainsLess))
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

/** Share of the process's memory that its holders account for; without its size, whether there are any. */
function explained({ picture: { holders = [] }, rssBytes = 0 }: ReadSnapshot): number {
  if (rssBytes === 0) return holders.length > 0 ? 1 : 0;
  return holders.reduce((sum, { retainedBytes }) => sum + retainedBytes, 0) / rssBytes;
}

const hasHolders = ({ picture }: ReadSnapshot): boolean => (picture.holders?.length ?? 0) > 0;
