import { basename } from 'node:path';
import type { Command } from 'commander';
import { formatBytes, parseSize } from '../model/units.ts';
import { listIncidentFolders, readStart } from '../store/incidents.ts';
import { beyondSize, folderBytes, removeIncident } from '../store/retention.ts';
import { findFolder, isRunning, rootOf } from './incident-store.ts';
import { Problem } from './problem.ts';

interface Options {
  readonly all?: true;
  readonly olderThan?: string;
  readonly keepSize?: string;
  readonly dryRun?: true;
  readonly store?: string;
}

export function configure(command: Command): void {
  command
    .argument('[incident...]', 'ids, or the start of one; last')
    .option('--older-than <age>', 'all that are older: 30d, 12h')
    .option('--keep-size <size>', 'the oldest, until the rest holds no more than this: 500M')
    .option('--all', 'all of them')
    .option('-n, --dry-run', 'only say what would be removed')
    .option('--store <dir>', 'where the incident folders are, if not in the default place')
    .action((ids: readonly string[], options: Options) => remove(ids, options));
}

function remove(ids: readonly string[], options: Options): void {
  const root = rootOf(options.store);
  const wanted = foldersOf(ids, options, root);
  // What a recorder still writes stays, whatever was said.
  const running = wanted.filter((folder) => {
    const start = readStart(folder);
    return start !== null && isRunning(start);
  });
  for (const folder of running)
    process.stderr.write(`coroner: ${basename(folder)} is still being recorded, it stays\n`);
  const going = wanted.filter((folder) => !running.includes(folder));
  let bytes = 0;
  let gone = 0;
  for (const folder of going) {
    const size = folderBytes(folder);
    if (options.dryRun === true)
      process.stdout.write(`${basename(folder)}  ${formatBytes(size)}\n`);
    if (options.dryRun !== true && !removeIncident(folder)) {
      process.stderr.write(`coroner: cannot remove ${folder}\n`);
      continue;
    }
    bytes += size;
    gone += 1;
  }
  process.stdout.write(
    `${options.dryRun === true ? 'would remove' : 'removed'} ${gone} ${gone === 1 ? 'incident' : 'incidents'}, ${formatBytes(bytes)}\n`,
  );
}

function foldersOf(
  ids: readonly string[],
  { all, olderThan, keepSize }: Options,
  root: string,
): readonly string[] {
  const folders = listIncidentFolders(root);
  if (all === true) return folders;
  const chosen = new Set(ids.map((id) => findFolder(id, root)));
  if (olderThan !== undefined) {
    const before = Date.now() - ageMs(olderThan);
    for (const folder of folders) {
      const start = readStart(folder);
      if (start !== null && Date.parse(start.startedAt) < before) chosen.add(folder);
    }
  }
  if (keepSize !== undefined) {
    const most = parseSize(keepSize);
    if (most === null) throw new Problem(`--keep-size: "${keepSize}" is no size (like 500M, 2G)`);
    for (const folder of beyondSize(folders, most)) chosen.add(folder);
  }
  if (ids.length === 0 && olderThan === undefined && keepSize === undefined)
    throw new Problem(
      'rm: nothing was named',
      'coroner rm ID, --older-than 30d, --keep-size 500M or --all',
    );
  return [...chosen];
}

const unitsMs = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

function ageMs(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([mhdw])$/.exec(text) ?? [];
  if (amount === undefined || unit === undefined)
    throw new Problem(`--older-than: "${text}" is no age (like 12h, 30d, 4w)`);
  return Number(amount) * unitsMs[unit as keyof typeof unitsMs];
}
