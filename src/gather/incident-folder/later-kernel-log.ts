import { defined } from '../../model/defined.ts';
import { followKernelLog } from '../../machine/kernel-log.ts';
import { bootId } from '../../machine/host.ts';
import type { SourceSeen } from '../../model/incident-folder.ts';
import type { IncidentTexts } from '../../store/incidents.ts';
import { recorderRoots, type RecorderRoots } from '../../machine/roots.ts';
import { parseStart } from '../../store/recorded-lines.ts';

/**
 * Finishes the job of a recorder that was killed: what the kernel log of this boot still says of the time since the run began is added
 * to what the folder holds. Folders of a finished run, of another boot or of another machine are given back as they are.
 */
export function withLaterKernelLog(
  texts: IncidentTexts,
  roots: RecorderRoots = recorderRoots,
): IncidentTexts {
  if (texts.has('end.json')) return texts;
  const start = parseStart(texts.get('incident.json'))?.start;
  if (
    start?.startedUptimeSeconds === undefined ||
    start.bootId === null ||
    start.bootId !== bootId(roots.proc)
  )
    return texts;
  const log = followKernelLog(roots.kernelLog, start.startedUptimeSeconds);
  const records = log.read();
  log.close();
  const source: SourceSeen = {
    what: 'source',
    atMs: 0,
    id: 'kernel-log',
    place: roots.kernelLog,
    status: log.lost() ? 'truncated' : log.status,
    ...defined({ detail: log.detail }),
  };
  const finished = new Map(texts);
  if (log.status === 'read')
    finished.set('kernel.log', records.map(({ raw }) => `${raw}\n`).join(''));
  finished.set('events.ndjson', `${texts.get('events.ndjson') ?? ''}\n${JSON.stringify(source)}\n`);
  return finished;
}
