import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { KeptFile, keep, textOf } from '../machine/read.ts';
import {
  decodeWaitStatus,
  isDumping,
  parseStat,
  type Proc,
  type ProcStat,
} from '../machine/proc.ts';

/** A process of the run. */
export interface Tracked {
  readonly pid: number;
  readonly startTicks: number;
  readonly role: 'command' | 'descendant';
  readonly parentPid: number | null;
  name: string;
  stat: ProcStat;
  /** null: not kept open. Descriptors are finite, so only the first `keptProcesses` have them. */
  statFile: KeptFile | null;
  statusFile: KeptFile | null;
  /** Its wait status was seen or it vanished, and that was recorded. */
  ended: boolean;
  /** Last reading, on `performance.now()`'s clock, and the last one before the kernel began to write its core; null: it has not. */
  readAt: number;
  aliveUntil: number | null;
}
export interface TreeChange {
  readonly appeared: readonly Tracked[];
  readonly renamed: readonly Tracked[];
  readonly gone: readonly {
    readonly process: Tracked;
    readonly exitCode: number | null;
    readonly signal: string | null;
    readonly seenAs: 'zombie' | 'vanished';
  }[];
}

const keptProcesses = 100;

/**
 * The processes of a run, including those that left their parent. A process belongs to the run when its parent does, when it carries
 * the run's mark in its environment, or when it is in a process group or session that a process of the run made.
 * Node has no prctl and cannot be a subreaper: orphans go to init, so members are remembered by pid and start time.
 */
export class ProcessTree {
  readonly alive = new Map<number, Tracked>();
  readonly #proc: Proc;
  readonly #mark: string;
  readonly #own: { readonly processGroup: number; readonly session: number };
  /** Pids that were looked at and do not belong to the run. */
  #foreign = new Set<number>();
  readonly #groups = new Set<number>();
  readonly #sessions = new Set<number>();
  #newestPid = '';

  /** `mark`: a text in the environment of every process of the run. */
  constructor(proc: Proc, mark: string) {
    this.#proc = proc;
    this.#mark = mark;
    const own = proc.stat('self');
    this.#own = { processGroup: own?.processGroup ?? -1, session: own?.session ?? -1 };
  }

  begin(pid: number): Tracked | null {
    const stat = this.#proc.stat(pid);
    return stat === null ? null : this.#track(stat, 'command', null);
  }

  /** Reads every process of the run again. `discover`: also looks for new ones, which costs more. */
  update(discover: boolean): TreeChange {
    const renamed: Tracked[] = [];
    const gone: TreeChange['gone'][number][] = [];
    const now = performance.now();
    for (const process of this.alive.values()) {
      const stat = this.#readStat(process);
      if (stat === null) {
        if (!process.ended)
          gone.push({ process, exitCode: null, signal: null, seenAs: 'vanished' });
        this.#forget(process);
        continue;
      }
      if (stat.state === 'Z' || stat.state === 'X') {
        // A zombie still shows its wait status: the only way to learn how another process's child ended.
        if (!process.ended) {
          process.ended = true;
          const status =
            stat.exitStatus === null
              ? { exitCode: null, signal: null }
              : decodeWaitStatus(stat.exitStatus);
          gone.push({ process, ...status, seenAs: 'zombie' });
        }
        process.stat = stat;
        continue;
      }
      if (process.aliveUntil === null && isDumping(stat)) process.aliveUntil = process.readAt;
      process.readAt = now;
      this.#join(stat);
      if (stat.name !== process.name) {
        process.name = stat.name;
        renamed.push(process);
      }
      process.stat = stat;
    }
    return { appeared: discover ? this.#discover() : [], renamed, gone };
  }

  close(): void {
    for (const process of this.alive.values()) this.#forget(process);
  }

  #readStat(process: Tracked): ProcStat | null {
    const text =
      process.statFile === null ? this.#proc.text(process.pid, 'stat') : process.statFile.read();
    const stat = text === null ? null : parseStat(text);
    // The pid may belong to another process by now.
    return stat === null || stat.startTicks !== process.startTicks ? null : stat;
  }

