import { defined } from '../model/defined.ts';
import { parseKeyed, parseLimits, commandLine, msPerTick, namespacePids } from '../machine/proc.ts';
import type { Proc } from '../machine/proc.ts';
import type { HostReader } from '../machine/host.ts';
import type {
  CgroupSample,
  EventLine,
  HostSample,
  ProcessSample,
  SampleLine,
} from '../model/incident-folder.ts';
import type { Limit } from '../model/report.ts';
import type { Bytes } from '../model/units.ts';
import type { CgroupWatch, WatchedCgroup } from './cgroups.ts';
import { maskSecrets } from '../model/secrets.ts';
import {
  headroomsOf,
  isWithinReach,
  nearestLimit,
  type Headroom,
  type LimitedProcess,
} from './headroom.ts';
import type { ProcessTree, Tracked } from './tree.ts';

/** For how long the kernel wrote the process's core before its end, in ms, give or take a sample; absent where no core was seen. */
export const dumpingOf = ({ aliveUntil }: Tracked): { readonly dumpingMs?: number } =>
  aliveUntil === null ? {} : { dumpingMs: Math.round(performance.now() - aliveUntil) };

/** What one sample found, for those who act on it: the final snapshot, the agent, the stall watch, the live status. */
export interface SampleEvent {
  readonly atMs: number;
  readonly processes: readonly SampledProcess[];
  readonly cgroups: readonly WatchedCgroup[];
  /** The limit set on the run that has the least left; null: only the machine's memory limits it. */
  readonly nearest: Headroom | null;
  /** Growth of the run's resident memory between the last two samples; 0 where not known. */
  readonly growthBytesPerSecond: number;
  /** What is free below each finite limit, and of the machine's memory. */
  readonly headrooms: readonly Headroom[];
  readonly host: HostSample | null;
}
export interface SampledProcess extends LimitedProcess {
  readonly pid: number;
  readonly name: string;
  readonly role: Tracked['role'];
  readonly state: string;
  readonly rssBytes: number;
  readonly swapBytes: number;
  readonly majorFaults: number;
  readonly userMs: number;
  readonly systemMs: number;
  /** For how long its main thread was ready to run and had no CPU; 0 where the kernel does not tell. */
  readonly runDelayMs: number;
  readonly cgroup: WatchedCgroup | null;
}

export interface SamplerParts {
  readonly proc: Proc;
  readonly tree: ProcessTree;
  readonly cgroups: CgroupWatch;
  readonly host: HostReader;
  readonly pageSizeBytes: number;
  /** The machine's memory; undefined: not readable. */
  readonly totalBytes: number | undefined;
  /** Milliseconds since the start of the run. */
  readonly clock: () => number;
  readonly writeSample: (line: SampleLine) => void;
  readonly writeEvent: (line: EventLine) => void;
  readonly onSample: (event: SampleEvent) => void;
  readonly onGone: (pid: number, name: string, signal: string | null) => void;
}

interface Seen {
  cgroup: WatchedCgroup | null;
  membership: string;
  limits: readonly Limit[];
  status: ReadonlyMap<string, number>;
  statusAtMs: number;
  rssAtStatusBytes: number;
  written: string;
  writtenAtMs: number;
  runDelayMs: number;
  command: string | null;
}

/** As many processes are read in one sample, the oldest first; further ones are left out. */
const processesPerTick = 600;

/** Takes a sample at each `tick()`: reads everything once and writes down what changed. The caller decides when. */
export class Sampler {
  readonly #parts: SamplerParts;
  readonly #seen = new Map<number, Seen>();
  #lastRssBytes = 0;
  #lastAtMs = 0;
  #lastDetailMs = Number.NEGATIVE_INFINITY;
  #lastDiscoverMs = Number.NEGATIVE_INFINITY;
  #lastHostText = '';
  #availableBytes: number | undefined;
  /** A limit may be within reach: what is costly to read is read more often. */
  #isClose = true;
  /** How far the run's memory moved since the sample before, as a share of itself. */
  movement = 0;
  nearLimit = false;
  headrooms: readonly Headroom[] = [];
  /** When a process last appeared or became another program, in ms since the start of the run. */
  lastNewsMs = 0;
  /** The most that the run's processes had resident together, as far as samples saw it. */
  peakRssBytes = 0;

  constructor(parts: SamplerParts) {
    this.#parts = parts;
  }

