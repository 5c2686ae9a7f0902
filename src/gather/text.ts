import { defined } from '../model/defined.ts';
import type { Gathered } from '../model/gathered.ts';
import { headBytes, outputNames, ownOutput } from '../model/own-outputs.ts';
import type { SourceReport } from '../model/report.ts';
import type { Evidence } from '../model/evidence.ts';
import { allLiterals, decode, linesOf, parseInput } from '../parsers/parse.ts';
import { Scanner, type Stretch } from '../parsers/search/scan.ts';
import { unreadable, type Unreadable } from './input.ts';
import type { Prose } from '../model/prose.ts';
import { withYear } from './years.ts';

export interface GatherOptions {
  /** Called now and then with the bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
  /** When the file was last written, ms since 1970; undefined: not known. */
  readonly writtenMs?: number | undefined;
}

/**
 * Reads bytes from wherever they come, parses what is of interest, and says what became of the source.
 * Never throws for what the bytes are or how they end.
 */
export async function gatherChunks(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  { onProgress, writtenMs }: GatherOptions = {},
): Promise<Gathered> {
  const scanner = new Scanner(allLiterals);
  const evidence: Evidence[] = [];
  const faults: SourceReport[] = [];
  /** Once for each parser, however many stretches it fails on. */
  const noteFault = (source: SourceReport) => {
    if (!faults.some(({ id }) => id === source.id)) faults.push(source);
  };
  const parse = (stretches: Iterable<Stretch>) => {
    for (const { bytes: part, firstLine } of stretches) {
      const text = decode(part);
      // Not spread into push(): a storm has more facts than a call may have arguments.
      const lines = linesOf(text, firstLine);
      for (const fact of parseInput({ name, lines }, undefined, noteFault))
        evidence.push(writtenMs === undefined ? fact : withYear(fact, writtenMs));
    }
  };
  const head = new Head();
  let bytes = 0;
  let problem: Prose | undefined;
  let command: string | undefined;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      onProgress?.(bytes);
      if (head.isOpen && head.add(chunk) && ownOutput(head.text()) !== null)
        return gatherOwnOutput(head.text(), name);
      parse(scanner.push(chunk));
    }
  } catch (error) {
    ({ why: problem, command } = unreadable(error));
  }
  if (head.isOpen && ownOutput(head.text()) !== null) return gatherOwnOutput(head.text(), name);
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
  return { evidence, sources: [...sources, ...faults] };
}

/** A text that is in memory already. */
export function gatherText(name: string, text: string): Gathered {
  if (ownOutput(text) !== null) return gatherOwnOutput(text, name);
  const faults: SourceReport[] = [];
  const evidence = parseInput({ name, lines: linesOf(text) }, undefined, (source) =>
    faults.push(source),
  );
  const ids = [...new Set(evidence.map(({ origin }) => origin.source))];
  return {
    evidence,
    sources: [...ids.map((id) => ({ id, place: name, status: 'read' as const })), ...faults],
  };
}

/** What coroner said itself proves nothing anew: it would be counted twice, and its quotes are out of their place. */
function gatherOwnOutput(head: string, name: string): Gathered {
  const kind = ownOutput(head) ?? 'json';
  return {
    evidence: [],
    sources: [
      {
        id: 'coroner-report',
        place: name,
        status: 'read',
        detail: `it is ${outputNames[kind]} that coroner wrote, which is no evidence`,
        ...(kind === 'json' ? { command: `coroner show ${shellWord(name)}` } : {}),
      },
    ],
  };
}

const shellWord = (word: string): string =>
  /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** The first bytes of a stream, whatever the size of its chunks. A copy: chunks are used again. */
class Head {
  readonly #bytes = new Uint8Array(headBytes);
  #length = 0;

  /** Whether more of it is wanted. */
  get isOpen(): boolean {
    return this.#length < headBytes;
  }
  /** true: it is complete with this chunk. */
  add(chunk: Uint8Array): boolean {
    const part = chunk.subarray(0, headBytes - this.#length);
    this.#bytes.set(part, this.#length);
    this.#length += part.length;
    return !this.isOpen;
  }
  text(): string {
    return decode(this.#bytes.subarray(0, this.#length));
  }
}

/** What cannot be read is a source too: it is said, with what would help. */
export function gatherUnreadable({ status, why, command }: Unreadable, name: string): Gathered {
  const source = { id: 'text', place: name, status, detail: why };
  return { evidence: [], sources: [command === undefined ? source : { ...source, command }] };
}
