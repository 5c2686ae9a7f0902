import type { Evidence } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import type { SymbolReader } from '../../store/source-lines.ts';
import { agentEvidenceOf } from './agent-files.ts';
import { withTrace } from './trace.ts';

/** What was recorded, with what the witnesses inside the processes and in the kernel tell of them. */
export function withInProcessEvidence(
  folder: string,
  recorded: readonly Evidence[],
  symbol: SymbolReader,
): { readonly evidence: readonly Evidence[]; readonly sources: readonly SourceReport[] } {
  const inProcess = agentEvidenceOf(folder, recorded, symbol);
  const seenInProcess = new Set(
    inProcess.evidence.flatMap((fact) => (fact.kind === 'failed-allocation' ? [fact.pid] : [])),
  );
  // One refusal, two witnesses: the one inside knows the line.
  const traced = withTrace(folder, recorded).filter(
    (fact) =>
      fact.kind !== 'failed-allocation' ||
      fact.seenBy !== 'tracepoint' ||
      !seenInProcess.has(fact.pid),
  );
  // A shell or a version manager's shim executes Python and that dies before the next sample: the name is still the shell's.
  const named = traced.map((fact) => {
    const name = fact.kind === 'process-exit' ? inProcess.names.get(fact.pid) : undefined;
    return name === undefined ? fact : { ...fact, name };
  });
  return { evidence: [...named, ...inProcess.evidence], sources: inProcess.sources };
}
