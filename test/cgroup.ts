/** Cgroups of a test's own, v1 or v2: made, entered, read, removed. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hierarchy, type Hierarchy } from './have.ts';

export interface CgroupOptions {
  readonly limitBytes?: number;
  /** Swap beside the limit; 0: none. v1 limits memory plus swap, v2 swap alone. */
  readonly swapBytes?: number;
  readonly oomKillDisable?: boolean;
  readonly pidsMax?: number;
}
export interface TestCgroup {
  readonly version: 1 | 2;
  /** As /proc/PID/cgroup says it: from the hierarchy's root. */
  readonly path: string;
  readonly folder: string;
  /** Put before a command: enters the cgroup and becomes the command. */
  readonly enter: readonly string[];
  child(name: string, options?: CgroupOptions): TestCgroup;
  read(file: string): string | null;
  pids(): readonly number[];
  /** Kills what is left in it and removes it with its children. */
  remove(): Promise<void>;
}

let count = 0;
const make = (there: Hierarchy, path: string, options: CgroupOptions): TestCgroup => {
  const folder = join(there.memory, path);
  mkdirSync(folder);
  const set = (file: string, value: string): void => {
    if (existsSync(join(folder, file))) writeFileSync(join(folder, file), value);
  };
  if (options.limitBytes !== undefined) {
    set(there.version === 1 ? 'memory.limit_in_bytes' : 'memory.max', String(options.limitBytes));
    if (options.swapBytes !== undefined) {
      set('memory.memsw.limit_in_bytes', String(options.limitBytes + options.swapBytes));
      set('memory.swap.max', String(options.swapBytes));
    }
  }
  if (options.oomKillDisable) set('memory.oom_control', '1');
  const folders = [folder];
  if (options.pidsMax !== undefined && there.pids !== null) {
    const pids = there.version === 1 ? join(there.pids, path) : folder;
    if (there.version === 1) {
      mkdirSync(pids);
      folders.push(pids);
    }
    writeFileSync(join(pids, 'pids.max'), String(options.pidsMax));
  }
  const children: TestCgroup[] = [];
  const read = (file: string): string | null => {
    try {
      return readFileSync(join(folder, file), 'utf8');
    } catch {
      return null;
    }
  };
  const pids = (): readonly number[] =>
    (read('cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number);
  return {
    version: there.version,
    path: `/${path}`,
    folder,
    enter: [
      'sh',
      '-c',
      `${folders.map((at) => `echo $$ > '${at}/cgroup.procs'`).join(' && ')} && exec "$@"`,
      'enter',
    ],
    child(name, more = {}) {
      if (there.version === 2) set('cgroup.subtree_control', '+memory');
      const made = make(there, `${path}/${name}`, more);
      children.push(made);
      return made;
    },
    read,
    pids,
    async remove() {
      for (const child of children) await child.remove();
      for (let attempt = 0; attempt < 100; attempt += 1) {
        // A task that waits for memory with the killer switched off cannot even die.
        if (options.oomKillDisable) set('memory.oom_control', '0');
        for (const pid of pids())
          try {
            process.kill(pid, 'SIGKILL');
          } catch {
            // gone in between
          }
        try {
          while (folders.length > 0) {
            rmdirSync(folders.at(-1)!);
            folders.pop();
          }
          return;
        } catch {
          await sleep(50);
        }
      }
      throw new Error(`cannot remove ${folder}: still in it: ${pids().join(' ')}`);
    },
  };
};

/** A new cgroup `coroner-test-NAME-PID-N` below the hierarchy's root. Throws where `have.cgroup()` gives a reason. */
export const makeCgroup = (name: string, options: CgroupOptions = {}): TestCgroup => {
  const there = hierarchy();
  if (typeof there === 'string') throw new Error(there);
  count += 1;
  return make(there, `coroner-test-${name}-${process.pid}-${count}`, options);
};
