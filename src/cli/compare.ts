import type { Command } from 'commander';
import { compareRuns, renderComparison } from '../render/compare.ts';
import { rootOf, loadIncident } from './incident-store.ts';
import { terminalOptions } from './terminal-options.ts';

interface Options {
  readonly json?: true;
  readonly color: boolean;
  readonly store?: string;
}

export function configure(command: Command): void {
  command
    .argument('<before>', 'an incident: last, an id, a folder, a report in JSON')
    .argument('<after>', 'another one')
    .option('--json', 'as JSON')
    .option('--no-color', 'no colours')
    .option('--store <dir>', 'where the incident folders are, if not in the default place')
    .action((before: string, after: string, options: Options) => {
      const root = rootOf(options.store);
      const comparison = compareRuns(loadIncident(before, root), loadIncident(after, root));
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify(comparison, null, 2)}\n`
          : renderComparison(comparison, terminalOptions(process.stdout, process.env, options)),
      );
    });
}
