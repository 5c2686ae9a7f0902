import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { openFileOf } from './open-file.ts';
import { addressLimit, type MemorySource, type NativeThread, type Region } from './memory.ts';
import type { Prose } from '../../model/prose.ts';

/** Why a look is not possible, for programs. */
export type RefusalCode =
  | 'gone'
  | 'denied'
  | 'unreadable'
  | 'cut-short'
  | 'not-cpython'
  | 'version-not-told'
  | 'version-not-known'
  | 'no-interpreter'
  | 'not-as-expected'
  | 'free-threaded'
  | 'file-missing';

/** Why a process or core cannot be read, in words for the user. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly status: 'absent' | 'denied' | 'unsupported' | 'malformed';
  readonly detail: Prose;
  readonly hint?: string;
  /** What was read did not fit together. The process runs, so that another attempt may succeed. */
  readonly mayPass?: true;
}
/** Whether opening gave a refusal and not what was to be opened. */
export const isRefusal = (value: object): value is Refusal =>
  'code' in value && 'status' in value && 'detail' in value;

/** Opens the memory of a living process for reading. Nothing is changed in it, and it is not stopped. */
export function openProcess(pid: number, procRoot = '/proc'): MemorySource | Refusal {
  const folder = `${procRoot}/${pid}`;
  let regions: readonly Region[];
  let descriptor: number;
  let program: string | null;
  // Mappings of one program and memory of the next do not fit together: read again until nothing changed meanwhile.
  for (let attempt = 0; ; attempt++) {
    program = programOf(folder);
    try {
      descriptor = openSync(`${folder}/mem`, 'r');
    } catch (error) {
      const refusal = refusalOf(error, pid, folder);
      return refusal.status === 'absent' && existsSync(folder) ? withoutMemory(pid) : refusal;
    }
    try {
      regions = parseMaps(readFileSync(`${folder}/maps`, 'latin1'));
      if (program !== null && program === programOf(folder)) break;
    } catch (error) {
      closeSync(descriptor);
      return refusalOf(error, pid, folder);
    }
    closeSync(descriptor);
    if (attempt === 5) return withoutMemory(pid);
    Atomics.wait(sleepCell, 0, 0, 1);
  }
  return {
    kind: 'process',
    pid,
    regions,
    read: (address, into) => readFully(descriptor, address, into),
    threads: () => nativeThreads(folder),
    openFile: (path) => openFileOf(`${folder}/root`, path.replace(/ \(deleted\)$/, '')),
    isCurrent: () => programOf(folder) === program,
    program,
    close: () => closeSync(descriptor),
  };
}

/**
 * What tells the program in a process from the one before (exec) and from another process of the same number: when it was started,
 * where its code and its stack begin (proc(5): starttime, startcode, startstack). null: it has no memory, or is not there.
 */
