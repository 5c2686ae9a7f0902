import { readFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { defined } from '../model/defined.ts';
import { decodeWaitStatus, parseStat } from '../machine/proc.ts';
import {
  launchError,
  type Ending,
  type Launched,
  type LaunchError,
  type SpawnSettings,
} from './launch.ts';

/**
 * The helper's keeper (helper/keeper.c): forked before Node began, so that what it starts inherits what coroner inherited, bit for bit.
 * It is the command's parent and tells its true wait status; the helper's front ends as the command did, whatever becomes of Node.
 */
export interface Helper {
  /** The keeper's pid: what it starts is no child of Node's. */
  readonly pid: number;
  readonly launch: (
    command: readonly string[],
    settings: SpawnSettings,
  ) => Promise<Launched | LaunchError>;
  /** The command has been started by the helper: its front ends as the command does, and Node's own end means nothing. */
  readonly hasLaunched: () => boolean;
}

/** `descriptor:pid`, which the front sets for Node alone. */
const variable = 'CORONER_HELPER';

/** What the command does not see as it would alone where Node itself starts it. */
export const lostWithoutHelper =
  'started without the helper (bin/coroner): for the command, descriptors from 3 on are closed, closed stdio is /dev/null, ignored signals and the soft limit of open files are reset, and arguments that are no UTF-8 are changed; a death by a real-time signal reads as status 0';

/** The helper that started this process, or null; takes its mark out of the environment. */
export function takeHelper(env: NodeJS.ProcessEnv): Helper | null {
  const [, fd, pid] = /^(\d+):(\d+)$/.exec(env[variable] ?? '') ?? [];
  delete env[variable];
  if (fd === undefined || pid === undefined || !isChild(Number(pid))) return null;
  const inherited = { ...env };
  // A first, empty message: Node has come so far as to run this.
  writeSync(Number(fd), message([]));
  let launched = false;
  return {
    pid: Number(pid),
    hasLaunched: () => launched,
    launch: async (command, settings) => {
      const request = requestOf(command, settings, inherited);
      const result = await ask(Number(fd), request, (error) =>
        launchError(command[0] ?? '', error, settings.env),
      );
      launched = 'pid' in result;
      return result;
    },
  };
}

/** Whoever sets the variable by hand gets no helper. */
function isChild(pid: number): boolean {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.parentPid === process.pid;
  } catch {
    return false;
  }
}

/** helper/request.c reads it. The command and what of the environment is not changed are the keeper's own copies: they may hold any bytes. */
function requestOf(
  command: readonly string[],
  { stdio, env }: SpawnSettings,
  inherited: NodeJS.ProcessEnv,
): readonly string[] {
  const own = process.argv.slice(-command.length);
  if (own.length !== command.length || own.some((word, index) => word !== command[index]))
    throw new Error('the helper was asked for a command that is not its own');
  const outputs = [1, 2].map((fd) => {
    const given = Array.isArray(stdio) ? stdio[fd] : stdio;
    return typeof given === 'number' ? given : -1;
  });
  const names = new Set([...Object.keys(inherited), ...Object.keys(env)]);
  const changes = [...names]
    .filter((name) => env[name] !== inherited[name])
    .map((name) => (env[name] === undefined ? `-${name}` : `+${name}=${env[name]}`));
  return [...outputs.map(String), String(command.length), ...changes];
}

/** Length, then words that end in NUL. */
function message(words: readonly string[]): Buffer {
  const text = Buffer.from(words.map((word) => `${word}\0`).join(''));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text]);
}

/** Sends the request; the answers are lines `started PID`, `failed ERRNO`, `peak KIB`, `ended STATUS`. */
function ask(
  fd: number,
  request: readonly string[],
  failed: (error: NodeJS.ErrnoException) => LaunchError,
): Promise<Launched | LaunchError> {
  const bytes = message(request);
  for (let sent = 0; sent < bytes.length;) sent += writeSync(fd, bytes, sent);
  const socket = new Socket({ fd, readable: true, writable: true });
  return new Promise((resolve) => {
    let end: (ending: Ending) => void = () => {};
    const ended = new Promise<Ending>((resolve) => {
      end = resolve;
    });
    let isTold = false;
    let peakRssBytes: number | undefined;
    // Not by the socket: where the keeper has just ended, a failed write would destroy it, with the end that is still to be read.
    const signal = (signal: NodeJS.Signals) => {
      if (isTold) return;
      try {
        writeSync(fd, message([String(constants.signals[signal])]));
      } catch {
        // The command is dead already.
      }
    };
    const hear = (word: string, value: number) => {
      if (word === 'started') resolve({ pid: value, ended, signal });
      if (word === 'failed') {
        isTold = true;
        socket.destroy();
        resolve(failed(Object.assign(new Error(word), { code: getSystemErrorName(-value) })));
      }
      if (word === 'peak') peakRssBytes = value * 1024;
      if (word === 'ended') {
        isTold = true;
        socket.destroy();
        // Real-time signals have names too, which Node's type does not know.
        end({ ...(decodeWaitStatus(value) as Ending), ...defined({ peakRssBytes }) });
      }
    };
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      const lines = (text + chunk.toString('latin1')).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) hear(line.split(' ')[0] ?? '', Number(line.split(' ')[1]));
    });
    socket.on('error', () => {});
    // The keeper was killed: nobody can tell any more how the command ends. As if coroner itself had been killed.
    socket.on('close', () => {
      if (!isTold) process.kill(process.pid, 'SIGKILL');
    });
  });
}
