/** Where a report may be written. Nothing of the user's is overwritten: only an empty file, or an earlier output of ours of the same kind. */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { accessSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { headBytes, outputNames, ownOutput, type OutputKind } from '../model/own-outputs.ts';
import { Problem } from './problem.ts';

export interface Output {
  /** As the user writes it: `--html`. */
  readonly option: string;
  readonly kind: OutputKind;
  readonly path: string;
}

export interface OutputContext {
  /** `--force`: whatever is there may be overwritten. */
  readonly force: boolean;
  /** Files that this command reads: they are never overwritten, not even by force. */
  readonly inputs?: readonly string[];
  /**
   * What the user probably meant by the value: asked where it names a file that must stay, and where it names none at all.
   * null: it is taken as it stands.
   */
  readonly guess?: (output: Output, exists: boolean) => string | null;
}

export const addForce = (command: Command): Command =>
  command.option('--force', 'overwrite output files whatever they hold');

/** Standard output. */
export const isStdout = (path: string): boolean => path === '-';

/** The value of an option whose FILE may be left out: `-` then. */
export const withDefault = (value: string | true): string => (value === true ? '-' : value);

/** Refuses, before anything else is done, what could not or must not be written. */
export function checkOutputs(outputs: readonly Output[], context: OutputContext): void {
  for (const output of outputs) if (!isStdout(output.path)) checkOutput(output, context);
}

function checkOutput(output: Output, context: OutputContext): void {
  const { option, path } = output;
  const refuse = (why: string, hint?: string): never => {
    throw new Problem(`${option}: ${why}`, hint);
  };
  if (path === '') refuse('the name of the file is empty');
  if (path.startsWith('-'))
    refuse(
      `${path} is an option, not a file`,
      `./${path} is a file of that name; - is standard output`,
    );
  if (context.inputs?.some((input) => isSameFile(input, path)) === true)
    refuse(`${path} is what is read: it is not overwritten`);
  const about = statSync(path, { throwIfNoEntry: false });
  if (about === undefined) {
    const folder = dirname(resolve(path));
    const within = statSync(folder, { throwIfNoEntry: false });
    if (within === undefined) refuse(`cannot write ${path}: the folder ${folder} does not exist`);
    if (within?.isDirectory() === false) refuse(`cannot write ${path}: ${folder} is no folder`);
    if (!may(folder, constants.W_OK | constants.X_OK))
      refuse(`cannot write ${path}: no permission to make a file in ${folder}`);
    const guess = context.guess?.(output, false);
    if (guess != null) throw new Problem(`${option}: ${path} would be the file to write`, guess);
    return;
  }
  if (about.isDirectory()) refuse(`cannot write ${path}: it is a folder`);
  if (!may(path, constants.W_OK)) refuse(`cannot write ${path}: permission denied`);
  // Pipes, terminals and devices are meant as they are.
  if (!about.isFile() || about.size === 0 || context.force) return;
  if (!isOurs(output.kind, path))
    refuse(
      `${path} exists and is not ${outputNames[output.kind]} of coroner: it was left as it is`,
      [context.guess?.(output, true), '--force overwrites it'].filter(Boolean).join('; '),
    );
}

/** Writes in place: Kubernetes' termination log is a mounted file, and a pipe has no other name. */
export function writeOutput(path: string, content: string | Uint8Array): void {
  // Not synchronously: a pipe may be non-blocking, and a reader that has gone is no fault.
  if (isStdout(path)) {
    process.stdout.write(content);
    return;
  }
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new Problem(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

function isOurs(kind: OutputKind, path: string): boolean {
  const head = readHead(path, kind === 'pprof' ? 4 * 2 ** 20 : headBytes);
  if (head === null) return false;
  if (kind !== 'pprof') return ownOutput(head.toString('utf8')) === kind;
  // Not imported: it takes Node milliseconds to load, for which every command would wait.
  const { gunzipSync } = process.getBuiltinModule('node:zlib');
  try {
    // The comment that our profiles have.
    return gunzipSync(head, { maxOutputLength: 64 * 2 ** 20 }).includes('\u0007coroner');
  } catch {
    return false;
  }
}

function readHead(path: string, mostBytes: number): Buffer | null {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { size } = fstatSync(fd);
    const head = Buffer.alloc(Math.min(size, mostBytes));
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } catch {
    return null;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return (
    a !== undefined &&
    b !== undefined &&
    a.ino === b.ino &&
    a.dev === b.dev &&
    !a.isCharacterDevice()
  );
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
