import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { renderBrief } from '../render/brief.ts';
import { renderJson } from '../render/json.ts';
import { redact as redacted } from '../render/redact.ts';
import { renderTerminal } from '../render/terminal.ts';
import { recurrenceOf, recurrenceText } from '../model/recurrence.ts';
import { isoTime } from '../model/units.ts';
import { listIncidentFolders } from '../store/incidents.ts';
import {
  deathsIn,
  isIncidentName,
  rootOf,
  loadIncident,
  type LoadedIncident,
} from './incident-store.ts';
import { checkOutputs, isStdout, withDefault, writeOutput } from './output-path.ts';
import {
  addFileOptions,
  htmlOf,
  outputsOf,
  redactHelp,
  writeReportFiles,
  type FileOptions,
  briefHelp,
  sayWritten,
} from './report-files.ts';
import { sourceHelp, withSourceBelow } from './source-option.ts';
import { terminalOptions } from './terminal-options.ts';

interface Options extends FileOptions {
  readonly json?: string | true;
  readonly open?: true;
  readonly verbose?: true;
  readonly quiet?: true;
  readonly brief?: true;
  readonly color: boolean;
  readonly store?: string;
}

export function configure(command: Command): void {
  command
    .argument(
      '[incident]',
      'last, an id or the start of one, an incident folder, a report in JSON',
      'last',
    )
    .option('--json [file]', 'the report as JSON, to a file or (-) to standard output')
    .option('--verbose', 'everything there is, instead of the short story')
    .option('-q, --quiet', 'one line for each death')
    .option('--brief', briefHelp)
    .option('--open', 'open the page in the browser')
    .option('--redact', redactHelp);
  addFileOptions(command)
    .option('--no-color', 'no colours')
    .option('--source <dir>', sourceHelp)
    .option('--store <dir>', 'where the incident folders are, if not in the default place')
    .action((which: string, options: Options) => show(which, options));
}

async function show(which: string, options: Options): Promise<void> {
  const root = rootOf(options.store);
  checkOutputs(outputsOf(options), {
    force: options.force === true,
    inputs: [which],
    // `show --json last`: the incident was meant, and the option took it.
    guess: ({ option, path }) =>
      isIncidentName(path, root) ? `did you mean: coroner show ${option} - ${path}` : null,
  });
  const loaded = loadIncident(which, root);
  const { name } = loaded;
  const redact = options.redact === true;
  const { report: told, sourceText } = withSourceBelow(
    loaded.report,
    loaded.sourceText,
    redact ? undefined : options.source,
    loaded.recording,
  );
  const whole = { report: told, recording: loaded.recording };
  const { report, recording } = redact ? redacted(whole) : whole;
  const annotations = await writeReportFiles(report, recording, {
    ...options,
    sourceText: redact ? undefined : sourceText,
  });
  sayWritten(options);
  if (options.open === true)
    open(await htmlOf(report, recording, redact ? undefined : sourceText), name);
  if (options.json !== undefined) {
    const path = withDefault(options.json);
    writeOutput(path, renderJson(report));
    if (isStdout(path)) return;
  }
  const again = againOf(loaded, root);
  if (options.brief === true) {
    process.stdout.write(annotations + renderBrief(report, again));
    return;
  }
  process.stdout.write(
    annotations +
      renderTerminal(report, {
        ...terminalOptions(process.stdout, process.env, options),
        verbose: options.verbose === true,
        quiet: options.quiet === true,
        recording,
        again,
      }),
  );
}

/** `the 7th time since Tuesday`, of an incident of the store. */
function againOf({ folder }: LoadedIncident, root: string): string | undefined {
  if (folder === null) return undefined;
  const deaths = deathsIn(listIncidentFolders(root));
  const own = deaths.find((death) => death.folder === folder);
  const recurrence = own === undefined ? null : recurrenceOf(own, deaths);
  return recurrence === null
    ? undefined
    : recurrenceText(recurrence, isoTime(Date.now()) ?? recurrence.since);
}

/** A folder of its own that only this user may read: the page holds command lines. */
function open(html: string, name: string): void {
  const file = join(
    mkdtempSync(join(tmpdir(), 'coroner-')),
    `${name.replaceAll(/[^\w.-]/g, '_')}.html`,
  );
  writeFileSync(file, html, { mode: 0o600 });
  process.stderr.write(`coroner: ${file}\n`);
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [pathToFileURL(file).href], { detached: true, stdio: 'ignore' });
  child.on('error', () => {
    process.stderr.write(`coroner: no ${opener} here: open the file by hand\n`);
  });
  child.unref();
}
