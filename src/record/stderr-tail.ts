import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  unlinkSync,
  type Stats,
} from 'node:fs';
import { Socket } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import type { StdioOptions } from 'node:child_process';
import { find } from './launch.ts';

/** How the command's stderr reaches its reader, and how its last words are kept. */
export interface StderrTail {
  readonly stdio: StdioOptions;
  /** It is a file, in which other processes may write as well. */
  readonly shared: boolean;
  /** Closes our copies of the command's descriptors: its pipe would never end otherwise. */
  readonly started: () => void;
  /** The last words, at most 64 KiB, once everything has been handed on; null: nothing could be kept. */
  readonly finish: () => Promise<string | null>;
}

const tailBytes = 64 * 1024;
/** How long the command's last words may take to arrive, in ms. */
const drainMs = 150;
/** After this time tee has opened its end of the second pipe. */
const openedMs = 500;

const untouched: StderrTail = {
  stdio: 'inherit',
  shared: false,
  started: () => {},
  finish: () => Promise.resolve(null),
};

/**
 * Keeps the tail of a stderr that is not a terminal, without the command noticing. What is done depends on what stderr is:
 * - a file: the command writes to it directly, and what was added is read afterwards
 * - a pipe, or a socket that stands for one (Node's child processes): tee(1) copies it in a process of its own, so that the command can go on writing whatever becomes of coroner
 * - a terminal, the journal's socket (which looks at who writes), /dev/null: nothing
 */
export function keepStderrTail(folder: string | null): StderrTail {
  let stderr: Stats;
  try {
    stderr = fstatSync(2);
  } catch {
    return untouched;
  }
  if (stderr.isFile()) return tailOfFile(stderr);
  if ((stderr.isFIFO() || (stderr.isSocket() && !isJournal(stderr))) && folder !== null)
    return tailOfPipe(folder, sameFile(1, stderr)) ?? untouched;
  return untouched;
}

/** systemd gives its services a socket and names it, so that programs can tell (systemd.exec(5)). */
const isJournal = ({ dev, ino }: Stats) => process.env['JOURNAL_STREAM'] === `${dev}:${ino}`;

function sameFile(fd: number, stats: Stats): boolean {
  try {
    const other = fstatSync(fd);
    return other.dev === stats.dev && other.ino === stats.ino;
  } catch {
    return false;
  }
}

function tailOfFile({ size, dev, ino }: Stats): StderrTail {
  return {
    ...untouched,
    shared: true,
    finish: () => {
      let fd: number | null = null;
      try {
        // A new descriptor: ours may be for writing only, and shares its offset with the command.
        fd = openSync('/proc/self/fd/2', constants.O_RDONLY);
        const now = fstatSync(fd);
        if (now.dev !== dev || now.ino !== ino) return Promise.resolve(null);
        const from = Math.max(now.size < size ? 0 : size, now.size - tailBytes);
        const bytes = Buffer.alloc(Math.max(0, now.size - from));
        const length = readSync(fd, bytes, 0, bytes.length, from);
        return Promise.resolve(bytes.toString('utf8', 0, length));
      } catch {
        return Promise.resolve(null);
      } finally {
        if (fd !== null) closeSync(fd);
      }
    },
  };
}

/**
 * tee(1) copies the command's words to the real stderr and to a second pipe, which coroner reads. tee lives as long as any process holds
 * the command's end of the first pipe, and goes on without the second one when coroner is gone. When the reader of stderr is gone, tee
 * complains to coroner, coroner closes the second pipe, tee ends, and the command gets its SIGPIPE as it would alone
 * (`command 2>&1 | head`). Where stdout is the same pipe as stderr it takes the same way, so that the order stays. null: not possible here.
 */