function programOf(folder: string): string | null {
  const text = readText(`${folder}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  const [started, code, stack] = [fields[19], fields[23], fields[25]];
  return code === undefined || code === '0' ? null : `${started} ${code} ${stack}`;
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

const withoutMemory = (pid: number): Refusal => ({
  code: 'gone',
  status: 'absent',
  detail: `process ${pid} has no memory of its own: it is ending, it is becoming another program, or it is a thread of the kernel`,
});

function readFully(descriptor: number, address: number, into: Uint8Array): number {
  let done = 0;
  while (done < into.length) {
    let count = 0;
    try {
      count = readSync(descriptor, into, done, into.length - done, address + done);
    } catch {
      // A page that cannot be read (a hole of the file behind the mapping, the process gone): on with the next page.
    }
    if (count > 0) done += count;
    else {
      const next = (Math.floor((address + done) / 4096) + 1) * 4096 - address;
      into.fill(0, done, Math.min(next, into.length));
      // After a first bad page, most often the rest is bad too: ask once more, then give up.
      if (next >= into.length || !probe(descriptor, address + next)) return done;
      done = next;
    }
  }
  return done;
}

const oneByte = new Uint8Array(1);
function probe(descriptor: number, address: number): boolean {
  try {
    return readSync(descriptor, oneByte, 0, 1, address) === 1;
  } catch {
    return false;
  }
}

/** `/proc/PID/maps`: readable mappings of memory. Devices are left out: reading one may have effects. */
export function parseMaps(text: string): readonly Region[] {
  const regions: Region[] = [];
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (r)(.).(.) ([0-9a-f]+) \S+ \d+\s*(.*)$/.exec(line);
    if (match === null) continue;
    const [, start = '', end = '', , write, share, offset = '', path = ''] = match;
    if (path.startsWith('[v')) continue;
    if (path.startsWith('/dev/') && !/^\/dev\/(shm\/|zero)/.test(path)) continue;
    const region = {
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      writable: write === 'w',
      shared: share === 's',
      path,
      offset: Number.parseInt(offset, 16),
    };
    if (region.start < addressLimit && region.end > region.start) regions.push(region);
  }
  return regions.sort((a, b) => a.start - b.start);
}

function nativeThreads(folder: string): readonly NativeThread[] {
  const threads: NativeThread[] = [];
  let ids: readonly string[] = [];
  try {
    ids = readdirSync(`${folder}/task`);
  } catch {
    return threads;
  }
  for (const id of ids) {
    // Last two fields: stack pointer and program counter; `running` for a thread that runs.
    const call = readText(`${folder}/task/${id}/syscall`)?.split(' ') ?? [];
    const stackPointer = call.length >= 3 ? Number.parseInt(call.at(-2)!, 16) : Number.NaN;
    threads.push({
      tid: Number(id),
      name: readText(`${folder}/task/${id}/comm`)?.trimEnd() ?? null,
      stackPointer: Number.isFinite(stackPointer) ? stackPointer : null,
      registers: [],
    });
  }
  return threads;
}

/** Whether a process may be a Python, by its program's name alone: cheap enough to ask of each new process. */
export function mayBePython(pid: number): boolean {
  try {
    return /\/(python|uwsgi)[^/]*$/.test(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return false;
  }
}

/** Text of a file. null: it cannot be read. */
export function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function refusalOf(error: unknown, pid: number, folder: string): Refusal {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ESRCH')
    return { code: 'gone', status: 'absent', detail: `there is no process ${pid}` };
  if (code === 'EACCES' || code === 'EPERM') {
    // The memory of a process that has none any more is refused to all but root.
    const stat = readText(`${folder}/stat`) ?? '';
    const state = stat[stat.lastIndexOf(')') + 2];
    if (state === 'Z' || state === 'X') return withoutMemory(pid);
    const owner = /^Uid:\s+(\d+)/m.exec(readText(`${folder}/status`) ?? '')?.[1];
    const mine = process.getuid?.();
    const scope = readText('/proc/sys/kernel/yama/ptrace_scope')?.trim();
    const whose = owner === undefined ? '' : ` (it belongs to uid ${owner}, you are uid ${mine})`;
    if (owner !== undefined && Number(owner) !== mine)
      return {
        code: 'denied',
        status: 'denied',
        detail: `the memory of process ${pid} may not be read${whose}`,
        hint: `it needs the same user or CAP_SYS_PTRACE: sudo coroner inspect ${pid}`,
      };
    return {
      code: 'denied',
      status: 'denied',
      detail: `the memory of process ${pid} may not be read`,
      hint:
        scope !== undefined && scope !== '0'
          ? `kernel.yama.ptrace_scope is ${scope}: only a parent may look. Use sudo, or start the program with coroner run`
          : `it needs CAP_SYS_PTRACE (the process may have changed its user or be marked as not dumpable): sudo coroner inspect ${pid}`,
    };
  }
  return {
    code: 'unreadable',
    status: 'malformed',
    detail: `process ${pid} cannot be read: ${code ?? String(error)}`,
  };
}
