import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { isFileRefusal, openNamed, readSafely } from '../files/open-safely.ts';
import { withHolderKinds } from '../model/holder-kinds.ts';
import { repaired } from '../model/repair.ts';
import { inspectionSchema } from '../model/report-schema.ts';
import { compareRuns, type Run } from '../render/compare.ts';
import { renderComparison } from '../render/comparison.ts';
import { rootOf, loadIncident } from './incident-store.ts';
import { terminalOptions } from './terminal-options.ts';

interface Options {
  readonly json?: true;
  readonly color: boolean;
  readonly store?: string;
}

export function configure(command: Command): void {
  command
    .argument('<before>', 'a run, a look or a report: last, an id, a folder, a file of --json')
    .argument('<after>', 'another one')
    .option('--json', 'as JSON')
    .option('--no-color', 'no colours')
    .option('--store <dir>', 'where the incident folders are, if not in the default place')
    .addHelpText(
      'after',
      '\nFiles are those of `coroner run --json`, `show --json`, `diagnose --json` and `inspect --json`. Folders,\n' +
        'pids and counts in names do not matter: runs of two machines, two Pythons and two notebooks can be compared.',
    )
    .action((before: string, after: string, options: Options) => {
      const root = rootOf(options.store);
      const comparison = compareRuns(load(before, root), load(after, root));
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify(comparison, null, 2)}\n`
          : renderComparison(comparison, terminalOptions(process.stdout, process.env, options)),
      );
    });
}

const load = (which: string, root: string): Run => lookIn(which) ?? loadIncident(which, root);

const mostBytes = 2 ** 29;

/** A file of `coroner inspect --json`; null: it is something else. */
function lookIn(which: string): Run | null {
  if (!existsSync(which) || !statSync(which).isFile()) return null;
  const text = readSafely(openNamed(which, { mostBytes }), mostBytes);
  if (isFileRefusal(text)) return null;
  try {
    const value = JSON.parse(text.toString('utf8')) as Record<string, unknown>;
    if (value['incidents'] !== undefined || value['memory'] === undefined) return null;
    const look = repaired(inspectionSchema, value)?.value.memory;
    if (look === undefined) return null;
    return {
      name: basename(which),
      report: { format: 'coroner/1', incidents: [], sources: [] },
      look: withHolderKinds(look),
    };
  } catch {
    return null;
  }
}
