/** Runs a command and records it, from its start to its end. */
import type { KernelLogFollower } from '../machine/kernel-log.ts';
import { defined } from '../model/defined.ts';
import { isMachineNearlyShort } from '../model/shortage.ts';
import type { Bytes, Ms } from '../model/units.ts';
import { tightestLimitBytes } from './cgroups.ts';
import type { CompanionContext } from './companion.ts';
import { closeRun, finishRun } from './finish.ts';
import { readKernelLog, skipOldRecords, tapKernelLog } from './kernel-log-tap.ts';
import { launch, type Ending, type LaunchError } from './launch.ts';
import {
  newNotices,
  noticeCounters,
  noticeEnd,
  noticeStall,
  stopNotices,
  watchCounters,
  type Notices,
} from './notices.ts';
import { offerAsVictim, protectItself } from './oom-score.ts';
import {
  clockOf,
  guarded,
  openRun,
  rememberName,
  writeEvent,
  writeNote,
  writeSample,
  type RecordOptions,
  type Run,
} from './run.ts';
import {
  sampleNow,
  sampleSchedule,
  startSampling,
  stopSampling,
  type SampleSchedule,
} from './sample-schedule.ts';
import { dumpingOf, Sampler, type SampleEvent } from './sampler.ts';
import { passSignals } from './signals.ts';
import { StallWatch } from './stall.ts';
import type { Tracked } from './tree.ts';

export type { Companion } from './companion.ts';

export type RecordResult =
  | { readonly launchError: LaunchError }
  | {
      readonly ending: Ending;
      readonly pid: number;
      readonly durationMs: Ms;
      /** When the command's end was noticed, on `performance.now()`'s clock. */
      readonly noticedAt: Ms;
      /** false: it ended well, and nothing was seen that a verdict could be about. */
      readonly notable: boolean;
      readonly peakRssBytes: Bytes;
      /** The tightest finite limit on memory; null: none but the machine's. */
      readonly limitBytes: Bytes | null;
    };

/** Everything that watches a run. */
interface Watch {
  readonly run: Run;
  readonly notices: Notices;
  readonly schedule: SampleSchedule;
  readonly stalls: StallWatch;
  readonly sampler: Sampler;
  readonly log: KernelLogFollower;
}

/**
 * Runs the command and records it. Recorder failures are logged, never propagated: the command runs, ends and is reported as it would
 * be without a recorder.
 */
export async function record(options: RecordOptions): Promise<RecordResult> {
  const run = openRun(options);
  const { held, told } = run.writer;
  if (held !== null && told !== null)
    for (const companion of run.companions)
      guarded(run, 'prepare', () => companion.prepare?.(run.env, held, told));
  const watch = watchRun(run, options.sampleEveryMs);
  const { notices, sampler } = watch;
  sampler.begin(run.proc.text('self', 'cgroup'));
  const settings = { stdio: options.stderr.stdio, env: run.env };
  const launched = await (options.helper?.launch(options.command, settings) ??
    launch(options.command, settings, options.spawner));
  guarded(run, 'stderr', options.stderr.started);
  if ('exitCode' in launched) {
    closeRun(run, notices, null);
    return { launchError: launched };
  }
  const { pid } = launched;
  const stopPassing = passSignals(launched.signal);
  const { first, unprotect } = attend(watch, pid);
  const ending = await launched.ended;
  const noticedAt = performance.now();
  run.hasEnded = true;
  unprotect();
  takeLastSample(watch, pid, ending, first);
  await finishRun(run, notices, { log: watch.log, stderr: options.stderr }, ending);
  stopPassing();
  return {
    ending,
    pid,
    durationMs: noticedAt - run.startedAt,
    noticedAt,
    notable: run.isNotable,
    peakRssBytes: sampler.peakRssBytes,
    limitBytes: tightestLimitBytes(run.cgroups.all),
  };
}