  /** Reads the cgroups that the command will start in, so that its counters have a baseline. `membership`: /proc/self/cgroup. */
  begin(membership: string | null): void {
    if (membership !== null) this.#follow(membership);
  }

  /** Writes down a process. `again`: it is known, and became another program or moved to another cgroup. */
  introduce(process: Tracked, again = false): void {
    const { proc, clock, writeEvent } = this.#parts;
    const status = proc.text(process.pid, 'status') ?? '';
    const raw = proc.text(process.pid, 'cmdline') ?? '';
    const command = commandLine(maskSecrets(raw.split('\0')).join('\0')) ?? null;
    // A process that is exiting has no memory any more and is shown in the root cgroup (v1, seen on 6.18).
    const read = proc.text(process.pid, 'cgroup') ?? '';
    const membership = this.#isExiting(process) ? '' : read;
    const cgroup = this.#follow(membership);
    const known = parseKeyed(status);
    const adjustment = Number.parseInt(proc.text(process.pid, 'oom_score_adj') ?? '', 10);
    const others = namespacePids(status).filter((pid) => pid !== process.pid);
    writeEvent({
      what: 'process',
      atMs: clock(),
      pid: process.pid,
      parentPid: process.parentPid,
      name: process.name,
      command: command === null ? null : command.slice(0, 4096),
      role: process.role,
      startTicks: process.startTicks,
      ...(others.length > 0 ? { otherPids: others } : {}),
      ...(cgroup === null ? {} : { cgroup: cgroup.place.path }),
      ...(Number.isFinite(adjustment) ? { oomScoreAdj: adjustment } : {}),
      ...(again ? { again } : {}),
    });
    const limits = parseLimits(proc.text(process.pid, 'limits') ?? '');
    // Most processes have their parent's limits: only other ones are written down.
    const parent = process.parentPid === null ? undefined : this.#seen.get(process.parentPid);
    const before = this.#seen.get(process.pid)?.limits ?? parent?.limits ?? [];
    if (JSON.stringify(limits) !== JSON.stringify(before))
      writeEvent({ what: 'limits', atMs: clock(), pid: process.pid, limits });
    this.#seen.set(process.pid, {
      cgroup,
      membership,
      limits,
      status: known,
      statusAtMs: Number.NEGATIVE_INFINITY,
      rssAtStatusBytes: 0,
      written: '',
      writtenAtMs: Number.NEGATIVE_INFINITY,
      runDelayMs: 0,
      command,
    });
  }

  tick(final = false): void {
    const { tree, clock, writeEvent, onGone } = this.#parts;
    const atMs = clock();
    const detail = final || atMs - this.#lastDetailMs >= (this.#isClose ? 450 : 950);
    const discover = final || atMs - this.#lastDiscoverMs >= (atMs < 2000 ? 20 : 100);
    if (detail) this.#lastDetailMs = atMs;
    if (discover) this.#lastDiscoverMs = atMs;
    const change = tree.update(discover);
    if (change.appeared.length + change.renamed.length > 0) this.lastNewsMs = atMs;
    for (const process of change.appeared) this.introduce(process);
    for (const process of change.renamed)
      if (!this.#isExiting(process)) this.introduce(process, true);
    for (const { process, exitCode, signal, seenAs } of change.gone) {
      // The recorder is the command's parent and knows from wait() how the command ended.
      if (process.role === 'command') continue;
      const parent = process.parentPid === null ? undefined : tree.alive.get(process.parentPid);
      writeEvent({
        what: 'process-gone',
        atMs,
        pid: process.pid,
        exitCode,
        signal,
        seenAs,
        ...dumpingOf(process),
        parentState: parent === undefined || parent.ended ? 'ended' : 'alive',
      });
      onGone(process.pid, process.name, signal);
      this.#seen.delete(process.pid);
    }
    const processes = this.#readProcesses(atMs, detail, final);
    const cgroups = this.#readCgroups(atMs, detail);
    const host = detail ? this.#readHost() : null;
    const line: SampleLine = {
      atMs: Math.round(atMs),
      ...(processes.written.length > 0 ? { processes: processes.written } : {}),
      ...(cgroups.length > 0 ? { cgroups } : {}),
      ...(host === null ? {} : { host }),
    };
    if (Object.keys(line).length > 1) this.#parts.writeSample(line);
    this.#judge(atMs, processes.sampled, host);
  }

  #readProcesses(
    atMs: number,
    detail: boolean,
    final: boolean,
  ): { written: readonly ProcessSample[]; sampled: readonly SampledProcess[] } {
    const { tree, pageSizeBytes } = this.#parts;
    const written: ProcessSample[] = [];
    const sampled: SampledProcess[] = [];
    let count = 0;
    for (const process of tree.alive.values()) {
      if (process.ended) continue;
      count += 1;
      if (count > processesPerTick) break;
      const seen = this.#seen.get(process.pid);
      if (seen === undefined) continue;
      this.#refreshStatus(process, seen, atMs);
      if (detail) this.#readSlowly(process, seen, atMs);
      const sample = sampleOf(process, seen, pageSizeBytes);
      if (isNews(sample, seen, atMs) || final) {
        seen.writtenAtMs = atMs;
        written.push(sample);
      }
      sampled.push(sampledOf(process, seen, pageSizeBytes));
    }
    return { written, sampled };
  }

  /** `status` costs three times what `stat` does: it is read where memory moved, and once a second. */
  #refreshStatus(process: Tracked, seen: Seen, atMs: number): void {
    const { proc, pageSizeBytes } = this.#parts;
    const rssBytes = process.stat.rssPages * pageSizeBytes;
    const hasMoved = Math.abs(rssBytes - seen.rssAtStatusBytes) > 2 ** 20;
    if (!hasMoved && atMs - seen.statusAtMs <= 1000) return;
    const { statusFile, pid } = process;
    const text = statusFile === null ? proc.text(pid, 'status') : statusFile.read();
    // A zombie's has no memory in it.
    if (text === null || !text.includes('VmRSS')) return;
    seen.status = parseKeyed(text);
    seen.rssAtStatusBytes = rssBytes;
    seen.statusAtMs = atMs;
  }

  /** What moves slowly. */
  #readSlowly(process: Tracked, seen: Seen, atMs: number): void {
    this.#noticeMove(process, seen, atMs);
    // `cpu_ns wait_ns slices`; the second is the only sign that tells "starved of CPU" from "slow by swapping".
    const text = this.#parts.proc.text(process.pid, 'schedstat') ?? '';
    const waitNs = Number(text.split(' ')[1]);
    if (Number.isFinite(waitNs)) seen.runDelayMs = Math.round(waitNs / 1e6);
  }

  /** Notices that a process is in another cgroup or has other limits: `bash -c 'echo $$ > …/cgroup.procs; ulimit -v …; exec python3'`. */
  #noticeMove(process: Tracked, seen: Seen, atMs: number): void {
    const { proc, writeEvent } = this.#parts;
    const membership = proc.text(process.pid, 'cgroup');
    if (membership !== null && membership !== seen.membership) {
      if (this.#isExiting(process)) return;
      this.introduce(process, true);
      return;
    }
    const limits = proc.text(process.pid, 'limits');
    if (limits === null) return;
    const parsed = parseLimits(limits);
    if (JSON.stringify(parsed) === JSON.stringify(seen.limits)) return;
    seen.limits = parsed;
    writeEvent({ what: 'limits', atMs, pid: process.pid, limits: parsed });
  }

  #readCgroups(atMs: number, detail: boolean): readonly CgroupSample[] {
    const { cgroups, writeEvent } = this.#parts;
    const samples: CgroupSample[] = [];
    for (const cgroup of cgroups.all) {
      if (cgroup.gone) continue;
      const sample = cgroups.sample(cgroup, detail);
      if (cgroup.gone) writeEvent({ what: 'cgroup-gone', atMs, id: cgroup.id });
      if (sample !== null) samples.push(sample);
    }
    return samples;
  }

  #readHost(): HostSample | null {
    const sample = this.#parts.host.sample();
    this.#availableBytes = sample.availableBytes;
    const text = JSON.stringify(sample);
    if (text === this.#lastHostText) return null;
    this.#lastHostText = text;
    return sample;
  }

  #judge(atMs: number, processes: readonly SampledProcess[], host: HostSample | null): void {
    const { cgroups, onSample } = this.#parts;
    const rssBytes = processes.reduce((sum, process) => sum + process.rssBytes, 0);
    const elapsedMs = atMs - this.#lastAtMs;
    const growth = elapsedMs > 0 ? ((rssBytes - this.#lastRssBytes) / elapsedMs) * 1000 : 0;
    this.movement = Math.abs(rssBytes - this.#lastRssBytes) / Math.max(rssBytes, 64 * 2 ** 20);
    this.#lastRssBytes = rssBytes;
    this.peakRssBytes = Math.max(this.peakRssBytes, rssBytes);
    // What came and went between two samples the kernel remembers, for each process alone.
    for (const { status } of this.#seen.values())
      this.peakRssBytes = Math.max(this.peakRssBytes, status.get('VmHWM') ?? 0);
    this.#lastAtMs = atMs;
    this.headrooms = headroomsOf(cgroups.all, processes, {
      totalBytes: this.#parts.totalBytes,
      availableBytes: this.#availableBytes,
    });
    const nearest = nearestLimit(this.headrooms);
    this.nearLimit = nearest !== null && nearest.freeBytes < nearest.limitBytes / 10;
    this.#isClose = isWithinReach(this.headrooms, growth);
    onSample({
      atMs,
      processes,
      cgroups: cgroups.all,
      nearest,
      growthBytesPerSecond: growth,
      headrooms: this.headrooms,
      host,
    });
  }

  /** Asks the kernel now, not the last sample: whatever was read before the answer was read of a living process. */
  #isExiting({ pid }: Tracked): boolean {
    const stat = this.#parts.proc.stat(pid);
    return stat === null || stat.vmBytes === 0;
  }

  #follow(membership: string): WatchedCgroup | null {
    const { cgroups, clock, writeEvent } = this.#parts;
    const { added, own } = cgroups.follow(membership);
    const level = (cgroup: WatchedCgroup) => {
      let up = 0;
      for (
        let at: WatchedCgroup | undefined = own ?? undefined;
        at !== undefined && at !== cgroup;
        up += 1
      )
        at = at.parent === null ? undefined : cgroups.all[at.parent];
      return up;
    };
    for (const cgroup of added) {
      const unreadable = cgroups.unreadable(cgroup);
      writeEvent({
        what: 'cgroup',
        atMs: clock(),
        id: cgroup.id,
        version: cgroup.place.version,
        path: cgroup.place.path,
        folder: cgroup.place.folder,
        level: level(cgroup),
        parent: cgroup.parent,
        ...cgroup.limits,
        ...defined({ killDisabled: cgroup.first.killDisabled }),
        ...(unreadable.length > 0 ? { unreadable } : {}),
      });
    }
    return own;
  }
}

