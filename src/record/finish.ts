/** What the recorder does after the command has ended. How it ended is known and must be handed on: nothing here throws. */
import { ask } from '../machine/ask.ts';
import type { KernelLogFollower } from '../machine/kernel-log.ts';
import { askOomDaemons, runningOomDaemons } from '../machine/oom-daemons.ts';
import { recorderRoots } from '../machine/roots.ts';
import type { IncidentEnd } from '../model/incident-folder.ts';
import { maskText } from '../model/secrets.ts';
import { isoTime } from '../model/units.ts';
import { finishKernelLog } from './kernel-log-tap.ts';
import type { Ending } from './launch.ts';
import { guardsSignals, type Notices } from './notices.ts';
import { clockOf, guarded, writeEvent, writeNote, type Run } from './run.ts';
import type { StderrTail } from './stderr-tail.ts';

/** Words on stderr that deserve a verdict although the command has ended well: an error that was swallowed. */
const tellingWords = /[Mm]emory|[Kk]illed|OOM|oom|SIGKILL|alloc|ENOMEM|signal|Exception|Error/;
/** Companions are waited for so long, all together. */
const companionsMs = 1000;

/** Gathers what is still to come, asks who else knows of a death, and closes the recording. */
export async function finishRun(
  run: Run,
  notices: Notices,
  parts: { readonly log: KernelLogFollower; readonly stderr: StderrTail },
  ending: Ending,
): Promise<void> {
  const [, words] = await Promise.all([
    finishCompanions(run),
    parts.stderr.finish().catch(() => null),
  ]);
  if (words !== null) {
    run.writer.append('stderr.tail', maskText(words));
    if (parts.stderr.shared && words !== '')
      writeEvent(run, {
        what: 'source',
        atMs: clockOf(run),
        id: 'stderr',
        place: 'stderr.tail',
        status: 'read',
        shared: true,
      });
  }
  run.isNotable ||= ending.exitCode !== 0 || (words !== null && tellingWords.test(words));
  for (const companion of run.companions)
    guarded(run, 'notable', () => {
      if (companion.notable?.() === true) run.isNotable = true;
    });
  await logged(run, 'kernel log', finishKernelLog(run, parts.log, ending));
  await logged(run, 'memory guards', askMemoryGuards(run, ending));
  guarded(run, 'end', () => closeRun(run, notices, ending));
}

const logged = (run: Run, what: string, work: Promise<void>): Promise<void> =>
  work.catch((error: unknown) => writeNote(run, `${what}: ${String(error)}`));

async function finishCompanions(run: Run): Promise<void> {
  const waits: Promise<void>[] = [];
  for (const companion of run.companions)
    guarded(run, 'companion', () => {
      const wait = companion.ended?.();
      if (wait !== undefined) waits.push(wait);
    });
  if (waits.length === 0) return;
  let timeout: NodeJS.Timeout | undefined;
  await Promise.race([
    Promise.allSettled(waits),
    new Promise((resolve) => {
      timeout = setTimeout(resolve, companionsMs);
    }),
  ]);
  clearTimeout(timeout);
}

/** A guard in user space leaves nothing in the kernel log: its own words are in the journal. */
async function askMemoryGuards(run: Run, ending: Ending): Promise<void> {
  const { roots, memoryWasShort } = run;
  const bySignal = ending.signal !== null && guardsSignals.test(ending.signal);
  const byShell = ending.exitCode === 137 || ending.exitCode === 143;
  // Programs end their helpers every day: a signal to one of them alone is not worth the time.
  const ofHelper = run.hasUnexplainedSignal && (memoryWasShort || ending.exitCode !== 0);
  if (roots.kernelLog !== recorderRoots.kernelLog || !(bySignal || byShell || ofHelper)) return;
  const daemons = runningOomDaemons(roots.proc);
  if (daemons.length === 0) return;
  const { text, source } = await askOomDaemons(
    daemons,
    run.startedWallMs / 1000,
    memoryWasShort ? [250, 500, 750] : [],
    ask,
  );
  if (text !== '') run.writer.append('guards.log', text);
  writeEvent(run, { what: 'source', atMs: clockOf(run), ...source });
}

/** CPU time and memory of this very process, from its start. */
function recorderCost({ samples }: Run): NonNullable<IncidentEnd['recorder']> {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    cpuMs: Math.round((userCPUTime + systemCPUTime) / 1000),
    peakRssBytes: maxRSS * 1024,
    samples,
  };
}

/** Writes the last file of the incident folder and closes every descriptor. `ending` is null where the command could not be started. */
export function closeRun(run: Run, { watchers }: Notices, ending: Ending | null): void {
  for (const watcher of watchers) watcher.close();
  const survivors = [...run.tree.alive.values()].filter((process) => !process.ended);
  const end: IncidentEnd = {
    endedAt: isoTime(Date.now()) ?? null,
    durationMs: Math.round(clockOf(run)),
    exitCode: ending?.exitCode ?? null,
    signal: ending?.signal ?? null,
    recorder: recorderCost(run),
    ...(survivors.length > 0 ? { survivors: survivors.map((process) => process.pid) } : {}),
    sums: run.writer.sums(),
  };
  run.writer.append('end.json', `${JSON.stringify(end)}\n`);
  run.tree.close();
  run.cgroups.close();
  run.host.close();
}