function watchRun(run: Run, sampleEveryMs: Ms | undefined): Watch {
  const notices = newNotices();
  const schedule = sampleSchedule(sampleEveryMs);
  const stalls = new StallWatch();
  const sampler = new Sampler({
    proc: run.proc,
    tree: run.tree,
    cgroups: run.cgroups,
    host: run.host,
    pageSizeBytes: run.pageSizeBytes,
    totalBytes: run.start.machine.totalBytes,
    clock: () => clockOf(run),
    writeSample: (line) => writeSample(run, line),
    writeEvent: (line) => {
      if (line.what === 'process') rememberName(run, line.pid, line.name);
      if (line.what === 'cgroup')
        watchCounters(notices, run.cgroups.all[line.id], () => sampleNow(schedule));
      writeEvent(run, line);
    },
    onGone: (pid, name, signal) => noticeEnd(run, notices, { pid, name, signal }),
    onSample: (event) => onSample(run, notices, stalls, event),
  });
  return { run, notices, schedule, stalls, sampler, log: tapKernelLog(run) };
}

function onSample(run: Run, notices: Notices, stalls: StallWatch, event: SampleEvent): void {
  const leftBytes = event.host?.availableBytes;
  const { totalBytes } = run.start.machine;
  run.memoryWasShort ||= isMachineNearlyShort({ leftBytes, totalBytes }) === true;
  const stall = stalls.take(event);
  if (stall !== null) noticeStall(run, notices, stall);
  for (const companion of run.companions)
    guarded(run, 'companion', () => companion.onSample?.(event));
}

/** Begins to watch the command that has just been started. `first` is null where it has ended already. */
function attend(
  watch: Watch,
  pid: number,
): { readonly first: Tracked | null; readonly unprotect: () => void } {
  const { run, sampler } = watch;
  const { cgroups, proc, start } = run;
  guarded(run, 'oom_score_adj', () =>
    offerAsVictim(proc.path(pid, 'oom_score_adj'), cgroups.all, start.machine.totalBytes),
  );
  const unprotect = protectItself(proc.path(process.pid, 'oom_score_adj'), cgroups.all);
  const context: CompanionContext = {
    folder: run.writer.held,
    mark: run.mark,
    clock: () => clockOf(run),
    pageSizeBytes: run.pageSizeBytes,
    note: (text, of) => writeNote(run, text, of),
    missed: (source) => writeEvent(run, { what: 'source', atMs: clockOf(run), ...source }),
  };
  for (const companion of run.companions)
    guarded(run, 'companion', () => companion.started?.(pid, context));
  let first: Tracked | null = null;
  guarded(run, 'sample', () => {
    first = run.tree.begin(pid);
    if (first !== null) sampler.introduce(first);
  });
  startSampling(watch.schedule, () => takeSample(watch));
  skipOldRecords(run, watch.log);
  return { first, unprotect };
}

const recordsPerSample = 2000;

function takeSample({ run, notices, schedule, sampler, log }: Watch) {
  guarded(run, 'sample', () => sampler.tick());
  guarded(run, 'kernel log', () => readKernelLog(run, notices, log, recordsPerSample));
  guarded(run, 'counters', () => {
    if (noticeCounters(run, notices)) schedule.delayMs = schedule.fastestMs;
  });
  const { movement, nearLimit, lastNewsMs, headrooms } = sampler;
  return { ageMs: clockOf(run), movement, nearLimit, lastNewsMs, headrooms };
}

/** Reads everything once more, and writes down how the command ended. */
function takeLastSample(watch: Watch, pid: number, ending: Ending, first: Tracked | null): void {
  const { run, notices, schedule, stalls, sampler, log } = watch;
  stopSampling(schedule);
  stopNotices(notices);
  guarded(run, 'sample', () => sampler.tick(true));
  guarded(run, 'kernel log', () => readKernelLog(run, notices, log, Infinity));
  writeEvent(run, {
    what: 'process-gone',
    atMs: clockOf(run),
    pid,
    exitCode: ending.exitCode,
    signal: ending.signal,
    seenAs: 'wait',
    ...defined({ peakRssBytes: ending.peakRssBytes }),
    ...(first === null ? {} : dumpingOf(first)),
  });
  guarded(run, 'stall', () => {
    const stall = stalls.end(clockOf(run));
    if (stall !== null) writeEvent(run, stall);
  });
}
