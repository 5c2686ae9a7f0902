import { writeSync } from 'node:fs';
import { diagnose } from '../diagnose/diagnose.ts';
import { isInterrupt } from '../model/incident.ts';
import { hearFaults } from '../model/faults.ts';
import type { Recording } from '../model/recording.ts';
import type { Incident, Report } from '../model/report.ts';
import { wantedLines, withSourceText, type SourceText } from '../model/source-text.ts';
import { functionNames } from '../python/process/function-names.ts';
import {
  copyLines,
  rememberSymbols,
  sourcesBelow,
  sourcesJson,
  sourcesOfRun,
} from '../store/source-lines.ts';
import { packagesOf } from '../store/packages.ts';
import { gatherIncident } from '../gather/incident-folder/gather-incident.ts';
import { renderJson } from '../render/json.ts';
import { isStdout, withDefault, writeOutput } from './output-path.ts';
import {
  changedSince,
  incidentFiles,
  readIncidentFolder,
  type IncidentFile,
  type IncidentWriter,
} from '../store/incidents.ts';
import { writeReportFiles, type FileOptions } from './report-files.ts';
import { terminalOptions } from './terminal-options.ts';

export interface Judged {
  readonly report: Report;
  readonly recording: Recording;
  readonly sourceText: SourceText;
}

/**
 * The verdict on a run that has just ended. What the disk lost is taken from memory. The lines of source that it needs are copied into the
 * folder: now they are those that ran, and their reader is whoever started the run. `source`: only files below this folder.
 */
export function judge(writer: IncidentWriter, source?: string): Judged | null {
  const onDisk = writer.held === null ? { texts: [], unread: [] } : readIncidentFolder(writer.held);
  const texts = new Map(onDisk.texts);
  // What this very run wrote is known, whatever became of the file.
  const unread = onDisk.unread.filter(
    ({ name }) => writer.text(name as IncidentFile) === undefined,
  );
  // What the recorder read counts, not what lies in the folder: the command can write there.
  for (const name of incidentFiles) {
    const text = writer.text(name);
    if (text === undefined) texts.delete(name);
    else texts.set(name, text);
  }
  const before = hearFaults(({ where, stack }) =>
    writer.append('faults.log', `${where}: ${stack}\n`),
  );
  try {
    const { symbol, symbols } = rememberSymbols(functionNames());
    const gathered = gatherIncident(texts, writer.held, unread, {
      symbol,
      changed: changedSince(texts, writer.sums()),
    });
    if (gathered === null) return null;
    const report = diagnose(gathered);
    const { cwd } = gathered.recording;
    const open =
      source === undefined
        ? sourcesOfRun(cwd, gathered.recording.command)
        : sourcesBelow(source, cwd);
    const sourceText = {
      files: copyLines(wantedLines(report), open),
      symbols,
      packages: packagesOf(report),
    };
    const json = sourcesJson(sourceText);
    if (json !== null) writer.append('sources.json', json);
    return {
      report: withSourceText(report, sourceText),
      recording: gathered.recording,
      sourceText,
    };
  } finally {
    hearFaults(before);
  }
}

/** Nobody died, but for whoever pressed Ctrl-C. */
export const isUneventful = ({ incidents }: Report): boolean => incidents.every(isInterrupt);

export interface ShowOptions extends FileOptions {
  readonly json?: string | true;
  readonly quiet?: boolean;
  readonly brief?: true;
  readonly color?: boolean;
  /** Where the folder was asked to lie; default: the store. */
  readonly output?: string;
  readonly folder: string | null;
}

/** Prints the verdict to stderr, and the report where it was asked for. */
export async function show(
  { report, recording, sourceText }: Judged,
  options: ShowOptions,
): Promise<void> {
  if (!isUneventful(report) && options.brief === true) {
    const { renderBrief } = await import('../render/brief.ts');
    writeAll(2, renderBrief(report));
  } else if (!isUneventful(report)) {
    const { renderTerminal } = await import('../render/terminal.ts');
    const terminal = terminalOptions(process.stderr, process.env, {
      color: options.color !== false,
    });
    writeAll(
      2,
      renderTerminal(report, {
        ...terminal,
        verbose: false,
        // That it was not memory is one line: whoever asked for a wrapper did not ask for a page on every ValueError.
        quiet: options.quiet === true || report.incidents.every(isNotMemory),
        recording,
        more: `coroner show ${options.output === undefined ? 'last' : (options.folder ?? 'last')} --verbose`,
      }),
    );
  }
  // What is said here is the user's own; files are passed on.
  const whole = { report, recording };
  const files =
    options.redact === true ? (await import('../render/redact.ts')).redact(whole) : whole;
  const annotations = await writeReportFiles(files.report, files.recording, {
    ...options,
    sourceText: options.redact === true ? undefined : sourceText,
  });
  // stdout is the command's own.
  if (annotations !== '') writeAll(2, annotations);
  if (options.json === undefined) return;
  const json = renderJson(files.report);
  const path = withDefault(options.json);
  if (isStdout(path)) writeAll(1, json);
  else writeOutput(path, json);
}

const isNotMemory = ({ outOfMemory }: Incident) => outOfMemory === false;

/** Synchronous: the process may end by a signal right afterwards. A pipe that is full is waited for. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
