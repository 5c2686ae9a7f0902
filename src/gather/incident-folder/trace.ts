/** What the kernel's trace of a run says: who sent each signal, which requests it refused, whom its OOM killer chose. */
import { defined } from '../../model/defined.ts';
import type { Evidence, FailedAllocation, ProcessExit } from '../../model/evidence.ts';
import { traceFile } from '../../model/incident-folder.ts';
import { parseTraceLog, type TraceLog } from '../../parsers/formats/trace-log.ts';
import { isoTime } from '../../model/units.ts';
import { readIncidentFile } from '../../store/incidents.ts';

const numbers: Readonly<Record<string, number>> = {
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};
/** SI_KERNEL and the codes of faults; 0 and below come from processes. */
const fromKernel = (code: number) => code > 0;

/** Adds what the trace of a run tells to what was recorded: senders to the ends of processes, refusals of their own. */
export function withTrace(folder: string, recorded: readonly Evidence[]): readonly Evidence[] {
  const text = readIncidentFile(folder, traceFile);
  if (typeof text !== 'string') return recorded;
  const trace = parseTraceLog(text);
  const exits = new Map<number, ProcessExit>();
  for (const fact of recorded)
    if (fact.kind === 'process-exit' && !exits.has(fact.pid)) exits.set(fact.pid, fact);
  const signals = byPid(trace.signals);
  const victims = byPid(trace.victims);
  return [
    ...recorded.map((fact) =>
      fact.kind === 'process-exit' ? withVictimMark(withSender(fact, signals), victims) : fact,
    ),
    ...trace.refusals.flatMap((refusal): FailedAllocation[] => {
      const exit = exits.get(refusal.pid);
      if (refusal.bytes === null || exit === undefined) return [];
      const seconds =
        exit.when?.uptimeSeconds === undefined
          ? undefined
          : exit.when.uptimeSeconds - refusal.uptimeSeconds;
      const wall =
        seconds === undefined || exit.when?.wall === undefined
          ? undefined
          : isoTime(Date.parse(exit.when.wall) - seconds * 1000);
      return [
        {
          kind: 'failed-allocation',
          origin: {
            source: 'tracefs',
            place: `${traceFile}:${refusal.line}`,
            line: refusal.line,
            quote: refusal.quote,
          },
          when: { uptimeSeconds: refusal.uptimeSeconds, ...defined({ wall }) },
          pid: refusal.pid,
          name: exit.name,
          failure: {
            bytes: refusal.bytes,
            errno: 'ENOMEM',
            stack: [],
            caller: `${refusal.call}()`,
            pid: refusal.pid,
          },
          seenBy: 'tracepoint',
          ...(seconds === undefined
            ? {}
            : { beforeEndMs: Math.max(0, Math.round(seconds * 1000)) }),
        },
      ];
    }),
  ];
}

type ByPid<Line> = ReadonlyMap<number, readonly Line[]>;
function byPid<Line extends { readonly pid: number }>(lines: readonly Line[]): ByPid<Line> {
  const groups = new Map<number, Line[]>();
  for (const line of lines) {
    const group = groups.get(line.pid);
    if (group === undefined) groups.set(line.pid, [line]);
    else group.push(line);
  }
  return groups;
}

/** The latest line on a process, by any of its pids, that fits. */
function lastOf<Line extends { readonly line: number }>(
  { pid, otherPids = [] }: ProcessExit,
  lines: ByPid<Line>,
  fits: (line: Line) => boolean,
): Line | undefined {
  return [pid, ...otherPids]
    .flatMap((one) => lines.get(one)?.findLast(fits) ?? [])
    .sort((a, b) => a.line - b.line)
    .at(-1);
}

function withSender(exit: ProcessExit, signals: ByPid<TraceLog['signals'][number]>): ProcessExit {
  if (exit.signal === null) return exit;
  const sent = lastOf(exit, signals, ({ signal }) => signal === numbers[exit.signal ?? '']);
  if (sent === undefined) return exit;
  return { ...exit, sender: { ...sent.sender, kernel: fromKernel(sent.code) } };
}

/** Chosen by the OOM killer, and ended by its SIGKILL. A pid of another namespace counts only where its name agrees. */
function withVictimMark(
  exit: ProcessExit,
  victims: ByPid<TraceLog['victims'][number]>,
): ProcessExit {
  if (exit.signal !== 'SIGKILL') return exit;
  const mark = lastOf(
    exit,
    victims,
    ({ name }) => name === null || name === exit.name.slice(0, 15),
  );
  if (mark === undefined) return exit;
  const { totalVmBytes, anonRssBytes, fileRssBytes, shmemRssBytes, uid, oomScoreAdj } = mark;
  return {
    ...exit,
    markedVictim: {
      place: `${traceFile}:${mark.line}`,
      quote: mark.quote,
      ...(totalVmBytes === null ? {} : { totalVmBytes }),
      ...(anonRssBytes === null ? {} : { anonRssBytes }),
      ...(fileRssBytes === null ? {} : { fileRssBytes }),
      ...(shmemRssBytes === null ? {} : { shmemRssBytes }),
      ...(uid === null ? {} : { uid }),
      ...(oomScoreAdj === null ? {} : { oomScoreAdj }),
    },
  };
}
