/** What the kernel's trace of a run says: who sent each signal, which requests it refused, whom its OOM killer chose. */
import { defined } from '../../model/defined.ts';
import { join } from 'node:path';
import type { Evidence, FailedAllocation, ProcessExit } from '../../model/evidence.ts';
import { traceFile } from '../../model/incident-folder.ts';
import { parseTraceLog, type TraceLog } from '../../parsers/formats/trace-log.ts';
import { isoTime } from '../../model/units.ts';
import { readPlainFile } from '../../store/incidents.ts';

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
  let text: string;
  try {
    text = readPlainFile(join(folder, traceFile));
  } catch {
    return recorded;
  }
  const trace = parseTraceLog(text);
  const exits = recorded.filter((fact): fact is ProcessExit => fact.kind === 'process-exit');
  return [
    ...recorded.map((fact) =>
      fact.kind === 'process-exit' ? withVictimMark(withSender(fact, trace), trace) : fact,
    ),
    ...trace.refusals.flatMap((refusal): FailedAllocation[] => {
      const exit = exits.find(({ pid }) => pid === refusal.pid);
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

function withSender(exit: ProcessExit, { signals }: TraceLog): ProcessExit {
  if (exit.signal === null) return exit;
  const sent = signals.findLast(
    ({ pid, signal }) =>
      (pid === exit.pid || (exit.otherPids ?? []).includes(pid)) &&
      signal === numbers[exit.signal ?? ''],
  );
  if (sent === undefined) return exit;
  return { ...exit, sender: { ...sent.sender, kernel: fromKernel(sent.code) } };
}

/** Chosen by the OOM killer, and ended by its SIGKILL. A pid of another namespace counts only where its name agrees. */
function withVictimMark(exit: ProcessExit, { victims }: TraceLog): ProcessExit {
  if (exit.signal !== 'SIGKILL') return exit;
  const mark = victims.findLast(
    ({ pid, name }) =>
      (pid === exit.pid || (exit.otherPids ?? []).includes(pid)) &&
      (name === null || name === exit.name.slice(0, 15)),
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