function sampleOf(
  { pid, stat }: Tracked,
  { status, runDelayMs }: Seen,
  pageSizeBytes: Bytes,
): ProcessSample {
  return defined({
    pid,
    state: stat.state,
    rssBytes: stat.rssPages * pageSizeBytes,
    anonBytes: status.get('RssAnon'),
    fileBytes: status.get('RssFile'),
    shmemBytes: status.get('RssShmem'),
    swapBytes: status.get('VmSwap'),
    vmBytes: stat.vmBytes,
    dataBytes: status.get('VmData'),
    peakRssBytes: status.get('VmHWM'),
    peakVmBytes: status.get('VmPeak'),
    majorFaults: stat.majorFaults,
    userMs: stat.userTicks * msPerTick,
    systemMs: stat.systemTicks * msPerTick,
    threads: stat.threads,
    runDelayMs: runDelayMs > 0 ? runDelayMs : undefined,
  });
}

function sampledOf(
  { pid, name, role, stat }: Tracked,
  { status, runDelayMs, limits, cgroup }: Seen,
  pageSizeBytes: Bytes,
): SampledProcess {
  return {
    pid,
    name,
    role,
    state: stat.state,
    rssBytes: stat.rssPages * pageSizeBytes,
    vmBytes: stat.vmBytes,
    dataBytes: status.get('VmData') ?? null,
    swapBytes: status.get('VmSwap') ?? 0,
    majorFaults: stat.majorFaults,
    userMs: stat.userTicks * msPerTick,
    systemMs: stat.systemTicks * msPerTick,
    runDelayMs,
    limits,
    cgroup,
  };
}

/** CPU time and state always move: alone they are worth a line every so often. */
const unchangedMs = 5000;

/** Whether a sample says something that the last written one did not. Remembers it. */
function isNews(sample: ProcessSample, seen: Seen, atMs: number): boolean {
  const { state: _, userMs: __, systemMs: ___, runDelayMs: ____, ...memory } = sample;
  const key = JSON.stringify(memory);
  const isOld = atMs - seen.writtenAtMs > unchangedMs;
  if (key === seen.written) return isOld;
  seen.written = key;
  return true;
}
