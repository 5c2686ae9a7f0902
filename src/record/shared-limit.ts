/** Where coroner lives within the command's own limit, the command has less of it than it would have alone: the verdict says how much. */
import { parseKeyed } from '../machine/proc.ts';
import { textOf } from '../machine/read.ts';
import { isWithinCgroup } from '../model/cgroup-path.ts';
import { formatBytes, type Bytes } from '../model/units.ts';
import type { WatchedCgroup } from './cgroups.ts';
import type { Companion, CompanionContext } from './companion.ts';

/** A smaller share of the limit is not what the command died of. */
const leastShare = 0.03;

/** `self`: the folder of this process in /proc. */
export function sharedLimit(self = '/proc/self'): Companion {
  let context: CompanionContext | null = null;
  let cgroups: readonly WatchedCgroup[] = [];
  return {
    started: (_pid, given) => {
      context = given;
    },
    onSample: (event) => {
      cgroups = event.cgroups;
    },
    ended: () => {
      const limit = smallestShared(cgroups, textOf(`${self}/cgroup`) ?? '');
      if (context === null || limit === null) return;
      // Its program's pages are files': they are given back before anything is killed.
      const heldBytes = parseKeyed(textOf(`${self}/status`) ?? '').get('RssAnon') ?? 0;
      if (heldBytes < limit.bytes * leastShare) return;
      context.missed({
        id: 'recorder',
        place: limit.path,
        status: 'read',
        detail: `coroner ran within the same limit and held ${formatBytes(heldBytes)} of its ${formatBytes(limit.bytes)}`,
      });
    },
  };
}

/** The smallest limit that holds for this process too, by its `/proc/self/cgroup`. */
function smallestShared(
  cgroups: readonly WatchedCgroup[],
  membership: string,
): { readonly path: string; readonly bytes: Bytes } | null {
  const own = membership.split('\n').map((line) => line.split(':'));
  const paths = { 1: pathIn(own, 'memory'), 2: pathIn(own, '') };
  const shared = cgroups.flatMap(({ place: { version, path }, limits: { limitBytes } }) => {
    const mine = paths[version];
    return limitBytes === null || mine === null || !isWithinCgroup(mine, path)
      ? []
      : [{ path, bytes: limitBytes }];
  });
  return shared.sort((a, b) => a.bytes - b.bytes)[0] ?? null;
}

/** `lines`: `id:controllers:path`; the hierarchy of v2 names no controller. */
function pathIn(lines: readonly (readonly string[])[], controller: string): string | null {
  const line = lines.find(([, controllers]) => controllers?.split(',').includes(controller));
  return line === undefined ? null : line.slice(2).join(':');
}
