import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { causes, type Cause } from '../model/causes.ts';
import { renderMarkdown } from '../render/markdown-terminal.ts';
import { hanging, inked, type Line } from '../render/terminal/layout.ts';
import { Problem } from './problem.ts';
import { terminalOptions, type Terminal } from './terminal-options.ts';

const documents = new URL('../../docs/', import.meta.url);

export function configure(command: Command): void {
  command
    .argument('[cause]', 'a cause, or a memory smell; without one: a list of all')
    .option('--no-color', 'no colours')
    .action((name: string | undefined, options: { readonly color: boolean }) => {
      const terminal = terminalOptions(process.stdout, process.env, options);
      process.stdout.write(
        name === undefined ? index(terminal) : renderMarkdown(page(name), terminal),
      );
    });
}

/** Ids of all pages of a folder. */
function pages(folder: 'causes' | 'smells'): readonly string[] {
  const path = new URL(`${folder}/`, documents);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .map((file) => file.slice(0, -'.md'.length))
    .sort();
}

function page(name: string): string {
  for (const folder of ['causes', 'smells'] as const)
    // Only names that are listed: nothing else of the file system can be asked for.
    if (pages(folder).includes(name))
      return readFileSync(new URL(`${folder}/${name}.md`, documents), 'utf8');
  const all = [...Object.keys(causes), ...pages('smells')];
  const near = all.filter((id) => id.includes(name) || name.includes(id));
  throw new Problem(
    `there is no cause and no smell named ${JSON.stringify(name)}`,
    near.length > 0
      ? `Did you mean ${near.slice(0, 3).join(', ')}?`
      : 'coroner explain lists them all.',
  );
}

function index(terminal: Terminal): string {
  const width = Math.min(terminal.columns, 110) - 1;
  const ids = Object.keys(causes) as Cause[];
  const smells = pages('smells');
  const column = Math.max(...ids.map((id) => id.length), ...smells.map((id) => id.length)) + 2;
  const lines: Line[] = [];
  const row = (id: string, text: string): void => {
    lines.push(
      ...hanging([{ text: '  ' }, { text: id.padEnd(column), style: ['cyan'] }], [{ text }], width),
    );
  };
  const deaths = {
    slow: 'A slow death',
    obvious: 'An obvious death',
    disguised: 'A disguised death',
    assassination: 'Death by assassination',
    none: 'Look-alikes and unknowns',
  } as const;
  for (const [death, title] of Object.entries(deaths)) {
    if (lines.length > 0) lines.push([]);
    lines.push([{ text: title, style: ['bold'] }]);
    for (const id of ids) if (causes[id].death === death) row(id, causes[id].title);
  }
  if (smells.length > 0) {
    lines.push([], [{ text: 'Memory smells', style: ['bold'] }]);
    for (const id of smells) row(id, /^# +(.*)$/m.exec(page(id))?.[1] ?? '');
  }
  lines.push(
    [],
    [
      {
        text: 'coroner explain CAUSE tells what happened, how we know, what to do.',
        style: ['dim'],
      },
    ],
  );
  return inked(lines, terminal);
}
