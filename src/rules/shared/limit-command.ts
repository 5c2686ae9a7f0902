import type { Bytes } from '../../model/units.ts';

/** What to type to give a cgroup this much, by whoever manages it. null: its manager cannot be told from the path. */
export function limitCommand(path: string, bytes: Bytes): string | null {
  const mebibytes = Math.ceil(bytes / 2 ** 20);
  const docker = /(?:^|\/)(?:docker[-/])([\da-f]{64})/.exec(path)?.[1];
  if (docker !== undefined)
    return `docker update --memory ${mebibytes}m --memory-swap ${mebibytes}m ${docker.slice(0, 12)}`;
  if (path.includes('kubepods'))
    return `kubectl set resources deployment NAME --requests=memory=${mebibytes}Mi --limits=memory=${mebibytes}Mi`;
  if (/\/slurm/.test(path)) return `sbatch --mem=${mebibytes}M SCRIPT`;
  const unit = path
    .split('/')
    .findLast((component) => /^[\w@:.-]{1,248}\.(?:service|slice)$/.test(component));
  if (unit !== undefined && !/^user-\d|^user@|^-\./.test(unit))
    return `systemctl set-property ${unit} MemoryMax=${mebibytes}M`;
  return null;
}
