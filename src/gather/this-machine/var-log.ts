import { join } from 'node:path';
import type { Evidence } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import { entriesOf, fileAbout } from './folders.ts';
import type { Machine } from './machine.ts';
import type { Gathered } from '../../model/gathered.ts';

/** `messages`, `kern.log.1`, `syslog-20260131.gz`, and the guards' own files. */
const logName =
  /^(?:messages|kern\.log|syslog|earlyoom\.log|nohang\.log)(?:[.-][\w-]+)*(?:\.(?:gz|zst|xz|bz2|lz4))?$/;
const maxFiles = 200;

/** The classic logs, rotated and compressed ones too, the oldest first. */
export async function gatherVarLog(machine: Machine): Promise<Gathered> {
  const { roots, wanted, readFile, onProgress } = machine;
  const folder = roots.varLog;
  const listed = entriesOf(folder);
  if ('status' in listed)
    return { evidence: [], sources: [{ id: 'system-log', place: folder, status: listed.status }] };
  const all = listed.names
    .filter((name) => logName.test(name) && !name.startsWith('syslog.service'))
    .map((name) => ({ name, path: join(folder, name) }))
    .map((file) => ({ ...file, about: fileAbout(file.path) }))
    .filter((file) => file.about !== null)
    .map((file) => ({ ...file, about: file.about! }))
    .sort((a, b) => a.about.changedMs - b.about.changedMs);
  // A log that was last written before the time in question cannot speak of it. (Its end may: a day's grace for odd rotations.)
  const from = wanted.since === undefined ? -Infinity : wanted.since.getTime() - 86_400_000;
  const inTime = all.filter(({ about }) => about.changedMs >= from).slice(-maxFiles);
  if (inTime.length === 0)
    return {
      evidence: [],
      sources: [
        {
          id: 'system-log',
          place: folder,
          status: 'absent',
          detail:
            all.length === 0 ? 'no messages, kern.log or syslog there' : 'all logs there are older',
        },
      ],
    };
  const evidence: Evidence[] = [];
  const sources: SourceReport[] = [];
  for (const { path } of inTime) {
    onProgress?.(path);
    const part = await readFile(path, path);
    evidence.push(...part.evidence);
    const worst = part.sources.find(({ status }) => status !== 'read') ?? part.sources[0];
    sources.push({
      id: 'system-log',
      place: path,
      status: worst?.status ?? 'read',
      ...(worst?.detail === undefined ? {} : { detail: worst.detail }),
      ...(worst?.status === 'denied'
        ? { command: `sudo coroner diagnose ${path}` }
        : worst?.command === undefined
          ? {}
          : { command: worst.command }),
    });
  }
  return { evidence, sources };
}
