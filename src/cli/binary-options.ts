/** Where the files of a core lie, as the command line says it. */
import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { defined } from '../model/defined.ts';
import type { BinaryPlaces } from '../python/process/binary-places.ts';
import { exitCodes } from './exit-codes.ts';
import { Problem } from './problem.ts';

export interface BinaryOptions {
  readonly executable?: string;
  readonly libraryPath?: string;
  readonly root?: string;
}

export const addBinaryOptions = (command: Command): Command =>
  command
    .option('--executable <file>', 'of a core: the program that it was')
    .option('--library-path <dirs>', 'of a core: folders with its libraries, separated by colons')
    .option('--root <dir>', 'of a core: the root it ran in (an image, a container, a chroot)');

/** What was given, checked: a place that is not there would be one that is searched in vain. */
export function placesOf({ executable, libraryPath, root }: BinaryOptions): BinaryPlaces {
  const folders = libraryPath?.split(':').filter((folder) => folder !== '');
  if (executable !== undefined) check('--executable', executable, 'file');
  for (const folder of folders ?? []) check('--library-path', folder, 'folder');
  if (root !== undefined) check('--root', root, 'folder');
  return defined({ executable, libraryPath: folders, root });
}

function check(option: string, path: string, kind: 'file' | 'folder'): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (kind === 'file' ? stat?.isFile() === true : stat?.isDirectory() === true) return;
  throw new Problem(`${option}: ${path} is no ${kind}`, undefined, exitCodes.noInput);
}
