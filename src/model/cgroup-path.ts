/** Paths of cgroups as the kernel names them: `/`, `/job`, `/kubepods.slice/pod1`. Nothing here looks at a disk. */

/** Without slashes at its end, so that `''` is the root: what stands in front of a child's name. */
const trunk = (path: string): string => path.replace(/(?<!\/)\/+$/, '');

/** Whether `path` is `upper` itself or below it: `/job/a` is within `/job` and within `/`, `/job10` is not within `/job1`. */
export const isWithinCgroup = (path: string, upper: string): boolean =>
  `${trunk(path)}/`.startsWith(`${trunk(upper)}/`);

/** One spelling for each cgroup, to look it up by: without slashes at its end, and `/` for the root. */
export const plainCgroup = (path: string): string => trunk(path) || '/';

/**
 * A cgroup's path and those above it in their plain spelling, the innermost first: `/a/b` gives `/a/b`, `/a`, `/`. These are the paths
 * that it is within, for whoever has too many cgroups to ask `isWithinCgroup` of each.
 */
export function withAncestors(path: string): readonly string[] {
  const paths: string[] = [];
  for (let rest = trunk(path); rest !== ''; rest = trunk(rest.slice(0, rest.lastIndexOf('/') + 1)))
    paths.push(rest);
  return [...paths, '/'];
}

/** Whether `upper` is strictly above `lower`. */
export const isAncestorCgroup = (upper: string, lower: string): boolean =>
  trunk(upper) !== trunk(lower) && isWithinCgroup(lower, upper);

/** Whether one of the two is the other or above it. */
export const areInOneLine = (a: string, b: string): boolean =>
  isWithinCgroup(a, b) || isWithinCgroup(b, a);

/**
 * The way from `upper` down to `path`: `/a` from `/job` to `/job/a`, '' where they are the same. null: `path` is not within it,
 * as in a container, whose processes name their cgroups from its own root.
 */
export const relativeToCgroup = (path: string, upper: string): string | null =>
  isWithinCgroup(path, upper) ? trunk(path).slice(trunk(upper).length) : null;

/**
 * Whether a path seen from inside a container, whose root is somewhere below the kernel's, can be the kernel's `path`:
 * `/docker/ID/job` ends in `/job`.
 */
export const endsInCgroup = (path: string, seenFromInside: string): boolean =>
  namesFromInside(path).includes(plainCgroup(seenFromInside));

/**
 * Every path, in its plain spelling, that `path` can have where it is seen from inside a container: `/docker/ID/job` gives
 * `/docker/ID/job`, `/ID/job`, `/job`. These are the ones in which it ends, for whoever has too many to ask `endsInCgroup` of each.
 */
export const namesFromInside = (path: string): readonly string[] =>
  [...trunk(path).matchAll(/\/+/g)].map(({ index }) => trunk(path).slice(index));

/** Whether `part` (`job`, `/job/a`) is a whole stretch of the names that `path` is made of. */
export const passesThroughCgroup = (path: string, part: string): boolean =>
  `${trunk(path)}/`.includes(`/${trunk(part).replace(/^\/+/, '')}/`);

const containers =
  /docker|kubepods|containerd|crio|libpod|lxc|machine\.slice|nspawn|(?<![0-9a-z])[0-9a-f]{32,64}(?![0-9a-z])/;

/** Whether a cgroup is a container's, by what runtimes name theirs: its processes see other pids than the kernel's log. */
export const isContainerCgroup = (path: string | undefined): boolean =>
  path !== undefined && containers.test(path);
