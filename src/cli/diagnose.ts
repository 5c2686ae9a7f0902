import { defined } from '../model/defined.ts';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { diagnose } from '../diagnose/diagnose.ts';
import { narrow, type Narrow } from '../diagnose/narrow.ts';
import { gather, gatherStream, gatherThisMachine, isUnreadable } from '../gather/gather.ts';
import { mergeGathered, type Gathered, type Wanted } from '../model/gathered.ts';
import type { Recording } from '../model/recording.ts';
import type { Report } from '../model/report.ts';
import type { BinaryPlaces } from '../python/process/binary-places.ts';
import { addBinaryOptions, placesOf, type BinaryOptions } from './binary-options.ts';
import { exitCodes } from './exit-codes.ts';
import { checkOutputs, isStdout, withDefault, writeOutput } from './output-path.ts';
import { pointInTime } from './point-in-time.ts';
import { Problem } from './problem.ts';
import { progressLine } from './progress-line.ts';
import { checkSourceFolder } from './source-folder.ts';
import { sourceHelp, withSourceBelow } from './source-option.ts';
import { standardInput } from './standard-input.ts';
import {
  addFileOptions,
  outputsOf,
  redactHelp,
  writeReportFiles,
  type FileOptions,
  briefHelp,
  sayWritten,
} from './report-files.ts';

interface Options extends FileOptions, BinaryOptions {
  readonly json?: string | true;
  readonly quiet?: true;
  readonly brief?: true;
  readonly verbose?: true;
  readonly color: boolean;
  readonly check?: true;
  readonly since?: string;
  readonly until?: string;
  readonly pid?: string;
  readonly name?: string;
  readonly cgroup?: string;
  readonly boot?: string;
}

export function configure(command: Command): void {
  command
    .argument(
      '[FILE...]',
      'log, traceback, core file, incident folder, any mixture; - for standard input; nothing for this machine',
    )
    .option('--json [FILE]', 'the report as JSON, to FILE or (-) standard output')
    .option('-q, --quiet', 'one line for each death')
    .option('--brief', briefHelp)
    .option('--verbose', 'everything there is, instead of the short story')
    .option('--no-color', 'no colours')
    .option('--check', 'exit with status 1 where a memory death was found')
    .option('--since <time>', 'only deaths since then: yesterday, "2 hours ago", 2026-01-31T12:00')
    .option('--until <time>', 'only deaths up to then')
    .option('--pid <pid>', 'only deaths of this process')
    .option('--name <name>', 'only deaths of processes of this name')
    .option('--cgroup <path>', 'only deaths in this cgroup or below it')
    .option('--source <dir>', sourceHelp)
    .option('--redact', redactHelp)
    .option('--boot <boot>', "this machine's boot: 0 is the current one, -1 the one before")
    .action((files: readonly string[], options: Options) => run(files, options));
  addBinaryOptions(command);
  addFileOptions(command);
}

async function run(files: readonly string[], options: Options): Promise<void> {
  const { boot, ...wanted } = wantedOf(options);
  if (options.source !== undefined) checkSourceFolder(options.source);
  const places = placesOf(options);
  checkOutputs(outputsOf(options), {
    force: options.force === true,
    inputs: files,
    guess: ({ option, path }, exists) =>
      exists && files.length === 0 ? `to read it: coroner diagnose ${option} - ${path}` : null,
  });
  if (boot !== undefined && files.length > 0)
    throw new Problem('--boot narrows what this machine is asked, and files were named');
  const gathered =
    files.length > 0
      ? mergeGathered(await gatherAll(files, places))
      : await gatherUnnamed({ ...wanted, ...defined({ boot }) }, places);
  const { report, sourceText } = withSourceBelow(
    narrow(diagnose(gathered), wanted),
    gathered.sourceText,
    options.source,
    gathered.recording,
  );
  const whole = { report, recording: gathered.recording };
  if (options.redact === true) {
    const { redact } = await import('../render/redact.ts');
    const { report: told, recording } = redact(whole);
    await show(told, options, recording);
  } else await show(report, { ...options, sourceText }, gathered.recording);
  if (options.check === true && report.incidents.some(({ outOfMemory }) => outOfMemory === true))
    process.exitCode = exitCodes.memoryDeathFound;
}

