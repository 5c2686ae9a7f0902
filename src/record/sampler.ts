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
import type { CgroupWatch, WatchedCgroup } from './cgroups.ts';
import { maskSecrets } from '../model/secrets.ts';
import { isWithinReach, headroomsOf, type Headroom } from './headroom.ts';
import type { ProcessTree, Tracked } from './tree.ts';

/** How long its core had been written when it could be reaped, give or take a sample; nothing where none was seen. */
export const dumpingOf = ({ aliveUntil }: Tracked): { readonly dumpingMs?: number } =>
  aliveUntil === null ? {} : { dumpingMs: Math.round(performance.now() - aliveUntil) };

/** What one moment of sampling tells those who act on it (the last look, the agent, the stall watch). */
export interface SampleEvent {
  readonly atMs: number;
  readonly processes: readonly SampledProcess[];
  readonly cgroups: readonly WatchedCgroup[];
  /** The tightest memory limit over the run's processes; null: none is finite. */
  readonly nearest: { readonly cgroup: WatchedCgroup; readonly headroomBytes: number } | null;
  /** Growth of the run's resident memory, from the last two moments; 0 where not known. */
  readonly growthBytesPerSecond: number;
  /** What is free below each finite limit, the machine's memory among them. */
  readonly headrooms: readonly Headroom[];
  readonly host: HostSample | null;
}
export interface SampledProcess {
  readonly pid: number;
  readonly name: string;
  readonly role: Tracked['role'];
  readonly state: string;
  readonly rssBytes: number;
  readonly vmBytes: number;
  readonly swapBytes: number;
  readonly majorFaults: number;
  readonly userMs: number;
  readonly systemMs: number;
  /** Time its main thread was ready and had no CPU; 0 where the kernel does not tell. */
  readonly runDelayMs: number;
  readonly limits: readonly Limit[];
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

/** The processes read in one go; beyond it the rest waits for the next moment. */
const processesPerTick = 600;

/** Reads everything once a call and writes down what changed. Holds no timer: the recorder decides when. */
export class Sampler {
  readonly #parts: SamplerParts;
  readonly #seen = new Map<number, Seen>();
  #lastRssBytes = 0;
  #lastAtMs = 0;
  #lastDetailMs = Number.NEGATIVE_INFINITY;
  #lastDiscoverMs = Number.NEGATIVE_INFINITY;
  #lastHostText = '';
  #availableBytes: number | undefined;
  /** A limit may be within reach: what moves slowly is read more often. */
  #isClose = true;
  /** How far the run's memory moved since the moment before, relative to itself. */
  movement = 0;
  nearLimit = false;
  headrooms: readonly Headroom[] = [];
  /** A process appeared or became another program: its first seconds are read closely. */
  lastNewsMs = 0;
  /** The most that the run's processes had resident together, as far as seen. */
  peakRssBytes = 0;

  constructor(parts: SamplerParts) {
    this.#parts = parts;
  }

  /** The command's own cgroup before it is started: the baseline of the counters. */
  begin(membership: string | null): void {
    if (membership !== null) this.#follow(membership);
  }

