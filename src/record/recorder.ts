import { isMachineNearlyShort } from '../model/shortage.ts';
import { nameWithPid } from '../model/name-with-pid.ts';
import { defined } from '../model/defined.ts';
import { readlinkSync, watch, writeFileSync, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { findMounts } from '../machine/cgroup.ts';
import { ask } from '../machine/ask.ts';
import { askOomDaemons, runningOomDaemons } from '../machine/oom-daemons.ts';
import { bootId, hostReader, machineFacts } from '../machine/host.ts';
import { askForKernelLog, followKernelLog } from '../machine/kernel-log.ts';
import { procAt } from '../machine/proc.ts';
import { textOf } from '../machine/read.ts';
import { recorderRoots, type RecorderRoots } from '../machine/roots.ts';
import type {
  EventLine,
  IncidentEnd,
  IncidentStart,
  SampleLine,
  SourceSeen,
} from '../model/incident-folder.ts';
import { formatBytes } from '../model/units.ts';
import type { IncidentWriter } from '../store/incidents.ts';
import { cgroupWatch, type WatchedCgroup } from './cgroups.ts';
import type { Helper } from './helper.ts';
import { launch, type Ending, type LaunchError, type Spawner } from './launch.ts';
import { maskSecrets, maskText } from '../model/secrets.ts';
import { dumpingOf, Sampler, type SampleEvent } from './sampler.ts';
import { paceMs } from './headroom.ts';
import { passSignals } from './signals.ts';
import { stallWatch } from './stall.ts';
import type { StderrTail } from './stderr-tail.ts';
import { ProcessTree, type Tracked } from './tree.ts';
import { isoTime } from '../model/units.ts';

/** What others do during a run: the last look, the agent, a limit of the run's own. */
export interface Companion {
  /** Changes the environment that the command gets. Before the start. */
  readonly prepare?: (env: NodeJS.ProcessEnv, folder: string) => void;
  /** The command has just been started. */
  readonly started?: (pid: number, context: CompanionContext) => void;
  /** At every sample; must be quick. */
  readonly onSample?: (event: SampleEvent) => void;
  /** The command has ended well; does anything here want a word nevertheless? */
  readonly notable?: () => boolean;
  /** The command has ended; what it still has to write is waited for, a second at most. */
  readonly ended?: () => Promise<void> | void;
}
export interface CompanionContext {
  readonly folder: string | null;
  /** Milliseconds since the start of the run. */
  readonly clock: () => number;
  readonly note: (text: string, pid?: number) => void;
  /** Something that would have told more could not be read: the verdict says so, with the command that would have told. */
  readonly missed: (source: Omit<SourceSeen, 'what' | 'atMs'>) => void;
}

export interface RecordOptions {
  readonly command: readonly [string, ...string[]];
  readonly version: string;
  readonly writer: IncidentWriter;
  readonly env: NodeJS.ProcessEnv;
  readonly stderr: StderrTail;
  readonly options: Readonly<Record<string, unknown>>;
  readonly companions?: readonly Companion[];
  /** One line for the user while the command still runs. */
  readonly say: (line: string) => void;
  /** Shortest time between two samples; default 50 ms. */
  readonly sampleEveryMs?: number;
  readonly roots?: RecorderRoots;
  readonly spawner?: Spawner;
  /** Starts the command instead of Node, where it has started Node. */
  readonly helper?: Helper | null;
}
export type RecordResult =
  | { readonly launchError: LaunchError }
  | {
      readonly ending: Ending;
      readonly pid: number;
      readonly durationMs: number;
      /** When the command's end was noticed, on `performance.now()`'s clock. */
      readonly noticedAt: number;
      /** false: it ended well, and nothing was seen that a verdict could be about. */
      readonly notable: boolean;
      readonly peakRssBytes: number;
      /** The tightest finite limit on memory; null: none but the machine's. */
      readonly limitBytes: number | null;
    };

/** The environment variable that marks the run's processes and tells the Python hook where to write. */
export const runVariable = 'CORONER_RUN';

const samplesBudgetBytes = 16 * 2 ** 20;
/** A run with a million short processes: beyond this only what may matter is written down. */
const eventsBudgetBytes = 24 * 2 ** 20;
const isRoutine = (line: EventLine) =>
  line.what === 'limits' ||
  (line.what === 'process' && line.role === 'descendant') ||
  (line.what === 'process-gone' && line.signal === null && line.seenAs !== 'wait');
const kernelLogBudgetBytes = 8 * 2 ** 20;
/** How long a kill must be survived by the command to be worth a line: else the verdict follows at once. */
const sayAfterMs = 250;

/** Runs the command and records it. Faults of the recorder are noted and never touch the command. */
export async function record(options: RecordOptions): Promise<RecordResult> {
  const { command, writer, say, roots = recorderRoots, companions = [] } = options;
  const startedWallMs = Date.now();
  const startedAt = performance.now();
  const clock = () => performance.now() - startedAt;
  // CLOCK_MONOTONIC, which the kernel log's clock follows (both leave suspended time out).
  const uptimeSeconds = Number(process.hrtime.bigint()) / 1e9;
  const proc = procAt(roots.proc);

  const writeEvent = (line: EventLine) => {
    if (writer.size('events.ndjson') > eventsBudgetBytes && isRoutine(line)) return;
    const rounded = { ...line, atMs: Math.round(line.atMs) };
    writer.append('events.ndjson', `${JSON.stringify(rounded)}\n`);
  };
  const note = (text: string, pid?: number) =>
    writeEvent({ what: 'note', atMs: clock(), text, ...defined({ pid }) });
  const daemon = (what: string, work: () => void) => {
    try {
      work();
    } catch (error) {
      note(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  const start: IncidentStart = {
    format: 'coroner-incident/1',
    id: writer.id,
    version: options.version,
    command: maskSecrets(command),
    cwd: currentFolder(),
    startedAt: isoTime(startedWallMs) ?? '',
    startedUptimeSeconds: uptimeSeconds,
    bootId: bootId(roots.proc),
    machine: machineFacts(roots.proc),
    recorderPid: process.pid,
    uid: process.getuid?.() ?? null,
    initialPidNamespace: inInitialPidNamespace(roots.proc),
    options: options.options,
  };
  writer.append('incident.json', `${JSON.stringify(start, null, 1)}\n`);

  const host = hostReader(roots.proc);
  const cgroups = cgroupWatch(findMounts(roots.proc, roots.cgroup));
  const env: NodeJS.ProcessEnv = { ...options.env, [runVariable]: writer.folder ?? writer.id };
  if (writer.folder !== null)
    for (const companion of companions)
      daemon('prepare', () => companion.prepare?.(env, writer.folder ?? ''));
  const tree = new ProcessTree(proc, `${runVariable}=${env[runVariable]}`);
  const stalls = stallWatch();
  const names = new Map<number, string>();
  let notable = false;
  let ended = false;
  /** Something was ended by a signal that guards send, and the kernel log does not say that it was the kernel. */
  let unexplained = false;
  let memoryWasShort = false;

  let thin = 1;
  let lines = 0;
  const writeSample = (line: SampleLine) => {
    lines += 1;
    if (lines % thin !== 0) return;
    writer.append('samples.ndjson', `${JSON.stringify(line)}\n`);
    // Long runs: each further half of the budget is filled at half the rate.
    if (writer.size('samples.ndjson') > samplesBudgetBytes * (1 - 0.5 ** thin)) thin += 1;
  };
  const sampler = new Sampler({
    proc,
    tree,
    cgroups,
    host,
    pageSizeBytes: start.machine.pageSizeBytes ?? 4096,
    totalBytes: start.machine.totalBytes,
    clock,
    writeSample,
    writeEvent: (line) => {
      if (line.what === 'process') {
        names.set(line.pid, line.name);
        const [oldest] = names.keys();
        if (names.size > 50_000 && oldest !== undefined) names.delete(oldest);
      }
      if (line.what === 'cgroup') watchEvents(cgroups.all[line.id]);
      writeEvent(line);
    },
    onGone: (pid, name, signal) => {
      if (signal !== null) notable = true;
      if (signal !== null && guardsSignals.test(signal)) unexplained = true;
      // The kernel's line may come before or after the end that it explains, and says more.
      if (signal === 'SIGKILL' && !said.has(pid))
        sayKill(pid, `${nameWithPid({ name, pid })} was killed by SIGKILL`);
    },
    onSample: (event) => {
      const { host } = event;
      memoryWasShort ||=
        isMachineNearlyShort({
          leftBytes: host?.availableBytes,
          totalBytes: start.machine.totalBytes,
        }) === true;
      const stall = stalls.take(event);
      if (stall !== null) {
        memoryWasShort = true;
        notable = true;
        writeEvent(stall);
        if (stall.stillGoingOn) sayStall(stall);
      }
      for (const companion of companions) daemon('companion', () => companion.onSample?.(event));
    },
  });

  // What is said while the command runs.
  const said = new Map<number, NodeJS.Timeout>();
  /** In a moment, unless something better is known by then. */
  const sayKill = (pid: number, text: string) => {
    clearTimeout(said.get(pid));
    said.set(
      pid,
      setTimeout(() => {
        if (!ended) say(text);
      }, sayAfterMs),
    );
  };
  let stallSaid = false;
  const sayStall = (stall: NonNullable<ReturnType<typeof stalls.take>>) => {
    if (stallSaid) return;
    stallSaid = true;
    const who = nameWithPid(stall, 'the command');
    const limit =
      stall.limit?.bytes == null
        ? ''
        : ` in ${formatBytes(stall.limit.bytes)} (${stall.limit.owner === 'cgroup' ? `cgroup ${stall.limit.path}` : (stall.limit.path ?? '')})`;
    say(
      `${who} ${stallWords[stall.how]}${limit}${stall.slowdown === undefined ? '' : `, already about ${Math.round(stall.slowdown)} times slower`}`,
    );
  };

  // v2 tells by inotify that a counter moved; v1's files never do.
  const watchers: FSWatcher[] = [];
  const watchEvents = (cgroup: WatchedCgroup | undefined) => {
    if (cgroup === undefined || cgroup.place.version !== 2 || watchers.length >= 32) return;
    try {
      watchers.push(watch(join(cgroup.place.folder, 'memory.events'), () => wake()));
    } catch {
      // The root has none.
    }
  };

  // Kernel log from the start on.
  const kernelLog = followKernelLog(roots.kernelLog, uptimeSeconds);
  /** Other containers' pids mean nothing here: then every such line counts. */
  const tellsOfOurs = (text: string) => {
    const pid = tellingKernelLine
      .exec(text)
      ?.slice(1)
      .find((group) => group !== undefined);
    return pid !== undefined && (start.initialPidNamespace === false || names.has(Number(pid)));
  };
  const readKernelLog = (most: number) => {
    const records = kernelLog.read(most);
    for (const entry of records) {
      if (writer.size('kernel.log') < kernelLogBudgetBytes)
        writer.append('kernel.log', `${entry.raw}\n`);
      notable ||= tellsOfOurs(entry.text);
      const kill = /Killed process (\d+)(?:, UID \d+,)? \((.*?)\)(?: total-vm|,|$)/.exec(
        entry.text,
      );
      if (kill?.[1] === undefined) continue;
      const pid = Number(kill[1]);
      if (!names.has(pid)) continue;
      const memcg = entry.text.includes('emory cgroup out of memory');
      const text = `the kernel killed ${nameWithPid({ name: names.get(pid), pid })}: ${memcg ? 'its cgroup reached its memory limit' : 'out of memory'}`;
      writeEvent({ what: 'kill', atMs: clock(), pid, text });
      sayKill(pid, text);
    }
    return records.length;
  };

  let timer: NodeJS.Timeout | undefined;
  let wanted = 5;
  let counted = 0;
  const fastest = options.sampleEveryMs ?? 50;
  // At rest: rare enough to cost nothing, often enough to see a leap towards a limit before it lands.
  const resting = Math.max(fastest, 250);
  const tick = () => {
    timer = undefined;
    const begun = process.cpuUsage();
    daemon('sample', () => sampler.tick());
    daemon('kernel log', () => readKernelLog(2000));
    daemon('counters', noticeKills);
    // CPU time: on a busy machine the wall clock would count the others' work too.
    const { user, system } = process.cpuUsage(begun);
    const costMs = (user + system) / 1000;
    const ageMs = clock();
    const moving = sampler.movement > 0.005 || sampler.nearLimit || ageMs < 400;
    // Asked for by the user: so often everywhere.
    const isClose = options.sampleEveryMs !== undefined || ageMs - sampler.lastNewsMs < 500;
    const pace = (closeMs: number, memory: 'moving' | 'resting') =>
      isClose ? closeMs : paceMs(sampler.headrooms, closeMs, memory, ageMs);
    wanted = moving ? pace(fastest, 'moving') : Math.min(wanted * 1.5, pace(resting, 'resting'));
    if (ageMs < 100) wanted = Math.min(Math.max(5, ageMs / 2), fastest);
    else wanted = Math.min(Math.max(wanted, fastest, costMs * 20), 1000);
    if (!ended) timer = setTimeout(tick, wanted);
  };
  const wake = () => {
    if (ended) return;
    clearTimeout(timer);
    timer = setTimeout(tick, 0);
    wanted = fastest;
  };
  const noticeKills = () => {
    let kills = 0;
    for (const { last } of cgroups.all) kills += last.localOomKills ?? last.oomKills ?? 0;
    if (kills <= counted) return;
    counted = kills;
    notable = true;
    const where = cgroups.all.find(({ last }) => (last.localOomKills ?? last.oomKills ?? 0) > 0);
    const text = `the OOM killer's counter of cgroup ${where?.place.path ?? '?'} moved`;
    writeEvent({ what: 'kill', atMs: clock(), cgroup: where?.place.path ?? '/', text });
    wanted = fastest;
  };

  sampler.begin(proc.text('self', 'cgroup'));
  const settings = { stdio: options.stderr.stdio, env };
  const launched = await (options.helper?.launch(command, settings) ??
    launch(command, settings, options.spawner));
  daemon('stderr', options.stderr.started);
  if ('exitCode' in launched) {
    finish(null);
    return { launchError: launched };
  }
  const { pid } = launched;
  const stopPassing = passSignals(launched.signal);
  daemon('oom_score_adj', () => offerAsVictim(proc.path(pid, 'oom_score_adj'), cgroups, start));
  const unprotect = protectItself(proc.path(process.pid, 'oom_score_adj'), cgroups);
  const context: CompanionContext = {
    folder: writer.folder,
    clock,
    note,
    missed: (source) => writeEvent({ what: 'source', atMs: clock(), ...source }),
  };
  for (const companion of companions) daemon('companion', () => companion.started?.(pid, context));
  let first: Tracked | null = null;
  daemon('sample', () => {
    first = tree.begin(pid);
    if (first !== null) sampler.introduce(first);
  });
  timer = setTimeout(tick, 2);
  // What lies in the ring from before the run is read over at once, in pieces that do not hold up the samples.
  const readOld = () => {
    if (!ended && kernelLog.skipOld(300)) setTimeout(readOld, 3);
  };
  readOld();

  const ending = await launched.ended;
  const noticedAt = performance.now();
  ended = true;
  unprotect();
  clearTimeout(timer);
  for (const timeout of said.values()) clearTimeout(timeout);
  daemon('sample', () => sampler.tick(true));
  daemon('kernel log', () => readKernelLog(Number.POSITIVE_INFINITY));
  writeEvent({
    what: 'process-gone',
    atMs: clock(),
    pid,
    exitCode: ending.exitCode,
    signal: ending.signal,
    seenAs: 'wait',
    ...(first === null ? {} : dumpingOf(first)),
  });
  daemon('stall', () => {
    const stall = stalls.end(clock());
    if (stall !== null) writeEvent(stall);
  });
  // From here on nothing may throw: how the command ended is known, and has to be handed on.
  const [, words] = await Promise.all([
    finishCompanions(companions, daemon),
    options.stderr.finish().catch(() => null),
  ]);
  if (words !== null) writer.append('stderr.tail', maskText(words));
  notable ||= ending.exitCode !== 0 || (words !== null && tellingWords.test(words));
  for (const companion of companions)
    daemon('notable', () => {
      if (companion.notable?.() === true) notable = true;
    });
  await finishKernelLog().catch((error: unknown) => note(`kernel log: ${String(error)}`));
  await finishOomDaemons().catch((error: unknown) => note(`memory guards: ${String(error)}`));
  daemon('end', () => finish(ending));
  stopPassing();
  return {
    ending,
    pid,
    durationMs: noticedAt - startedAt,
    noticedAt,
    notable,
    peakRssBytes: sampler.peakRssBytes,
    limitBytes: tightest(cgroups.all),
  };

  async function finishKernelLog(): Promise<void> {
    if (kernelLog.status === 'read') {
      writeEvent({
        what: 'source',
        atMs: clock(),
        id: 'kernel-log',
        place: roots.kernelLog,
        status: kernelLog.lost() ? 'truncated' : 'read',
      });
      kernelLog.close();
      return;
    }
    // Only a death is worth the time of asking another program.
    const other =
      roots.kernelLog === recorderRoots.kernelLog && ending.signal !== null
        ? await askForKernelLog(startedWallMs / 1000, uptimeSeconds)
        : null;
    if (other !== null) for (const line of other.lines) writer.append('kernel.log', `${line}\n`);
    writeEvent(
      other === null
        ? {
            what: 'source',
            atMs: clock(),
            id: 'kernel-log',
            place: roots.kernelLog,
            status: kernelLog.status,
            ...defined({ detail: kernelLog.detail }),
            command: 'sudo dmesg -T | grep -iE "killed process|out of memory"',
          }
        : { what: 'source', atMs: clock(), id: 'kernel-log', place: other.place, status: 'read' },
    );
  }

  /** A guard in user space leaves nothing in the kernel log: its own words are in the journal. */
  async function finishOomDaemons(): Promise<void> {
    const bySignal = ending.signal !== null && guardsSignals.test(ending.signal);
    const byShell = ending.exitCode === 137 || ending.exitCode === 143;
    // Programs end their helpers every day.
    const worth = bySignal || byShell || (unexplained && (memoryWasShort || ending.exitCode !== 0));
    if (roots.kernelLog !== recorderRoots.kernelLog || !worth) return;
    const daemons = runningOomDaemons(roots.proc);
    if (daemons.length === 0) return;
    const { text, source } = await askOomDaemons(
      daemons,
      startedWallMs / 1000,
      memoryWasShort ? [250, 500, 750] : [],
      ask,
    );
    if (text !== '') writer.append('guards.log', text);
    writeEvent({ what: 'source', atMs: clock(), ...source });
  }

  function finish(ending: Ending | null): void {
    for (const watcher of watchers) watcher.close();
    const survivors = [...tree.alive.values()].filter((process) => !process.ended);
    const end: IncidentEnd = {
      endedAt: isoTime(Date.now()) ?? null,
      durationMs: Math.round(clock()),
      exitCode: ending?.exitCode ?? null,
      signal: ending?.signal ?? null,
      ...(survivors.length > 0 ? { survivors: survivors.map((process) => process.pid) } : {}),
    };
    writer.append('end.json', `${JSON.stringify(end)}\n`);
    tree.close();
    cgroups.close();
    host.close();
  }
}

/** Kernel lines and words on stderr that deserve a verdict also when the command has ended well: a worker killed, an error swallowed. */
const tellingKernelLine =
  /Killed process (\d+)|__vm_enough_memory: pid: (\d+)|\[(\d+)\](?:: segfault at| trap)|\((\d+)\): VmData/;
const tellingWords = /[Mm]emory|[Kk]illed|OOM|oom|SIGKILL|alloc|ENOMEM|signal|Exception|Error/;

/** What earlyoom, nohang and systemd-oomd send. */
const guardsSignals = /^SIG(?:TERM|KILL)$/;

const tightest = (cgroups: readonly WatchedCgroup[]) => {
  const limits = cgroups.map(({ limits }) => limits.limitBytes).filter((bytes) => bytes !== null);
  return limits.length === 0 ? null : Math.min(...limits);
};

const stallWords = {
  swap: 'is swapping instead of working',
  'file-refaults': 'reads the same files again and again because memory is too small to keep them',
  'memory-high': 'is being throttled at its memory.high',
  reclaim: 'waits for memory to be freed',
  'oom-disabled': 'hangs at its memory limit: the cgroup has the OOM killer disabled',
  livelock: 'spins without getting memory',
} as const;

async function finishCompanions(
  companions: readonly Companion[],
  daemon: (what: string, work: () => void) => void,
): Promise<void> {
  const waits: Promise<void>[] = [];
  for (const companion of companions)
    daemon('companion', () => {
      const wait = companion.ended?.();
      if (wait !== undefined) waits.push(wait);
    });
  if (waits.length === 0) return;
  let timeout: NodeJS.Timeout | undefined;
  await Promise.race([
    Promise.allSettled(waits),
    new Promise((resolve) => {
      timeout = setTimeout(resolve, 1000);
    }),
  ]);
  clearTimeout(timeout);
}

/**
 * Makes the command likelier to be chosen by the OOM killer than its recorder, by as many points as the recorder itself may weigh:
 * near nothing on a big machine, much where both sit in a small container. Never lowers, leaves a protected process alone.
 */
function offerAsVictim(
  path: string,
  cgroups: { readonly all: readonly WatchedCgroup[] },
  start: IncidentStart,
): void {
  const recorderBytes = 100 * 2 ** 20;
  const current = Number.parseInt(textOf(path) ?? '', 10);
  if (!Number.isFinite(current) || current < 0) return;
  const limits = cgroups.all
    .map(({ limits }) => limits.limitBytes)
    .filter((bytes) => bytes !== null);
  const bytes = Math.min(start.machine.totalBytes ?? Number.POSITIVE_INFINITY, ...limits);
  const points = Math.ceil((1000 * recorderBytes) / Math.max(bytes, recorderBytes)) + 20;
  writeFileSync(path, String(Math.min(1000, current + points)));
}

/** What coroner needs at least. A process that cannot be killed and gets no memory either would wait for ever. */
const headroomBytes = 96 * 2 ** 20;

/**
 * Takes the recorder out of the OOM killer's choice while the command lives, where it may (CAP_SYS_RESOURCE). Points alone do not help within one
 * limit: a killed process is no candidate any more, but holds its memory until it has ended, and whoever touches a page meanwhile is the only
 * one left to choose (seen in 2 of 12 runs at 100 MiB on a busy machine, 6.18). Returns what undoes it.
 */
function protectItself(
  path: string,
  cgroups: { readonly all: readonly WatchedCgroup[] },
): () => void {
  const limit = tightest(cgroups.all);
  if (limit !== null && limit < headroomBytes) return () => {};
  try {
    const before = textOf(path)?.trim();
    if (before === undefined) return () => {};
    writeFileSync(path, '-1000');
    return () => {
      try {
        writeFileSync(path, before);
      } catch {
        // A moment before its own end: it may stay.
      }
    };
  } catch {
    // An ordinary user may only raise it.
    return () => {};
  }
}

/** The initial pid namespace has a fixed inode (PROC_PID_INIT_INO): only there are the kernel log's pids ours. */
function inInitialPidNamespace(procRoot: string): boolean | null {
  try {
    const link = readlinkSync(`${procRoot}/self/ns/pid`);
    return link === 'pid:[4026531836]';
  } catch {
    return null;
  }
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    return '';
  }
}
