/** Snapshots in the incident folder: written at each step, as the process may die or coroner with it, and thinned out. */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { replaceFile } from '../../files/held-folder.ts';
import type { SnapshotFile } from '../../model/incident-folder.ts';

const keptSnapshots = 3;
const keptFirst = 20;
const keptLast = 80;

export const snapshotPath = (folder: string, count: number, pid: number): string =>
  `${folder}/looks/${String(count).padStart(3, '0')}-${pid}.json`;

/** Replaces the file of an earlier step. A full disk costs the snapshot, not the run. */
export function writeSnapshot(path: string, content: SnapshotFile): void {
  try {
    replaceFile(dirname(path), `${basename(path)}.part`, JSON.stringify(content));
    renameSync(`${path}.part`, path);
  } catch {
    // No room, or the folder is gone.
  }
}

/**
 * Removes what no verdict would use: only the last snapshots of a process count, with the last one that named a holder (`named`, a path), and of a run with thousands of deaths those of the first
 * processes and of the last ones.
 */
export function dropOldSnapshots(folder: string, pid: number, named?: string): void {
  try {
    const snapshots = readdirSync(`${folder}/looks`)
      .map((name) => ({
        name,
        at: Number.parseInt(name, 10),
        pid: /-(\d+)\.json$/.exec(name)?.[1],
      }))
      .sort((a, b) => a.at - b.at);
    const mine = snapshots.filter((one) => one.pid === String(pid));
    const processes = [...new Set(snapshots.map((one) => one.pid))];
    const forgotten = new Set(
      processes.slice(keptFirst, Math.max(keptFirst, processes.length - keptLast)),
    );
    for (const { name } of [
      ...mine.slice(0, -keptSnapshots),
      ...snapshots.filter((one) => forgotten.has(one.pid)),
    ])
      if (named === undefined || basename(named) !== name)
        rmSync(`${folder}/looks/${name}`, { force: true });
  } catch {
    // The folder is gone: so are the snapshots.
  }
}