  introduce(process: Tracked, again = false): void {
    const { proc, clock, writeEvent } = this.#parts;
    const status = proc.text(process.pid, 'status') ?? '';
    const raw = proc.text(process.pid, 'cmdline') ?? '';
    const command = commandLine(maskSecrets(raw.split('\0')).join('\0')) ?? null;
    // A process that is exiting has no memory any more and shows as a member of the root cgroup (v1, seen on 6.18).
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
      ...(others.length > 0 ? { otherPids: others } : {}),
      ...(cgroup === null ? {} : { cgroup: cgroup.place.path }),
      ...(Number.isFinite(adjustment) ? { oomScoreAdj: adjustment } : {}),
      ...(again ? { again } : {}),
    });
    const limits = parseLimits(proc.text(process.pid, 'limits') ?? '');
    // Most processes have their parent's limits: worth a line only where they differ.
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
      // How the command itself ended is its parent's to say, and that is us.
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
    const { tree, proc, pageSizeBytes } = this.#parts;
    const written: ProcessSample[] = [];
    const sampled: SampledProcess[] = [];
    let count = 0;
    for (const process of tree.alive.values()) {
      if (process.ended) continue;
      count += 1;
      if (count > processesPerTick) break;
      const seen = this.#seen.get(process.pid);
      if (seen === undefined) continue;
      const { stat } = process;
      const rssBytes = stat.rssPages * pageSizeBytes;
      // status costs three times what stat does: read where memory moved, and now and then.
      const moved = Math.abs(rssBytes - seen.rssAtStatusBytes) > 2 ** 20;
      if (moved || atMs - seen.statusAtMs > 1000) {
        const text =
          process.statusFile === null
            ? proc.text(process.pid, 'status')
            : process.statusFile.read();
        if (text !== null && text.includes('VmRSS')) {
          seen.status = parseKeyed(text);
          seen.rssAtStatusBytes = rssBytes;
          seen.statusAtMs = atMs;
        }
      }
      if (detail) {
        this.#noticeMove(process, seen, atMs);
        // `cpu_ns wait_ns slices`; the second is the only sign that tells "starved of CPU" from "slow by swapping".
        const wait = Number((proc.text(process.pid, 'schedstat') ?? '').split(' ')[1]);
        if (Number.isFinite(wait)) seen.runDelayMs = Math.round(wait / 1e6);
      }
      const { status } = seen;
      const sample = dropUndefined({
        pid: process.pid,
        state: stat.state,
        rssBytes,
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
        runDelayMs: seen.runDelayMs > 0 ? seen.runDelayMs : undefined,
      });
      // CPU time and state always move: alone they are worth a line every five seconds.
      const { state: _, userMs: __, systemMs: ___, runDelayMs: ____, ...memory } = sample;
      const key = JSON.stringify(memory);
      if (key !== seen.written || atMs - seen.writtenAtMs > 5000 || final) {
        seen.written = key;
        seen.writtenAtMs = atMs;
        written.push(sample as unknown as ProcessSample);
      }
      sampled.push({
        pid: process.pid,
        name: process.name,
        role: process.role,
        state: stat.state,
        rssBytes,
        vmBytes: stat.vmBytes,
        swapBytes: status.get('VmSwap') ?? 0,
        majorFaults: stat.majorFaults,
        userMs: stat.userTicks * msPerTick,
        systemMs: stat.systemTicks * msPerTick,
        runDelayMs: seen.runDelayMs,
        limits: seen.limits,
        cgroup: seen.cgroup,
      });
    }
    return { written, sampled };
  }

  /** Another program, another cgroup, other limits: `bash -c 'echo $$ > …/cgroup.procs; ulimit -v …; exec python3'`. */
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
    this.#lastAtMs = atMs;
    let nearest: SampleEvent['nearest'] = null;
    for (const cgroup of cgroups.all) {
      const { limitBytes } = cgroup.limits;
      const current = cgroup.last.currentBytes;
      if (cgroup.gone || limitBytes === null || current === undefined) continue;
      const headroomBytes = limitBytes - current;
      if (nearest === null || headroomBytes < nearest.headroomBytes)
        nearest = { cgroup, headroomBytes };
    }
    this.nearLimit =
      nearest !== null && nearest.headroomBytes < (nearest.cgroup.limits.limitBytes ?? 0) / 10;
    this.headrooms = headroomsOf(cgroups.all, processes, {
      totalBytes: this.#parts.totalBytes,
      availableBytes: this.#availableBytes,
    });
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

  /** Asked now, not at the last tick: what was read before the answer was read of a living process. */
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

function dropUndefined<T extends object>(value: T): T {
  for (const key of Object.keys(value) as (keyof T)[])
    if (value[key] === undefined) delete value[key];
  return value;
}