/** No file is named: standard input where something comes through it, else this machine. */
async function gatherUnnamed(wanted: Wanted, places: BinaryPlaces): Promise<Gathered> {
  const progress = progressLine(process.stderr);
  if (wanted.pid === undefined && wanted.boot === undefined) {
    const input = await standardInput();
    if (input.kind === 'bytes')
      return gatherStream(input.chunks, progress.show, places).finally(progress.clear);
    if (input.kind !== 'none')
      process.stderr.write(
        `coroner: standard input ${input.kind === 'empty' ? 'is empty' : 'said nothing for 2 s'}: this machine is asked instead (coroner diagnose - waits for standard input)\n`,
      );
  }
  return gatherThisMachine(wanted, progress.show).finally(progress.clear);
}

/**
 * All inputs as one body of evidence. One that cannot be read is a problem; beside others it is said, and ends with
 * status 66 after the verdict on the rest.
 */
async function gatherAll(
  files: readonly string[],
  places: BinaryPlaces,
): Promise<readonly Gathered[]> {
  const parts: Gathered[] = [];
  const names = files.map((file) => basename(file));
  for (const [index, file] of files.entries()) {
    const base = names[index] ?? file;
    // Two files of one name (a/kern.log, b/kern.log) are told apart by their paths.
    const name = names.indexOf(base) === names.lastIndexOf(base) ? base : file;
    try {
      parts.push(await gatherOne(file, name, places));
    } catch (error) {
      if (!(error instanceof Problem) || files.length === 1) throw error;
      process.stderr.write(`coroner: ${error.message}\n`);
      process.exitCode = error.exitCode;
    }
  }
  if (parts.length === 0)
    throw new Problem('none of the files could be read', undefined, exitCodes.noInput);
  return parts;
}

async function gatherOne(path: string, name: string, places: BinaryPlaces): Promise<Gathered> {
  const progress = progressLine(process.stderr);
  const gathered = await gather(path, name, progress.show, places).finally(progress.clear);
  if (isUnreadable(gathered))
    throw new Problem(`cannot read ${path}: ${gathered.why}`, gathered.command, exitCodes.noInput);
  return gathered;
}

function wantedOf({ since, until, pid, name, cgroup, boot }: Options): Narrow & Wanted {
  const now = new Date();
  if (pid !== undefined && !/^[1-9]\d{0,9}$/.test(pid))
    throw new Problem(`"${pid}" is no process id`);
  return {
    ...(since === undefined ? {} : { since: pointInTime(since, now) }),
    ...(until === undefined ? {} : { until: pointInTime(until, now) }),
    ...(pid === undefined ? {} : { pid: Number(pid) }),
    ...defined({ name, cgroup, boot }),
  };
}

async function show(
  report: Report,
  options: Options,
  recording: Recording | undefined,
): Promise<void> {
  const annotations = await writeReportFiles(report, recording, options);
  sayWritten(options);
  if (options.json !== undefined) {
    const { renderJson } = await import('../render/json.ts');
    const path = withDefault(options.json);
    writeOutput(path, renderJson(report));
    if (isStdout(path)) return;
  }
  if (options.brief === true) {
    const { renderBrief } = await import('../render/brief.ts');
    process.stdout.write(annotations + renderBrief(report));
    return;
  }
  const [{ renderTerminal }, { terminalOptions }] = await Promise.all([
    import('../render/terminal.ts'),
    import('./terminal-options.ts'),
  ]);
  process.stdout.write(
    annotations +
      renderTerminal(report, {
        ...terminalOptions(process.stdout, process.env, { color: options.color }),
        quiet: options.quiet === true,
        verbose: options.verbose === true,
        recording,
      }),
  );
}
