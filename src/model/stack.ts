import type { StackFrame } from './report.ts';

/** Where other people's code lives: site-packages, the standard library, frozen modules, C sources of the interpreter. */
const notTheirs =
  /(?:^|[\\/])(?:site-packages|dist-packages)[\\/]|[\\/]lib(?:64)?[\\/](?:python|pypy)\d[\w.]*[\\/]|[\\/]Lib[\\/]|^<(?:frozen|__array_function__|decorator)|[\\/]Frameworks[\\/]Python\.framework[\\/]|[\\/]pyenv[\\/]versions[\\/]|\.(?:pyx|pxi|pxd|c|cc|cpp|h|rs)$/;

/** Whether a frame is the user's own code, as far as its path tells. */
export const isUserFrame = ({ file }: StackFrame): boolean =>
  file !== null && file !== undefined && !notTheirs.test(file);

/** The user's own innermost frame; undefined where no frame is theirs. */
export const userFrame = (stack: readonly StackFrame[]): StackFrame | undefined =>
  stack.find((frame) => isUserFrame(frame));

/** `load (app.py:42)`, for sentences. */
export function formatFrame({ function: name, file, line }: StackFrame): string {
  const base = file?.split(/[\\/]/).at(-1);
  const place =
    base === undefined ? '' : line === null || line === undefined ? base : `${base}:${line}`;
  if (place === '') return name;
  return name === '<module>' ? place : `${name} (${place})`;
}
