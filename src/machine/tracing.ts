/**
 * A flight recorder in the kernel: two tracefs instances of our own, by plain file reads and writes. Needs root (or
 * write access to tracefs) and a kernel with tracing; changes nothing of what others trace.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SourceStatus } from '../model/report.ts';
import type { Prose } from '../model/prose.ts';

export const traceFolders = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];
const prefix = 'coroner-';
/** A request smaller than this is not traced on its way in: thousands of small ones would wash the buffer out. */
const tracedBytes = 16 * 2 ** 20;
const bufferKib = 128;
/** Signals that end a process, except those that a program sends itself all day. */
const signals = [9, 15, 6, 11, 7];
const largestTraceBytes = 8 * 2 ** 20;

export interface Tracing {
  /** What was recorded so far, as text of the kernel. */
  readonly read: () => string;
  readonly close: () => Promise<void>;
}
interface NotStarted {
  readonly status: SourceStatus;
  readonly detail: Prose;
}
export type TracingStart = { readonly tracing: Tracing } | NotStarted;

interface Step {
  readonly path: string;
  /** Absent: a folder to make. */
  readonly text?: string;
}

/** What to make and write, in this order. */
function steps(root: string, owner: number, pids: readonly number[]): readonly Step[] {
  const list: Step[] = [];
  const instance = (name: string) => {
    const folder = instanceFolder(root, owner, name);
    list.push({ path: folder });
    const write = (file: string, text: string) => list.push({ path: join(folder, file), text });
    write('buffer_size_kb', String(bufferKib));
    // CLOCK_MONOTONIC: comparable with what else is recorded.
    write('trace_clock', 'mono');
    return write;
  };
  const calls = instance('calls');
  calls('options/event-fork', '1');
  for (const call of ['mmap', 'mremap', 'clone', 'clone3']) {
    if (!existsSync(join(root, `events/syscalls/sys_exit_${call}`))) continue;
    calls(`events/syscalls/sys_exit_${call}/filter`, 'ret==-12');
    calls(`events/syscalls/sys_exit_${call}/enable`, '1');
  }
  for (const [call, field] of [
    ['mmap', 'len'],
    ['mremap', 'new_len'],
  ] as const) {
    calls(`events/syscalls/sys_enter_${call}/filter`, `${field} >= ${tracedBytes}`);
    calls(`events/syscalls/sys_enter_${call}/enable`, '1');
  }
  calls('set_event_pid', pids.join(' '));
  const kills = instance('kills');
  kills(
    'events/signal/signal_generate/filter',
    signals.map((number) => `sig==${number}`).join('||'),
  );
  kills('events/signal/signal_generate/enable', '1');
  if (existsSync(join(root, 'events/oom/mark_victim'))) kills('events/oom/mark_victim/enable', '1');
  return list;
}

const instanceFolder = (root: string, owner: number, name: string) =>
  join(root, 'instances', `${prefix}${owner}-${name}`);
const instanceFolders = (root: string) =>
  ['calls', 'kills'].map((name) => instanceFolder(root, process.pid, name));

function rootOf(roots: readonly string[]): { readonly root: string } | NotStarted {
  const root = roots.find((folder) => existsSync(join(folder, 'instances')));
  if (root !== undefined) return { root };
  return roots.some((folder) => existsSync(folder))
    ? { status: 'denied', detail: 'tracefs is not mounted or not open to this user' }
    : { status: 'absent', detail: 'this kernel has no tracefs' };
}

function notStarted(error: unknown): NotStarted {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
    ? { status: 'denied', detail: 'tracefs is for root' }
    : {
        status: 'absent',
        detail: `this kernel cannot trace what is needed (${code || String(error)})`,
      };
}

/**
 * Begins to record: refused mmap, mremap and clone of the processes with these pids and all they start from now on; signals that
 * end processes and OOM victims of the whole machine (who sends a signal is not of the tree). Making instances waits for all
 * CPUs: 50 to 250 ms.
 */
export function startTracing(
  pids: readonly number[],
  roots: readonly string[] = traceFolders,
): TracingStart {
  const found = rootOf(roots);
  if (!('root' in found)) return found;
  for (const folder of staleInstances(found.root)) quietly(() => rmdirSync(folder));
  try {
    for (const { path, text } of steps(found.root, process.pid, pids)) {
      if (text === undefined) mkdirSync(path);
      else writeFileSync(path, text);
    }
  } catch (error) {
    for (const folder of instanceFolders(found.root)) quietly(() => rmdirSync(folder));
    return notStarted(error);
  }
  return { tracing: tracingAt(found.root) };
}

/** The same beside other work: what happens before it is ready is not seen. */
export async function startTracingSoon(
  pids: readonly number[],
  roots: readonly string[] = traceFolders,
): Promise<TracingStart> {
  const found = rootOf(roots);
  if (!('root' in found)) return found;
  // Loaded where it is used: a run waits for what is loaded at its start.
  const { mkdir, rmdir, writeFile } = await import('node:fs/promises');
  try {
    for (const { path, text } of steps(found.root, process.pid, pids))
      await (text === undefined ? mkdir(path) : writeFile(path, text));
  } catch (error) {
    for (const folder of instanceFolders(found.root)) rmdir(folder).catch(() => {});
    return notStarted(error);
  }
  for (const folder of staleInstances(found.root)) rmdir(folder).catch(() => {});
  return { tracing: tracingAt(found.root) };
}

function tracingAt(root: string): Tracing {
  const folders = instanceFolders(root);
  return {
    read: () =>
      folders
        .map((folder) => {
          try {
            return readFileSync(join(folder, 'trace'), 'utf8').slice(-largestTraceBytes);
          } catch {
            return '';
          }
        })
        .join('\n')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .join('\n'),
    // Somebody may read it at this moment: then the next run removes it.
    close: async () => {
      const { rmdir } = await import('node:fs/promises');
      await Promise.allSettled(folders.map((folder) => rmdir(folder)));
    },
  };
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Whatever it is, it is not ours to complain about.
  }
}

/** Instances of recorders that were killed. */
function staleInstances(root: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(join(root, 'instances'));
  } catch {
    return [];
  }
  return names
    .filter((name) => {
      const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
      return owner !== undefined && Number(owner) !== process.pid && !isAlive(Number(owner));
    })
    .map((name) => join(root, 'instances', name));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
