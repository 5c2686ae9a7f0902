/** The kernel as second witness of a run: refused memory, senders of signals, OOM victims. Root only; nothing is lost without. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTracing, startTracingSoon, traceFolders, type Tracing } from '../machine/tracing.ts';
import type { Evidence, FailedAllocation, ProcessExit } from '../model/evidence.ts';
import { parseTraceLog, type TraceLog } from '../parsers/trace-log.ts';
import type { Companion } from './recorder.ts';

const fileName = 'agent/trace.log';
const numbers: Readonly<Record<string, number>> = {
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};
/** SI_KERNEL and the codes of faults; 0 and below come from processes. */
const fromKernel = (code: number) => code > 0;

/**
 * `complete`: from the first instruction on, at the price of a slower start; else beside the start, for where the agent is
 * there to see what comes before.
 */
export function tracingCompanion(
  complete: boolean,
  roots: readonly string[] = traceFolders,
  starters: readonly number[] = [process.pid],
): Companion {
  let tracing: Tracing | null = null;
  let folder = '';
  return {
    prepare: (_env, into) => {
      folder = into;
      if (!complete) return;
      // The pids of who starts the command: what they start inherits it.
      const start = startTracing(starters, roots);
      if ('tracing' in start) tracing = start.tracing;
    },
    started: (pid) => {
      if (complete || folder === '') return;
      const begin = async () => {
        const start = await startTracingSoon([pid], roots);
        if ('tracing' in start) tracing = start.tracing;
      };
      void begin();
    },
    ended: () => {
      if (tracing === null) return;
      writeFileSync(join(folder, fileName), tracing.read(), { mode: 0o600 });
      // Not waited for: it takes longer than a verdict may.
      void tracing.close();
    },
  };
}

/** Adds what the trace of a run tells to what was recorded: senders to the ends of processes, refusals of their own. */
export function withTrace(folder: string, recorded: readonly Evidence[]): readonly Evidence[] {
  let text: string;
  try {
    text = readFileSync(join(folder, fileName), 'utf8');
  } catch {
    return recorded;
  }
  const trace = parseTraceLog(text);
  const exits = recorded.filter((fact): fact is ProcessExit => fact.kind === 'process-exit');
  return [
    ...recorded.map((fact) =>
      fact.kind === 'process-exit' ? withMark(withSender(fact, trace), trace) : fact,
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
          : new Date(Date.parse(exit.when.wall) - seconds * 1000).toISOString();
      return [
        {
          kind: 'failed-allocation',
          origin: {
            source: 'tracefs',
            place: `${fileName}:${refusal.line}`,
            line: refusal.line,
            quote: refusal.quote,
          },
          when: { uptimeSeconds: refusal.uptimeSeconds, ...(wall === undefined ? {} : { wall }) },
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
function withMark(exit: ProcessExit, { victims }: TraceLog): ProcessExit {
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
      place: `${fileName}:${mark.line}`,
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
