/** A run that is being recorded: what its parts share, and how they write it down. */
import { readlinkSync } from 'node:fs';
import { findMounts } from '../machine/cgroup.ts';
import { bootId, hostReader, machineFacts, type HostReader } from '../machine/host.ts';
import { procAt, type Proc } from '../machine/proc.ts';
import { recorderRoots, type RecorderRoots } from '../machine/roots.ts';
import { defined } from '../model/defined.ts';
import type { EventLine, IncidentStart, SampleLine } from '../model/incident-folder.ts';
import { maskSecrets } from '../model/secrets.ts';
import { isoTime, type Bytes, type Ms } from '../model/units.ts';
import type { IncidentWriter } from '../store/incidents.ts';
import { cgroupWatch, type CgroupWatch } from './cgroups.ts';
import type { Companion } from './companion.ts';
import type { Helper } from './helper.ts';
import type { Spawner } from './launch.ts';
import type { StderrTail } from './stderr-tail.ts';
import { ProcessTree } from './tree.ts';
import type { Prose } from '../model/prose.ts';
import { runVariable } from './run-variable.ts';

export interface RecordOptions {
  readonly command: readonly [string, ...string[]];
  readonly version: string;
  readonly writer: IncidentWriter;
  readonly env: NodeJS.ProcessEnv;
  readonly stderr: StderrTail;
  /** The options of the command line, as they are written down. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly companions?: readonly Companion[];
  /** One line for the user while the command still runs. */
  readonly say: (line: string) => void;
  /** Shortest time between two samples in ms; default 50. */
  readonly sampleEveryMs?: Ms;
  readonly roots?: RecorderRoots;
  readonly spawner?: Spawner;
  /** Starts the command instead of Node, where it has started Node. */
  readonly helper?: Helper | null;
}

export interface Run {
  readonly writer: IncidentWriter;
  readonly say: (line: string) => void;
  readonly companions: readonly Companion[];
  readonly roots: RecorderRoots;
  readonly proc: Proc;
  readonly host: HostReader;
  readonly cgroups: CgroupWatch;
  readonly tree: ProcessTree;
  /** CORONER_RUN of the run's processes. */
  readonly mark: string;
  /** What the command is started with. */
  readonly env: NodeJS.ProcessEnv;
  /** The first file of the incident folder. */
  readonly start: IncidentStart & { readonly recorderPid: number };
  readonly pageSizeBytes: Bytes;
  /** Wall clock, ms since 1970. */
  readonly startedWallMs: Ms;
  /** On `performance.now()`'s clock. */
  readonly startedAt: Ms;
  /** CLOCK_MONOTONIC in seconds, which the kernel log's clock follows: both leave suspended time out. */
  readonly startedUptimeSeconds: number;
  /** The last known name of each process of the run, for a bounded number of them. */
  readonly names: Map<number, string>;
  /** Something was seen that a verdict could be about, although the command may end well. */
  isNotable: boolean;
  hasEnded: boolean;
  /** A process ended by a signal that memory guards send, and nothing says yet that the kernel sent it. */
  hasUnexplainedSignal: boolean;
  memoryWasShort: boolean;
  /** Samples taken so far, of which one in `keptEvery` is written down. */
  samples: number;
  keptEvery: number;
}

export function openRun({
  command,
  version,
  writer,
  env,
  options,
  companions = [],
  say,
  roots = recorderRoots,
}: RecordOptions): Run {
  const startedWallMs = Date.now();
  const startedAt = performance.now();
  const startedUptimeSeconds = Number(process.hrtime.bigint()) / 1e9;
  const proc = procAt(roots.proc);
  const machine = machineFacts(roots.proc);
  const start: Run['start'] = {
    format: 'coroner-incident/1',
    id: writer.id,
    version,
    command: maskSecrets(command),
    cwd: currentFolder(),
    startedAt: isoTime(startedWallMs) ?? '',
    startedUptimeSeconds,
    bootId: bootId(roots.proc),
    machine,
    recorderPid: process.pid,
    uid: process.getuid?.() ?? null,
    initialPidNamespace: inInitialPidNamespace(roots.proc),
    options,
    sums: true,
  };
  writer.append('incident.json', `${JSON.stringify(start, null, 1)}\n`);
  const mark = writer.told ?? writer.id;
  return {
    writer,
    say,
    companions,
    roots,
    proc,
    host: hostReader(roots.proc),
    cgroups: cgroupWatch(findMounts(roots.proc, roots.cgroup)),
    tree: new ProcessTree(proc, `${runVariable}=${mark}`),
    mark,
    env: { ...env, [runVariable]: mark },
    start,
    pageSizeBytes: machine.pageSizeBytes ?? 4096,
    startedWallMs,
    startedAt,
    startedUptimeSeconds,
    names: new Map(),
    isNotable: false,
    hasEnded: false,
    hasUnexplainedSignal: false,
    memoryWasShort: false,
    samples: 0,
    keptEvery: 1,
  };
}

/** Milliseconds since the start of the run. */
export const clockOf = ({ startedAt }: Run): Ms => performance.now() - startedAt;

const samplesBudgetBytes = 16 * 2 ** 20;
/** A run may have a million short processes: beyond this only what may matter is written down. */
const eventsBudgetBytes = 24 * 2 ** 20;
const isRoutine = (line: EventLine) =>
  line.what === 'limits' ||
  (line.what === 'process' && line.role === 'descendant') ||
  (line.what === 'process-gone' && line.signal === null && line.seenAs !== 'wait');

export function writeEvent({ writer }: Run, line: EventLine): void {
  if (writer.size('events.ndjson') > eventsBudgetBytes && isRoutine(line)) return;
  const rounded = { ...line, atMs: Math.round(line.atMs) };
  writer.append('events.ndjson', `${JSON.stringify(rounded)}\n`);
}

/** Long runs: each further half of the budget is filled at half the rate. */
export function writeSample(run: Run, line: SampleLine): void {
  const { writer } = run;
  run.samples += 1;
  if (run.samples % run.keptEvery !== 0) return;
  writer.append('samples.ndjson', `${JSON.stringify(line)}\n`);
  if (writer.size('samples.ndjson') > samplesBudgetBytes * (1 - 0.5 ** run.keptEvery))
    run.keptEvery += 1;
}

export const writeNote = (run: Run, text: Prose, pid?: number): void =>
  writeEvent(run, { what: 'note', atMs: clockOf(run), text, ...defined({ pid }) });

/** Does a part of the recorder's work. Recorder failures are logged as notes, never propagated. */
export function guarded(run: Run, what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    writeNote(run, `${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const mostNames = 50_000;

/** Remembers the name of a process, and forgets the oldest one where there are too many. */
export function rememberName({ names }: Run, pid: number, name: string): void {
  names.set(pid, name);
  const [oldest] = names.keys();
  if (names.size > mostNames && oldest !== undefined) names.delete(oldest);
}

/** The initial pid namespace has a fixed inode (PROC_PID_INIT_INO): only there the kernel log's pids are ours. null: not readable. */
function inInitialPidNamespace(procRoot: string): boolean | null {
  try {
    const link = readlinkSync(`${procRoot}/self/ns/pid`);
    return link === 'pid:[4026531836]';
  } catch {
    return null;
  }
}

/** Empty where the current folder does not exist any more. */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    return '';
  }
}
