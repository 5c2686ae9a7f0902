import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Bytes } from '../model/units.ts';

/** How the command ended: exactly one of the two is not null. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The kernel's high-water mark of it, or of a child that it had waited for, whichever is higher; absent without the helper. */
  readonly peakRssBytes?: Bytes;
}

/** Why the command could not be started, with the status that a shell would give (126, 127). */
export interface LaunchError {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
}

export interface Launched {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  readonly signal: (signal: NodeJS.Signals) => void;
}

export type Spawner = (
  file: string,
  args: readonly string[],
  options: SpawnSettings,
) => ChildProcess;
export interface SpawnSettings {
  readonly stdio: StdioOptions;
  readonly env: NodeJS.ProcessEnv;
}

const nodeSpawner: Spawner = (file, args, options) => spawn(file, [...args], options);

/**
 * Starts the command as a shell would without coroner: in the same process group, session and terminal, so that the terminal's signals
 * (Ctrl-C, Ctrl-Z, Ctrl-\, hang-up) reach it from the kernel and job control works. Never throws: errors are values.
 */
export async function launch(
  command: readonly [string, ...string[]],
  settings: SpawnSettings,
  spawner: Spawner = nodeSpawner,
): Promise<Launched | LaunchError> {
  const [file, ...args] = command;
  let child: ChildProcess;
  try {
    child = spawner(file, args, settings);
  } catch (error) {
    // Node itself throws for a NUL byte in an argument, E2BIG and the like.
    return launchError(file, error as NodeJS.ErrnoException, settings.env);
  }
  const ended = new Promise<Ending>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    child.once('spawn', () => resolve(null));
    child.once('error', resolve);
  });
  if (failure !== null || child.pid === undefined)
    return launchError(file, failure ?? new Error('no pid'), settings.env);
  // A later 'error' (a signal that could not be sent) does not matter and must not end coroner.
  child.on('error', () => {});
  return {
    pid: child.pid,
    ended,
    signal: (signal) => {
      child.kill(signal);
    },
  };
}

/** Debian and others have no `python`, and most examples do. */
const notFound = (file: string, path: string): string =>
  `${file}: command not found${file === 'python' && find('python3', path) !== null ? ' (python3 is there)' : ''}`;

/** What a failed start means, in words and as a shell's exit status. */
export function launchError(
  file: string,
  error: NodeJS.ErrnoException,
  env: NodeJS.ProcessEnv,
): LaunchError {
  const code = error.code ?? 'EUNKNOWN';
  const found = find(file, env['PATH'] ?? '');
  switch (code) {
    case 'ENOENT':
      if (!existsSync('.'))
        return { code, message: 'the current folder does not exist any more', exitCode: 127 };
      // The kernel also says ENOENT where the interpreter of a script is missing.
      return found === null
        ? { code, message: notFound(file, env['PATH'] ?? ''), exitCode: 127 }
        : { code, message: `${found}: its interpreter or loader does not exist`, exitCode: 126 };
    case 'EACCES':
      // The kernel also says EACCES of a command that does not exist where a folder of PATH may not be searched.
      if (!isThere(file, env['PATH'] ?? ''))
        return { code, message: `${file}: command not found`, exitCode: 127 };
      return isFolder(file)
        ? { code, message: `${file}: is a folder`, exitCode: 126 }
        : { code, message: `${file}: permission denied`, exitCode: 126 };
    case 'ENOMEM':
      return {
        code,
        message: `${file}: cannot be started: no memory for a new process (ENOMEM)`,
        exitCode: 126,
      };
    case 'EAGAIN':
      return {
        code,
        message: `${file}: cannot be started: the limit of processes is reached (EAGAIN)`,
        exitCode: 126,
      };
    case 'E2BIG':
      return {
        code,
        message: `${file}: its arguments and environment are too long`,
        exitCode: 126,
      };
    default:
      return { code, message: `${file}: cannot be started: ${code}`, exitCode: 126 };
  }
}

/** Whether the file exists, executable or not. */
const isThere = (file: string, path: string): boolean =>
  file.includes('/') || path.split(delimiter).some((folder) => existsSync(join(folder, file)));

const isFolder = (path: string) => {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
};

/** The path of a command by the rules of PATH; null: it is in none of the folders. */
export function find(file: string, path: string): string | null {
  if (file.includes('/')) return existsSync(file) ? file : null;
  for (const folder of path.split(delimiter)) {
    const candidate = join(folder === '' ? '.' : folder, file);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not here.
    }
  }
  return null;
}
