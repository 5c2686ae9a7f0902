/** One call for an incident folder, whoever asks: `run` at its end, `show`, `list`, `compare`, `diagnose`. */
import type { Gathered } from '../../model/gathered.ts';
import type { Recording } from '../../model/recording.ts';
import { readIncidentFolder, type IncidentTexts } from '../../store/incidents.ts';
import type { Unreadable } from '../input.ts';
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
): GatheredIncident | null {
  const parsed = parseIncident(withLaterKernelLog(texts));
  if (parsed === null) return null;
  const inProcess =
    folder === null
      ? { evidence: parsed.evidence, sources: [] }
      : withInProcessEvidence(folder, parsed.evidence);
  return {
    evidence: inProcess.evidence,
    sources: [...parsed.sources, ...inProcess.sources],
    recording: withFailedAllocations(parsed.recording, inProcess.evidence),
  };
}

/** An incident folder on disk. */
export const gatherIncidentFolder = (folder: string): GatheredIncident | Unreadable =>
  gatherIncident(readIncidentFolder(folder).texts, folder) ?? {
    kind: 'unreadable',
    status: 'malformed',
    why: "its incident.json is not one of coroner's",
  };