  #discover(): readonly Tracked[] {
    // The last field of loadavg is the newest pid. Where it has not changed nothing was started: one small read saves the search.
    const newest = /(\d+)\s*$/.exec(textOf(`${this.#proc.root}/loadavg`) ?? '')?.[1];
    if (newest !== undefined && newest === this.#newestPid) return [];
    this.#newestPid = newest ?? '';
    let names: readonly string[];
    try {
      names = readdirSync(this.#proc.root);
    } catch {
      return [];
    }
    const pids = names
      .filter((name) => name.charCodeAt(0) <= 0x39 && /^\d+$/.test(name))
      .map(Number);
    const appeared: Tracked[] = [];
    const foreign = new Set<number>();
    // After pids have wrapped a child may have a lower pid than its parent: repeat until nothing is added.
    let unknown = pids.filter((pid) => {
      if (this.alive.has(pid)) return false;
      if (!this.#foreign.has(pid)) return true;
      foreign.add(pid);
      return false;
    });
    for (;;) {
      const rest: number[] = [];
      for (const pid of unknown) {
        const stat = this.#proc.stat(pid);
        if (stat === null) continue;
        if (this.#belongs(stat)) appeared.push(this.#track(stat, 'descendant', stat.parentPid));
        else rest.push(pid);
      }
      if (rest.length === unknown.length || rest.length === 0) {
        for (const pid of rest) foreign.add(pid);
        break;
      }
      unknown = rest;
    }
    this.#foreign = foreign;
    return appeared;
  }

  #belongs(stat: ProcStat): boolean {
    if (this.alive.has(stat.parentPid)) return true;
    if (this.#sessions.has(stat.session) || this.#groups.has(stat.processGroup)) return true;
    return stat.state !== 'Z' && environmentHolds(this.#proc.path(stat.pid, 'environ'), this.#mark);
  }

  /** Remembers the sessions and groups that the run made: whatever else is in them came from the run. */
  #join(stat: ProcStat): void {
    if (stat.session !== this.#own.session) this.#sessions.add(stat.session);
    if (stat.processGroup !== this.#own.processGroup) this.#groups.add(stat.processGroup);
    // A run of days makes many of them; only those that still have a member can get new ones.
    for (const [set, of] of [
      [this.#sessions, 'session'],
      [this.#groups, 'processGroup'],
    ] as const) {
      if (set.size < 10_000) continue;
      set.clear();
      for (const { stat: alive } of this.alive.values())
        if (alive[of] !== this.#own[of]) set.add(alive[of]);
    }
  }

  #track(stat: ProcStat, role: Tracked['role'], parentPid: number | null): Tracked {
    const kept = this.alive.size < keptProcesses;
    const process: Tracked = {
      pid: stat.pid,
      startTicks: stat.startTicks,
      role,
      parentPid,
      name: stat.name,
      stat,
      readAt: performance.now(),
      aliveUntil: null,
      statFile: kept ? keep(this.#proc.path(stat.pid, 'stat')) : null,
      statusFile: kept ? keep(this.#proc.path(stat.pid, 'status')) : null,
      ended: false,
    };
    this.alive.set(stat.pid, process);
    this.#join(stat);
    return process;
  }

  #forget(process: Tracked): void {
    process.statFile?.close();
    process.statusFile?.close();
    this.alive.delete(process.pid);
  }
}

const environment = Buffer.allocUnsafe(256 * 1024);

function environmentHolds(path: string, mark: string): boolean {
  try {
    const fd = openSync(path, 'r');
    try {
      let length = 0;
      for (;;) {
        const read = readSync(fd, environment, length, environment.length - length, null);
        if (read === 0) break;
        length += read;
        if (length === environment.length) break;
      }
      return environment.subarray(0, length).includes(mark);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Another user's process, or it is gone.
    return false;
  }
}
