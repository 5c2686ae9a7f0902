/** One call for an incident folder, whoever asks: `run` at its end, `show`, `list`, `compare`, `diagnose`. */
import type { Gathered } from '../../model/gathered.ts';
import { contained } from '../../model/faults.ts';
import type { Recording } from '../../model/recording.ts';
import { readIncidentFolder, type IncidentTexts, type Unread } from '../../store/incidents.ts';
import type { SourceReport } from '../../model/report.ts';
import type { Unreadable } from '../input.ts';
import { attributed } from './attribution.ts';
import { parseIncident } from './incident.ts';
import { withInProcessEvidence } from './in-process-evidence.ts';
import { withLaterKernelLog } from './later-kernel-log.ts';
import { withFailedAllocations } from './series.ts';

export interface GatheredIncident extends Gathered {
  readonly recording: Recording;
}

/**
 * What the texts of an incident folder, and the binary files beside them, are evidence of.
 * `folder`: null where nothing could be written to disk. Result null: there is no `incident.json` of ours.
 */
export function gatherIncident(
  texts: IncidentTexts,
  folder: string | null,
  unread: readonly Unread[] = [],
): GatheredIncident | null {
  const parsed = parseIncident(withLaterKernelLog(texts));
  if (parsed === null) return null;
  const inProcess =
    folder === null
      ? { evidence: parsed.evidence, sources: [] }
      : contained(
          'the witnesses inside the processes',
          () => withInProcessEvidence(folder, parsed.evidence),
          ({ says }) => ({
            evidence: parsed.evidence,
            sources: [
              {
                id: 'agent',
                place: 'agent',
                status: 'malformed' as const,
                detail: `a fault of coroner itself: ${says}`,
              },
            ],
          }),
        );
  const evidence = attributed(inProcess.evidence, parsed.recording);
  return {
    evidence,
    sources: [...parsed.sources, ...unread.map(unreadSource), ...inProcess.sources],
    recording: withFailedAllocations(parsed.recording, evidence),
  };
}

/** An incident folder on disk. */
export function gatherIncidentFolder(folder: string): GatheredIncident | Unreadable {
  const { texts, unread } = readIncidentFolder(folder);
  return (
    gatherIncident(texts, folder, unread) ?? {
      kind: 'unreadable',
      status: 'malformed',
      why: "its incident.json is not one of coroner's",
    }
  );
}

/** By the witness whose file it is. */
const witnessOf = (name: string): string =>
  name === 'kernel.log'
    ? 'kernel-log'
    : name === 'guards.log'
      ? 'guards'
      : name === 'stderr.tail'
        ? 'stderr'
        : name.startsWith('python/')
          ? 'python-hook'
          : name.startsWith('looks/')
            ? 'last-look'
            : 'recording';

const unreadSource = ({ name, why }: Unread): SourceReport => ({
  id: witnessOf(name),
  place: name,
  status: why === 'EACCES' || why === 'EPERM' ? 'denied' : 'malformed',
  detail: why,
});
