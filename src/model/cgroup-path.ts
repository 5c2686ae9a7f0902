/** Paths of cgroups as the kernel names them: `/`, `/job`, `/kubepods.slice/pod1`. Nothing here looks at a disk. */

/** Without slashes at its end, so that `''` is the root: what stands in front of a child's name. */
const trunk = (path: string): string => path.replace(/(?<!\/)\/+$/, '');

/** Whether `path` is `upper` itself or below it: `/job/a` is within `/job` and within `/`, `/job10` is not within `/job1`. */
export const isWithinCgroup = (path: string, upper: string): boolean =>
  `${trunk(path)}/`.startsWith(`${trunk(upper)}/`);

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
  trunk(seenFromInside) !== '' && trunk(path).endsWith(trunk(seenFromInside));

/** Whether `part` (`job`, `/job/a`) is a whole stretch of the names that `path` is made of. */
export const passesThroughCgroup = (path: string, part: string): boolean =>
  `${trunk(path)}/`.includes(`/${trunk(part).replace(/^\/+/, '')}/`);

const containers =
  /docker|kubepods|containerd|crio|libpod|lxc|machine\.slice|nspawn|(?<![0-9a-z])[0-9a-f]{32,64}(?![0-9a-z])/;

/** Whether a cgroup is a container's, by what runtimes name theirs: its processes see other pids than the kernel's log. */
export const isContainerCgroup = (path: string | undefined): boolean =>
  path !== undefined && containers.test(path);
