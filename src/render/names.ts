/** What processes, limits and amounts of memory are called. */
import { nameWithPid } from '../model/name-with-pid.ts';
import type { CulpritRole, Limit, LimitOwner, ProcessRole } from '../model/report.ts';
import { formatBytes } from '../model/units.ts';
import { groupedDigits } from '../model/words.ts';

/** `python3 (pid 2400)`. */
export function processName({ name, pid }: ProcessRole): string {
  return name === undefined && pid !== undefined
    ? `pid ${pid}`
    : nameWithPid({ name, pid }, 'an unnamed process');
}

/** `95.5 MiB anonymous, 6.13 MiB file, 12 MiB swap`; empty where nothing is known. */
export function memoryParts(role: ProcessRole): string {
  const parts: readonly (readonly [number | undefined, string])[] = [
    [role.anonRssBytes, 'anonymous'],
    [role.shmemRssBytes, 'shared'],
    [role.fileRssBytes, 'file'],
    [role.swapBytes, 'in swap'],
  ];
  return parts
    .filter(([bytes]) => bytes !== undefined && bytes > 0)
    .map(([bytes, name]) => `${formatBytes(bytes ?? 0)} ${name}`)
    .join(', ');
}

const notAProcess: Readonly<Record<Exclude<CulpritRole['what'], 'process'>, string>> = {
  processes: 'several processes together',
  tmpfs: 'files in tmpfs or shared memory, not a process',
  slab: "the kernel's own objects (slab), no process",
  kernel: 'the kernel itself, not a process',
  'page-cache': 'cached file pages, not a process',
  hugetlb: 'huge pages set aside, not a process',
  sockets: 'socket buffers, not a process',
  unknown: 'not known',
};

/** Who held the memory, with how much of it. */
export function culpritName(culprit: CulpritRole): string {
  const parts = memoryParts(culprit);
  const total = culprit.bytes === undefined ? parts : formatBytes(culprit.bytes);
  const who =
    culprit.what === 'process' ||
    (culprit.what === 'unknown' && (culprit.pid ?? culprit.name) !== undefined)
      ? processName(culprit)
      : culprit.name === undefined
        ? notAProcess[culprit.what]
        : `${culprit.name}: ${notAProcess[culprit.what]}`;
  return total === '' ? who : `${who}: ${total}`;
}

const ownerLabels: Readonly<Record<LimitOwner, string>> = {
  host: 'the whole machine',
  cgroup: 'cgroup',
  rlimit: 'resource limit',
  overcommit: "the kernel's overcommit rule",
  'address-space': 'address space',
  'map-count': 'vm.max_map_count',
  'numa-node': 'NUMA node',
  daemon: 'memory guard',
  orchestrator: 'orchestrator',
  scheduler: 'job scheduler',
  platform: 'platform',
  runtime: 'language runtime',
  gpu: 'GPU memory',
  shm: 'shared memory (/dev/shm)',
  budget: 'budget',
  unknown: 'a limit that could not be identified',
};

/** `cgroup /job: 100 MiB`, `RLIMIT_AS: 512 MiB`, `the whole machine: 15.6 GiB`. */
export function limitName({ owner, path, bytes }: Limit): string {
  const name =
    path === undefined || path === ''
      ? ownerLabels[owner]
      : (owner === 'rlimit' && path.startsWith('RLIMIT_')) ||
          (owner === 'budget' && path.startsWith('--'))
        ? path
        : owner === 'overcommit' || owner === 'host'
          ? `${ownerLabels[owner]} (${path})`
          : `${ownerLabels[owner]} ${path}`;
  if (bytes === null) return name;
  return owner === 'map-count' ? `${name}` : `${name}: ${formatBytes(bytes)}`;
}

/** `the kernel`, `systemd-oomd`. */
export const killerName = (name: string): string => (name === 'kernel' ? 'the kernel' : name);

/** `7.28 TiB (8,000,000,000,000 bytes)`. */
export const exactBytes = (bytes: number): string =>
  bytes < 1000 ? formatBytes(bytes) : `${formatBytes(bytes)} (${groupedDigits(bytes)} bytes)`;

/** Paths below the directory in which the command ran, as the user knows them. */
export const belowDirectory = (text: string, cwd: string | undefined): string =>
  cwd === undefined || cwd.length < 2 ? text : text.replaceAll(`${cwd.replace(/\/$/, '')}/`, '');
