import type { Evidence } from '../model/evidence.ts';
import type { SourceReport } from '../model/report.ts';
import { agentEvidenceOf } from './agent-evidence.ts';
import { withTrace } from './tracing.ts';

/** What was recorded, with what the witnesses inside the processes and in the kernel tell of them. */
export function withInsideEvidence(
  folder: string,
  recorded: readonly Evidence[],
): { readonly evidence: readonly Evidence[]; readonly sources: readonly SourceReport[] } {
  const inside = agentEvidenceOf(folder, recorded);
  const seenInside = new Set(
    inside.evidence.flatMap((fact) => (fact.kind === 'failed-allocation' ? [fact.pid] : [])),
  );
  // One refusal, two witnesses: the one inside knows the line.
  const traced = withTrace(folder, recorded).filter(
    (fact) =>
      fact.kind !== 'failed-allocation' ||
      fact.seenBy !== 'tracepoint' ||
      !seenInside.has(fact.pid),
  );
  return { evidence: [...traced, ...inside.evidence], sources: inside.sources };
}
