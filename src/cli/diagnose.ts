import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { diagnose } from '../diagnose/diagnose.ts';
import { narrow, type Narrow } from '../diagnose/narrow.ts';
import { gatherChunks, gatherUnreadable } from '../gather/text.ts';
import type { Wanted } from '../gather/this-machine/machine.ts';
import { openInput, openStream, type OpenedInput } from '../gather/input.ts';
import { mergeGathered, type Gathered } from '../model/gathered.ts';
import type { Recording } from '../model/recording.ts';
import type { Report } from '../model/report.ts';
import { exitCodes } from './exit-codes.ts';
import { pointInTime } from './point-in-time.ts';
import { Problem } from './problem.ts';
import { progressLine } from './progress-line.ts';
import { addFileOptions, writeReportFiles, type FileOptions } from './report-files.ts';

interface Options extends FileOptions {
  readonly json?: string | true;
  readonly quiet?: true;
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

/** What was gathered, and the recording where an incident folder was among it. */
interface Everything extends Gathered {
  readonly recording?: Recording;
}

export function configure(command: Command): void {
  command
    .argument(
      '[FILE...]',
      'log, traceback, core file, incident folder, any mixture; - for standard input; nothing for this machine',
    )
    .option('--json [FILE]', 'the report as JSON, to FILE or to standard output')
    .option('-q, --quiet', 'one line for each death')
    .option('--verbose', 'everything there is, instead of the short story')
    .option('--no-color', 'no colours')
    .option('--check', 'exit with status 1 where a memory death was found')
    .option('--since <time>', 'only deaths since then: yesterday, "2 hours ago", 2026-01-31T12:00')
    .option('--until <time>', 'only deaths up to then')
    .option('--pid <pid>', 'only deaths of this process')
    .option('--name <name>', 'only deaths of processes of this name')
    .option('--cgroup <path>', 'only deaths in this cgroup or below it')
    .option('--boot <boot>', "this machine's boot: 0 is the current one, -1 the one before")
    .action((files: readonly string[], options: Options) => run(files, options));
  addFileOptions(command);
}

async function run(files: readonly string[], options: Options): Promise<void> {
  const { boot, ...wanted } = wantedOf(options);
  if (boot !== undefined && files.length > 0)
    throw new Problem('--boot narrows what this machine is asked, and files were named');
  const everything =
    files.length === 0
      ? await gatherThisMachine({ ...wanted, ...(boot === undefined ? {} : { boot }) })
      : merge(await gatherAll(files));
  const report = narrow(diagnose(everything), wanted);
  await show(report, options, everything.recording);
  if (options.check === true && report.incidents.some(({ outOfMemory }) => outOfMemory === true))
    process.exitCode = exitCodes.memoryDeathFound;
}

const merge = (parts: readonly Everything[]): Everything => {
  const recording = parts.find((part) => part.recording !== undefined)?.recording;
  return { ...mergeGathered(parts), ...(recording === undefined ? {} : { recording }) };
};

/**
 * All inputs as one body of evidence. One that cannot be read is a problem; beside others it is said, and ends with
 * status 66 after the verdict on the rest.
 */
async function gatherAll(files: readonly string[]): Promise<readonly Everything[]> {
  const parts: Everything[] = [];
  const names = files.map((file) => basename(file));
  for (const [index, file] of files.entries()) {
    const base = names[index] ?? file;
    // Two files of one name (a/kern.log, b/kern.log) are told apart by their paths.
    const name = names.indexOf(base) === names.lastIndexOf(base) ? base : file;
    try {
      parts.push(await gather(file, name));
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

async function gather(path: string, name: string): Promise<Everything> {
  if (path === '-') return gatherOpened(await openStream(process.stdin), 'stdin');
  const opened = await openInput(path);
  if (opened.kind === 'unreadable')
    throw new Problem(`cannot read ${path}: ${opened.why}`, opened.command, exitCodes.noInput);
  return gatherOpened(opened, opened.kind === 'folder' ? path : name);
}

async function gatherOpened(opened: OpenedInput, name: string): Promise<Everything> {
  switch (opened.kind) {
    case 'bytes': {
      const progress = progressLine(process.stderr);
      const of = opened.bytes === undefined ? '' : ` of ${Math.ceil(opened.bytes / 2 ** 20)}`;
      try {
        return await gatherChunks(opened.chunks, name, {
          onProgress: (bytes) => progress.show(`${name} (${Math.round(bytes / 2 ** 20)}${of} MiB)`),
        });
      } finally {
        progress.clear();
      }
    }
    case 'core': {
      const { gatherCore } = await import('../gather/python-in-core.ts');
      return gatherCore(opened.path, name);
    }
    case 'core-stream': {
      const { gatherCoreStream } = await import('../gather/python-in-core.ts');
      return gatherCoreStream(opened.chunks, name);
    }
    case 'incident-folder':
      return gatherIncidentFolder(opened.path);
    case 'folder':
      return gatherFolder(opened, name);
    case 'unreadable':
      return gatherUnreadable(opened, name);
  }
}

/** Every file below a folder; one that cannot be read is said and does not stop the others. */
async function gatherFolder(
  { files, leftOut }: OpenedInput & { kind: 'folder' },
  folder: string,
): Promise<Everything> {
  const parts: Everything[] = [];
  for (const file of files)
    parts.push(
      await gatherOpened(await openInput(file), file.slice(folder.length).replace(/^\/+/, '')),
    );
  if (leftOut > 0)
    parts.push({
      evidence: [],
      sources: [
        {
          id: 'text',
          place: folder,
          status: 'truncated',
          detail: `${leftOut} entries were left out (unreadable, or too many)`,
        },
      ],
    });
  return merge(parts);
}

async function gatherIncidentFolder(path: string): Promise<Everything> {
  const [
    { readIncidentFolder },
    { parseIncident },
    { withFailedAllocations },
    { withInsideEvidence },
    { withLaterKernelLog },
  ] = await Promise.all([
    import('../store/incidents.ts'),
    import('../gather/incident-folder/incident.ts'),
    import('../gather/incident-folder/series.ts'),
    import('../gather/incident-folder/trace.ts'),
    import('../gather/incident-folder/later-kernel-log.ts'),
  ]);
  const parsed = parseIncident(withLaterKernelLog(readIncidentFolder(path).texts));
  if (parsed === null)
    throw new Problem(
      `cannot read ${path}: its incident.json is not one of coroner's`,
      undefined,
      exitCodes.noInput,
    );
  const inside = withInsideEvidence(path, parsed.evidence);
  return {
    evidence: inside.evidence,
    sources: [...parsed.sources, ...inside.sources],
    recording: withFailedAllocations(parsed.recording, inside.evidence),
  };
}

async function gatherThisMachine(wanted: Wanted): Promise<Everything> {
  const { gatherThisMachine: gather } = await import('../gather/this-machine/here.ts');
  return gather(wanted);
}

function wantedOf({ since, until, pid, name, cgroup, boot }: Options): Narrow & Wanted {
  const now = new Date();
  if (pid !== undefined && !/^[1-9]\d{0,9}$/.test(pid))
    throw new Problem(`"${pid}" is no process id`);
  return {
    ...(since === undefined ? {} : { since: pointInTime(since, now) }),
    ...(until === undefined ? {} : { until: pointInTime(until, now) }),
    ...(pid === undefined ? {} : { pid: Number(pid) }),
    ...(name === undefined ? {} : { name }),
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(boot === undefined ? {} : { boot }),
  };
}

async function show(
  report: Report,
  options: Options,
  recording: Recording | undefined,
): Promise<void> {
  const annotations = await writeReportFiles(report, recording, options);
  if (options.json !== undefined) {
    const { renderJson } = await import('../render/json.ts');
    if (options.json === true || options.json === '-') {
      process.stdout.write(renderJson(report));
      return;
    }
    await writeFile(options.json, renderJson(report));
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
