/** One call for an incident folder, whoever asks: `run` at its end, `show`, `list`, `compare`, `diagnose`. */
import type { Evidence } from '../../model/evidence.ts';
import type { Gathered } from '../../model/gathered.ts';
import { contained } from '../../model/faults.ts';
import type { Recording } from '../../model/recording.ts';
import {
  changedFiles,
  readIncidentFolder,
  type IncidentTexts,
  type Unread,
} from '../../store/incidents.ts';
import { maskEvery } from '../../model/secrets.ts';
import { noSourceText } from '../../model/source-text.ts';
import { readCells } from '../../store/recorded-lines.ts';
import { withCellNumbers } from '../../model/notebook-cells.ts';
import { parseSources, symbolsIn, type SymbolReader } from '../../store/source-lines.ts';
import type { SourceReport } from '../../model/report.ts';
import type { Unreadable } from '../input.ts';
import { attributed, splitOthers, type Other } from './attribution.ts';
import { parseIncident } from './incident.ts';
import { withInProcessEvidence } from './in-process-evidence.ts';
import { withLaterKernelLog } from './later-kernel-log.ts';
import { withFailedAllocations } from './series.ts';

export interface GatheredIncident extends Gathered {
  readonly recording: Recording;
}

/** What is known beside the texts. */
interface IncidentContext {
  /** Names of native functions, only where a run has just ended: else the folder has them. */
  readonly symbol?: SymbolReader;
  /** Files that are not what the recorder wrote; default: none. */
  readonly changed?: ReadonlySet<string>;
}

/**
 * What the texts of an incident folder, and the binary files beside them, are evidence of.
 * `folder`: null where nothing could be written to disk.
 * Result null: there is no `incident.json` of ours.
 */
export function gatherIncident(
  texts: IncidentTexts,
  folder: string | null,
  unread: readonly Unread[] = [],
  { symbol, changed = new Set() }: IncidentContext = {},
): GatheredIncident | null {
  const later = withLaterKernelLog(texts);
  const parsed = parseIncident(later);
  if (parsed === null) return null;
  const sourceText = parseSources(texts.get('sources.json')) ?? noSourceText;
  const symbols = symbol ?? symbolsIn(sourceText);
  const inProcess =
    folder === null
      ? { evidence: parsed.evidence, sources: [] }
      : contained(
          'the witnesses inside the processes',
          () => withInProcessEvidence(folder, parsed.evidence, symbols),
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
  // What the machine's own log said just now is no file of the folder.
  const own = (name: string) => later.get(name) === texts.get(name);
  const { own: said, others } = splitOthers(
    attributed(inProcess.evidence, parsed.recording),
    parsed.recording,
  );
  const evidence = said.map((fact) =>
    isOf(fact, changed) && own(fact.origin.place.replace(/:.*/, ''))
      ? { ...fact, origin: { ...fact.origin, doubt: 'folder' as const } }
      : fact,
  );
  const cells = cellsOf(texts);
  return {
    evidence: withCellNumbers(evidence, cells),
    sources: [
      ...parsed.sources,
      ...unread.map(unreadSource),
      ...inProcess.sources,
      ...others.map(otherSource),
    ],
    // It is shown as it is: no rule and no report stands between.
    recording: withCellNumbers(maskEvery(withFailedAllocations(parsed.recording, evidence)), cells),
    sourceText,
  };
}

/** The numbers of the cells that the run's kernels ran, by file. */
const cellsOf = (texts: IncidentTexts): ReadonlyMap<string, number> =>
  new Map(
    [...texts].flatMap(([name, text]) =>
      /^python\/\d+\.cells\.ndjson$/.test(name) ? [...readCells(text)] : [],
    ),
  );

const otherSource = ({ place, program }: Other): SourceReport => ({
  id: 'stderr',
  place,
  status: 'read',
  detail: `a traceback of ${program}, which no process of the run was started with: it is another's, and left out`,
});

/** Ends and figures are drawn from several files: a change in one of those spoils them all. */
function isOf({ kind, origin }: Evidence, changed: ReadonlySet<string>): boolean {
  if (changed.size === 0) return false;
  const measured = ['incident.json', 'events.ndjson', 'samples.ndjson'].some((name) =>
    changed.has(name),
  );
  const isMeasured = [
    'process-exit',
    'process-limits',
    'cgroup-counters',
    'host-counters',
    'stall',
  ];
  return changed.has(origin.place.replace(/:.*/, '')) || (measured && isMeasured.includes(kind));
}

/** An incident folder on disk. */
export function gatherIncidentFolder(folder: string): GatheredIncident | Unreadable {
  const { texts, unread } = readIncidentFolder(folder);
  return (
    gatherIncident(texts, folder, unread, { changed: changedFiles(texts) }) ?? {
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
