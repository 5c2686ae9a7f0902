/** The files that the agent left in an incident folder, as evidence. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isFileRefusal, openBelow, readSafely, type FileRefusal } from '../../files/open-safely.ts';
import type { Evidence } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import { agentEvidence } from '../../parsers/formats/agent-allocations.ts';
import {
  agentFileId,
  glanceAtAgentFile,
  parseAgentFile,
} from '../../parsers/formats/agent-file/agent-file.ts';
import type { AgentFile } from '../../parsers/formats/agent-file/facts.ts';
import type { SymbolReader } from '../../store/source-lines.ts';

export interface AgentReading {
  readonly file: AgentFile;
  /** In the incident folder: `agent/4711.mem`. */
  readonly place: string;
}

const largestFileBytes = 16 * 2 ** 20;
/** A build of a thousand compilers leaves a thousand files: those that held most or were refused something are read whole. */
const mostFiles = 60;

/** The files the agent left in an incident folder; the status of each that is not whole. */
export function readAgentFiles(folder: string): {
  readonly snapshots: readonly AgentReading[];
  readonly sources: readonly SourceReport[];
} {
  let names: string[];
  try {
    names = readdirSync(join(folder, 'agent')).filter((name) => /^\d+\.mem$/.test(name));
  } catch {
    return { snapshots: [], sources: [] };
  }
  const snapshots: AgentReading[] = [];
  const sources: SourceReport[] = [];
  for (const name of worthReading(folder, names)) {
    const place = `agent/${name}`;
    const bytes = readBytes(folder, place);
    if (isFileRefusal(bytes)) {
      sources.push({ id: agentFileId, place, status: 'denied', detail: `it ${bytes.message}` });
      continue;
    }
    const reading = parseAgentFile(bytes);
    if (reading.status === 'malformed')
      sources.push({ id: agentFileId, place, status: 'malformed', detail: reading.detail });
    else {
      snapshots.push({ file: reading.file, place });
      sources.push({ id: agentFileId, place, status: reading.status });
    }
  }
  return { snapshots, sources };
}

function worthReading(folder: string, names: readonly string[]): readonly string[] {
  if (names.length <= mostFiles) return names.toSorted();
  const weight = (name: string) => {
    const head = readBytes(folder, `agent/${name}`, 4096);
    const glance = glanceAtAgentFile(isFileRefusal(head) ? new Uint8Array() : head);
    if (glance === null) return 0;
    return glance.failureCount > 0 ? Number.MAX_VALUE : glance.peakBytes;
  };
  return names
    .map((name) => ({ name, weight: weight(name) }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, mostFiles)
    .map(({ name }) => name);
}

function readBytes(
  folder: string,
  place: string,
  most = largestFileBytes,
): Uint8Array | FileRefusal {
  return readSafely(openBelow(folder, place, { mostBytes: largestFileBytes }), most);
}

/** What the agent's files are evidence of, beside what the recorder saw: the end of each process. */
export function agentEvidenceOf(
  folder: string,
  recorded: readonly Evidence[],
  symbol: SymbolReader,
): {
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
  /** Recorded names that were out of date: pid to the name of the program that it was in the end. */
  readonly names: ReadonlyMap<number, string>;
} {
  const { snapshots, sources } = readAgentFiles(folder);
  const exits = recorded.filter((fact) => fact.kind === 'process-exit');
  /** In a pid namespace of its own a process knows itself by another pid than its recorder. */
  const exitOf = (pid: number) =>
    exits.find((exit) => exit.pid === pid) ??
    exits.find(({ otherPids = [] }) => otherPids.includes(pid));
  return {
    evidence: snapshots.flatMap(({ file, place }) =>
      agentEvidence(
        { ...file, pid: exitOf(file.pid)?.pid ?? file.pid },
        { place, endedAt: exitOf(file.pid)?.when?.wall, symbol },
      ),
    ),
    sources,
    names: new Map(
      snapshots.flatMap(({ file }) => {
        const exit = exitOf(file.pid);
        const isNewer =
          exit?.namedAt !== undefined && Date.parse(file.startedAt) > Date.parse(exit.namedAt);
        return exit !== undefined && isNewer && file.state !== 'executing' && file.name !== ''
          ? [[exit.pid, file.name] as const]
          : [];
      }),
    ),
  };
}
