/** What `show`, `list`, `compare` and `rm` have in common: naming an incident, and judging it anew from its folder. */
import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { isFileRefusal, openNamed, readSafely } from '../files/open-safely.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { withHolderKinds } from '../model/holder-kinds.ts';
import { fingerprint } from '../model/fingerprint.ts';
import { mainIncident } from '../model/incident.ts';
import type { IncidentStart } from '../model/incident-folder.ts';
import type { Recording } from '../model/recording.ts';
import { repaired } from '../model/repair.ts';
import { nothingKnown, type Report } from '../model/report.ts';
import { reportSchema } from '../model/report-schema.ts';
import type { SourceText } from '../model/source-text.ts';
import { gatherIncidentFolder } from '../gather/incident-folder/gather-incident.ts';
import { isUnreadable } from '../gather/gather.ts';
import {
  isIncidentFolder,
  listIncidentFolders,
  readStart,
  readStoredReport,
  storeRoot,
} from '../store/incidents.ts';
import { exitCodes } from './exit-codes.ts';
import { Problem } from './problem.ts';

export interface LoadedIncident {
  readonly name: string;
  readonly folder: string | null;
  readonly report: Report;
  readonly recording: Recording | undefined;
  readonly sourceText?: SourceText | undefined;
}

export const rootOf = (store: string | undefined): string =>
  store === undefined ? storeRoot() : resolve(store);

/** `last`, an id or the start of one, an incident folder, or a report written with `--json`. */
export function loadIncident(which: string, root: string): LoadedIncident {
  if (which !== 'last' && existsSync(which) && statSync(which).isFile())
    return loadReportFile(which);
  return loadFolder(findFolder(which, root));
}

/** Whether a value names an incident, and so was hardly meant as a file to write. */
export const isIncidentName = (name: string, root: string): boolean =>
  name === 'last' ||
  isIncidentFolder(name) ||
  (/^\d{8}/.test(name) &&
    listIncidentFolders(root).some((folder) => basename(folder).startsWith(name)));

export function findFolder(which: string, root: string): string {
  const folders = listIncidentFolders(root);
  if (which === 'last') {
    const [newest] = folders;
    if (newest !== undefined) return newest;
    throw new Problem(
      `no incidents are recorded in ${root}`,
      'coroner run COMMAND records one.',
      exitCodes.noInput,
    );
  }
  if (isIncidentFolder(which)) return resolve(which);
  const found = folders.filter((folder) => basename(folder).startsWith(which));
  const [only, ...others] = found;
  if (only === undefined)
    throw new Problem(
      `there is no incident ${JSON.stringify(which)} in ${root}`,
      'coroner list shows them.',
      exitCodes.noInput,
    );
  if (others.length > 0)
    throw new Problem(
      `${JSON.stringify(which)} is the start of ${found.length} incidents`,
      found
        .slice(0, 5)
        .map((folder) => basename(folder))
        .join(', '),
    );
  return only;
}

function loadFolder(folder: string): LoadedIncident {
  const gathered = gatherIncidentFolder(folder);
  if (isUnreadable(gathered))
    throw new Problem(`cannot read ${folder}: ${gathered.why}`, undefined, exitCodes.noInput);
  return {
    name: basename(folder),
    folder,
    recording: gathered.recording,
    sourceText: gathered.sourceText,
    report: withState(diagnose(gathered), folder),
  };
}

/** Reports of the store that are looked through for earlier deaths of the same kind. */
const mostCompared = 400;

/** Every death that the store tells of, with its fingerprint, however many reports there are. */
export const deathsIn = (folders: readonly string[]): readonly StoredDeath[] =>
  folders.slice(0, mostCompared).flatMap((folder): StoredDeath[] => {
    const [start, report] = [readStart(folder), storedReport(folder)];
    const incident = mainIncident(report?.incidents ?? []);
    if (start === null || incident === undefined || incident.outOfMemory === false) return [];
    const own = incident.fingerprint ?? fingerprint(incident, start.command);
    return [{ folder, fingerprint: own, at: start.startedAt }];
  });

export interface StoredDeath {
  readonly folder: string;
  readonly fingerprint: string;
  /** When its run began, ISO 8601. */
  readonly at: string;
}

/** Whether a run without an end goes on only its recorder's process can tell. */
function withState(report: Report, folder: string): Report {
  const { run } = report;
  if (run?.state !== 'cut-short') return report;
  const start = readStart(folder);
  return start !== null && isRunning(start)
    ? { ...report, run: { ...run, state: 'running' } }
    : report;
}

export function isRunning({ recorderPid }: IncidentStart): boolean {
  if (recorderPid === undefined) return false;
  try {
    process.kill(recorderPid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A text of JavaScript has at most half a GiB. */
const reportLimits = { mostBytes: 2 ** 29 } as const;

function loadReportFile(file: string): LoadedIncident {
  const text = readSafely(openNamed(file, reportLimits), reportLimits.mostBytes);
  if (isFileRefusal(text))
    throw new Problem(`${file} ${text.message}`, undefined, exitCodes.noInput);
  let report: unknown;
  try {
    report = JSON.parse(text.toString('utf8'));
  } catch {
    throw new Problem(
      `${file} is no JSON`,
      'coroner diagnose reads logs and other texts.',
      exitCodes.noInput,
    );
  }
  return {
    name: basename(file),
    folder: null,
    recording: undefined,
    report: asReport(report, file),
  };
}

/** A report of any version that was ever written. What is missing in it is filled in as "not known". */
export function asReport(value: unknown, place: string): Report {
  const { format, incidents, sources, run } = (value ?? {}) as Partial<Report>;
  if (typeof format !== 'string' || !format.startsWith('coroner/') || !Array.isArray(incidents))
    throw new Problem(
      `${place} is no report of coroner`,
      'A report has "format": "coroner/1" and "incidents".',
      exitCodes.noInput,
    );
  if (format !== 'coroner/1')
    throw new Problem(
      `${place} has format ${JSON.stringify(format)}, which this version does not know`,
      'A newer coroner reads it.',
      exitCodes.noInput,
    );
  const known = repaired(
    reportSchema,
    { format, sources: sources ?? [], incidents, ...(run === undefined ? {} : { run }) },
    (report) => {
      report['sources'] ??= [];
      report['incidents'] = Array.isArray(report['incidents'])
        ? report['incidents'].filter(isObject).map((incident) => ({ ...nothingKnown, ...incident }))
        : [];
    },
  );
  // Where there are incidents a part of them is always left: what each lacks is filled in.
  if (known === null) return { format, sources: [], incidents: [] };
  return {
    ...known.value,
    incidents: known.value.incidents.map((incident) => ({
      ...incident,
      memory: withHolderKinds(incident.memory),
    })),
  };
}

const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The report as it was written at the end of the run, where it was: quicker than judging anew, for lists. */
export function storedReport(folder: string): Report | null {
  try {
    return asReport(JSON.parse(readStoredReport(folder) ?? ''), folder);
  } catch {
    return null;
  }
}
