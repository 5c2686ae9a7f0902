import type { Evidence } from './evidence.ts';
import type { SourceReport } from './report.ts';

/** What was read from one or several sources: facts, and what became of each source. */
export interface Gathered {
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
}

export const nothingGathered: Gathered = { evidence: [], sources: [] };

export const mergeGathered = (parts: readonly Gathered[]): Gathered => ({
  evidence: parts.flatMap(({ evidence }) => evidence),
  sources: parts.flatMap(({ sources }) => sources),
});
