/** Apart from what reads it: `run` checks its options and loads no more before its command starts. */
import { statSync } from 'node:fs';
import { Problem } from './problem.ts';

export function checkSourceFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new Problem(`--source: ${folder} is no folder`);
}
