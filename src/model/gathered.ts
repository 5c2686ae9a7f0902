import { defined } from './defined.ts';
import type { Evidence } from './evidence.ts';
import type { Recording } from './recording.ts';
import type { SourceReport } from './report.ts';
import { mergeSourceText, type SourceText } from './source-text.ts';

/** What was read from one or several sources: facts, and what became of each source. */
export interface Gathered {
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
  /** The recording, where an incident folder was among the sources. */
  readonly recording?: Recording;
  /** Lines of source that lay beside the evidence. */
  readonly sourceText?: SourceText;
}

export const nothingGathered: Gathered = { evidence: [], sources: [] };

/** Of several recordings the first is kept. */
export function mergeGathered(parts: readonly Gathered[]): Gathered {
  const recording = parts.find((part) => part.recording !== undefined)?.recording;
  return {
    evidence: parts.flatMap(({ evidence }) => evidence),
    sources: parts.flatMap(({ sources }) => sources),
    ...defined({
      recording,
      sourceText: parts.reduce<SourceText | undefined>(
        (all, part) => mergeSourceText(all, part.sourceText),
        undefined,
      ),
    }),
  };
}

/** What the user wants to know about this machine: sources that cannot hold it are not read. */
export interface Wanted {
  readonly since?: Date;
  readonly until?: Date;
  readonly pid?: number;
  readonly name?: string;
  /** As `journalctl -b` takes it: `0`, `-1`, a boot id. */
  readonly boot?: string;
}
