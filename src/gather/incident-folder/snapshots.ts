import type { MemoryLook } from '../../model/evidence.ts';
import type { LookFile } from '../../model/incident-folder.ts';
import type { Look } from '../../model/recording.ts';

/** A look with the file it stands in. */
export interface ReadLook extends Look {
  readonly place: string;
  /** When the process was let go: until then nothing changed in it. */
  readonly untilMs: number;
}

/** Looks of an incident folder (`looks/NNN-PID.json`), the earliest first. A file that was cut off is left out. */
export function looksIn(texts: ReadonlyMap<string, string>): readonly ReadLook[] {
  const looks: ReadLook[] = [];
  for (const [place, text] of texts) {
    if (!/^looks\/[^/]+\.json$/.test(place)) continue;
    const look = parse(text);
    if (look === null) continue;
    const { atMs, pid, name, rssBytes, stoppedMs, picture } = look;
    const untilMs = atMs + (typeof stoppedMs === 'number' ? stoppedMs : 0);
    looks.push({
      place,
      untilMs,
      atMs,
      pid,
      name,
      picture,
      ...(rssBytes === undefined ? {} : { rssBytes }),
    });
  }
  return looks.sort((a, b) => a.atMs - b.atMs || (a.place < b.place ? -1 : 1));
}

function parse(text: string): LookFile | null {
  try {
    const value = JSON.parse(text) as LookFile | null;
    const isLook =
      value?.format === 'coroner-look/1' &&
      typeof value.atMs === 'number' &&
      typeof value.pid === 'number' &&
      typeof value.picture === 'object' &&
      value.picture !== null;
    return isLook ? { ...value, name: String(value.name) } : null;
  } catch {
    return null;
  }
}

/** The last look into each process that has died, with its age at that moment. */
export function lookEvidence(
  looks: readonly ReadLook[],
  endedMs: (pid: number) => number | null,
): readonly MemoryLook[] {
  const last = new Map<number, ReadLook>();
  // A later look that got as far as holders wins over an earlier one; stacks alone do not replace holders.
  for (const look of looks) {
    const known = last.get(look.pid);
    if (known === undefined || hasHolders(look) || !hasHolders(known)) last.set(look.pid, look);
  }
  return [...last.values()].map(({ place, pid, name, untilMs, picture }) => {
    const ended = endedMs(pid);
    return {
      kind: 'memory-look',
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

const hasHolders = ({ picture }: ReadLook): boolean => (picture.holders?.length ?? 0) > 0;
