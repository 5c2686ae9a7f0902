import { defined } from '../model/defined.ts';
import type { Gathered } from '../model/gathered.ts';
import type { SourceReport } from '../model/report.ts';
import type { Evidence } from '../model/evidence.ts';
import { allLiterals, decode, linesOf, parseInput } from '../parsers/parse.ts';
import { Scanner, type Stretch } from '../parsers/search/scan.ts';
import { unreadable, type Unreadable } from './input.ts';
import type { Prose } from '../model/prose.ts';

export interface GatherOptions {
  /** Called now and then with the bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Reads bytes from wherever they come, parses what is of interest, and says what became of the source.
 * Never throws for what the bytes are or how they end.
 */
export async function gatherChunks(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  { onProgress }: GatherOptions = {},
): Promise<Gathered> {
  const scanner = new Scanner(allLiterals);
  const evidence: Evidence[] = [];
  const parse = (stretches: Iterable<Stretch>) => {
    for (const { bytes: part, firstLine } of stretches) {
      const text = decode(part);
      // Not spread into push(): a storm has more facts than a call may have arguments.
      for (const fact of parseInput({ name, lines: linesOf(text, firstLine) })) evidence.push(fact);
    }
  };
  let bytes = 0;
  let problem: Prose | undefined;
  let command: string | undefined;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      onProgress?.(bytes);
      parse(scanner.push(chunk));
    }
  } catch (error) {
    ({ why: problem, command } = unreadable(error));
  }
  parse(scanner.finish());
  const detail =
    problem ??
    (bytes === 0 ? 'it is empty' : evidence.length === 0 ? 'it speaks of no death' : undefined);
  const ids = [...new Set(evidence.map(({ origin }) => origin.source))];
  const sources = (ids.length === 0 ? ['text'] : ids).map((id): SourceReport => ({
    id,
    place: name,
    status: problem === undefined ? 'read' : bytes === 0 ? 'malformed' : 'truncated',
    ...defined({ detail, command }),
  }));
  return { evidence, sources };
}

/** A text that is in memory already. */
export function gatherText(name: string, text: string): Gathered {
  const evidence = parseInput({ name, lines: linesOf(text) });
  const ids = [...new Set(evidence.map(({ origin }) => origin.source))];
  return { evidence, sources: ids.map((id) => ({ id, place: name, status: 'read' })) };
}

/** What cannot be read is a source too: it is said, with what would help. */
export function gatherUnreadable({ status, why, command }: Unreadable, name: string): Gathered {
  const source = { id: 'text', place: name, status, detail: why };
  return { evidence: [], sources: [command === undefined ? source : { ...source, command }] };
}
