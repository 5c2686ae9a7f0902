/** Whose code a frame is, which frame of a stack to name, and how frames and places are written. */
import type { StackFrame } from './report.ts';
import { cellName } from './notebook-cells.ts';

/** Folders and archives that hold installed code only, on any system whose tracebacks people give us. */
const installed: readonly RegExp[] = [
  // Packages of pip, apt, conda, uv and PDM, wheels and eggs that are imported as they are, and what Spark ships.
  /(?:^|[\\/])(?:site-packages|dist-packages|__pypackages__)[\\/]/,
  /\.(?:egg|whl)[\\/]/,
  /[\\/](?:pyspark|py4j-[^\\/]+)\.zip[\\/]/,
  // The standard library of CPython and PyPy, as a folder or as a zip file.
  /(?:^|[\\/])lib(?:32|64)?[\\/](?:python|pypy)\d[\w.]*[\\/]/,
  /[\\/](?:lib-python|lib_pypy)[\\/]/,
  /[\\/]python\d+\.zip[\\/]/,
  // Whole interpreters: macOS frameworks, pyenv, AWS Lambda's runtime.
  /[\\/]Frameworks[\\/]Python3?\.framework[\\/]/,
  /[\\/]\.?pyenv[\\/](?:pyenv-win[\\/])?versions[\\/]/,
  /^\/var\/runtime\//,
];

/**
 * `Lib` right below what an interpreter's folder is called: the standard library of Windows (`C:\Python312\Lib`, conda's `envs\ml\Lib`,
 * `3.12.1\x64\Lib`) and of CPython's own sources. `Lib` anywhere else is a folder that somebody gave this name.
 */
const libOfInterpreter =
  /(?:^|[\\/])(?:c?python[\d.-]*|(?:cpython|pypy|PythonSoftwareFoundation)[-.\d][^\\/]*|(?:ana|mini)conda\d*|(?:miniforge|mambaforge|micromamba)\d*|envs[\\/][^\\/]+|\d+\.\d+\.\d+[\\/](?:x64|x86|arm64))[\\/]Lib[\\/]/i;
const isWindowsPath = (file: string): boolean => /^[a-z]:[\\/]|\\/i.test(file);

/** C, C++, Rust and Cython: sources of interpreters and extension modules. Nothing tells them from the user's own extension. */
const compiled = /\.(?:pyx|pxi|pxd|c|cc|cpp|cxx|h|hh|hpp|rs)$/;

/** What an interpreter calls code that was typed or passed to it. All other names in angle brackets are of code that a library generated. */
const typed =
  /^<(?:string|stdin|console|input|timed (?:exec|eval)|(?:i?python-input-|stdin-|command-|cell |doctest )[^>]*)>$/;

/** Whether a frame is the user's own code, as far as its path tells. A frame without a file is not. */
export function isUserFrame({ file }: Pick<StackFrame, 'file'>): boolean {
  if (file === null || file === undefined || file === '') return false;
  if (file.startsWith('<')) return typed.test(file);
  return (
    !isOwnHook({ file }) &&
    !compiled.test(file) &&
    !installed.some((pattern) => pattern.test(file)) &&
    !(libOfInterpreter.test(file) && (isWindowsPath(file) || file.includes('/Lib/')))
  );
}

/** Coroner's own start-up hook inside the process: told, since it is resident, and told whose it is. */
export const isOwnHook = ({ file }: Pick<StackFrame, 'file'>): boolean =>
  file?.endsWith('/python-hook/sitecustomize.py') === true;

/** `namedtuple` and `dataclass` compile methods under the name that `python -c` has: `__new__` and `__init__` of the class at hand. */
const isCompiledMethod = ({ file, function: name }: StackFrame): boolean =>
  file === '<string>' && /^(?:__\w+__|<lambda>)$/.test(name);

/** The user's own innermost frame; undefined where no frame is theirs. A method that the standard library compiled is its caller's. */
export function userFrame(stack: readonly StackFrame[]): StackFrame | undefined {
  const own = stack.filter((frame) => isUserFrame(frame));
  const [innermost, caller] = own;
  const isCallers =
    innermost !== undefined && isCompiledMethod(innermost) && caller?.file !== '<string>';
  return isCallers ? (caller ?? innermost) : innermost;
}

/** The frame that every part of a report names: the user's own innermost one, else the innermost; undefined for an empty stack. */
export const informativeFrame = (stack: readonly StackFrame[]): StackFrame | undefined =>
  userFrame(stack) ?? stack[0];

/** What people know a file by: a cell of a notebook has no name but its number. */
export const fileName = (file: string): string => cellName(file) ?? file;

/** `/srv/app.py:42`, `/srv/app.py`, `cell In[3]:6`; '' without a file. */
export const placeOf = ({ file, line }: Pick<StackFrame, 'file' | 'line'>): string =>
  file === null ? '' : line === null ? fileName(file) : `${fileName(file)}:${line}`;

/** `load (/srv/app.py:42)`; `load` without a file. */
export function frameName(frame: StackFrame): string {
  const place = placeOf(frame);
  return place === '' ? frame.function : `${frame.function} (${place})`;
}

/** `load (app.py:42)`, for sentences: no folders, and no `<module>`. */
export function formatFrame({ function: name, file, line }: StackFrame): string {
  const base = file === null ? undefined : fileName(file).split(/[\\/]/).at(-1);
  const place =
    base === undefined ? '' : line === null || line === undefined ? base : `${base}:${line}`;
  if (place === '') return name;
  return name === '<module>' ? place : `${name} (${place})`;
}