function tailOfPipe(folder: string, stdoutToo: boolean): StderrTail | null {
  const tee = find('tee', process.env['PATH'] ?? '');
  // BusyBox's tee knows no --output-error (coreutils 8.24).
  if (tee === null || basename(realpathSync(tee)) !== 'tee') return null;
  const pipes = makePipes(join(folder, 'stderr.fifo'), join(folder, 'copy.fifo'));
  if (pipes === null) return null;
  const { forTee, forCommand, names } = pipes;
  let copier: Copier;
  let last: ReturnType<typeof keepLast>;
  try {
    copier = startTee(tee, pipes);
    last = keepLast(pipes.copy, tailBytes);
  } catch {
    for (const fd of pipes.all) closeQuietly(fd);
    for (const name of Object.values(names)) remove(name);
    return null;
  }
  const { reader, chunks } = last;
  // While coroner holds the second pipe, the only output that can fail is the real one.
  copier.errors.on('data', () => reader.destroy());
  setTimeout(() => remove(names.copy), openedMs).unref();
  closeSync(pipes.both);
  return {
    stdio: ['inherit', stdoutToo ? forCommand : 'inherit', forCommand],
    shared: false,
    started: () => {
      for (const fd of [forTee, forCommand]) closeSync(fd);
      remove(names.words);
    },
    finish: async () => {
      // tee ends when the last holder of the pipe has closed it; a daemon may hold it for ever.
      await Promise.race([copier.done, sleep(drainMs)]);
      // What tee wrote last may still lie in the pipe.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      remove(names.copy);
      reader.destroy();
      return Buffer.concat(chunks).subarray(-tailBytes).toString('utf8');
    },
  };
}

/** Two named pipes: the command's words to tee, and tee's copy to us. */
interface Pipes {
  readonly names: { readonly words: string; readonly copy: string };
  /** Keeps the first pipe open until the command has its end. */
  readonly both: number;
  readonly forTee: number;
  readonly forCommand: number;
  readonly copy: number;
  readonly all: readonly number[];
}

/** null: they cannot be made here. */
function makePipes(words: string, copy: string): Pipes | null {
  const all: number[] = [];
  const open = (path: string, flags: number) => {
    const fd = openSync(path, flags | constants.O_NOFOLLOW);
    all.push(fd);
    return fd;
  };
  try {
    // Node has no pipe(2), and the pipes of its child processes are sockets, which cannot be opened as /dev/stderr.
    // By their bare names: the folder's path may mean something to this process alone.
    const made = spawnSync('mkfifo', ['-m', '600', basename(words), basename(copy)], {
      stdio: 'ignore',
      cwd: dirname(words),
    });
    if (made.status !== 0) return null;
    return {
      names: { words, copy },
      // Opened for both first: to open one end alone would wait for the other.
      both: open(words, constants.O_RDWR),
      forTee: open(words, constants.O_RDONLY),
      forCommand: open(words, constants.O_WRONLY),
      copy: open(copy, constants.O_RDWR | constants.O_NONBLOCK),
      all,
    };
  } catch {
    for (const fd of all) closeQuietly(fd);
    remove(words);
    remove(copy);
    return null;
  }
}

interface Copier {
  /** tee has ended. */
  readonly done: Promise<void>;
  /** What tee complains of. */
  readonly errors: Socket;
}

/** Throws where tee cannot be started. */
function startTee(tee: string, { names, forTee }: Pipes): Copier {
  const copier = spawn(resolve(tee), ['-i', '--output-error=warn', basename(names.copy)], {
    cwd: dirname(names.copy),
    stdio: [forTee, 2, 'pipe'],
    // In a session of its own no signal of the terminal or to the group ends it before the last words have passed.
    detached: true,
  });
  copier.on('error', () => {});
  if (copier.pid === undefined) throw new Error('tee');
  const done = new Promise<void>((resolve) => {
    copier.once('exit', () => resolve());
  });
  copier.unref();
  const errors = copier.stderr as Socket;
  errors.unref();
  return { done, errors };
}

/** Reads a pipe and keeps its last chunks: at least `mostBytes` where so much came. */
function keepLast(fd: number, mostBytes: number) {
  const chunks: Buffer[] = [];
  let kept = 0;
  const reader = new Socket({ fd, readable: true, writable: false });
  reader.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    kept += chunk.length;
    while (chunks.length > 1 && kept - (chunks[0]?.length ?? 0) >= mostBytes)
      kept -= chunks.shift()?.length ?? 0;
  });
  reader.on('error', () => {});
  reader.unref();
  return { reader, chunks };
}

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone already, perhaps with its folder.
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It was closed before.
  }
}
