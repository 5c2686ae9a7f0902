/**
 * Names by which the same thing is known again in another run, on another machine, in another Python: without folders, counts, sizes and pids.
 * For matching; people are shown the names as they were.
 */
import { alikeCell, cellName } from './notebook-cells.ts';

/** `/srv/x/grow.py` as `grow.py`, `/usr/lib/python3/dist-packages/pandas/core/frame.py` as `pandas/core/frame.py`. */
export function alikeFile(file: string): string {
  const name = (alikeCell(file) ?? file).replaceAll('\\', '/');
  const installed = /(?:^|\/)(?:site-packages|dist-packages)\/(.+)$/.exec(name)?.[1];
  if (installed !== undefined) return installed;
  const library = /\/lib(?:64)?\/python\d[\w.]*\/(.+)$/.exec(name)?.[1];
  if (library !== undefined) return library;
  // Every package has one of these: alone they name none.
  const own = /[^/]+\/__(?:init|main)__\.py$/.exec(name)?.[0];
  return own ?? name.slice(name.lastIndexOf('/') + 1);
}

/** Of two runs side by side: as `alikeFile`, but a cell has its number. */
export const shortFile = (file: string): string => cellName(file) ?? alikeFile(file);

/** `grow` of `/srv/x/grow.py`, `pandas.core.frame`. */
export const moduleName = (file: string): string =>
  alikeFile(file)
    .replace(/\.pyc?$/, '')
    .replace(/\/__init__$/, '')
    .replaceAll('/', '.');

/** `rows -> list[31422] -> dict{6} -> str` as `rows -> list -> dict -> str`; keys of data lose their figures. */
export const alikePath = (path: string): string =>
  path
    .replaceAll(/\[[\d, x]*\]|\{\d*\}/g, '')
    .replaceAll(/(["'])((?:(?!\1)[^\\]|\\.){0,4096})\1/g, (_, quote: string, key: string) =>
      [quote, key.replaceAll(/\d+/g, '#'), quote].join(''),
    );

const renamed: Readonly<Record<string, string>> = { unicode: 'str', long: 'int' };

/** `__main__.Row` as `Row`, Python 2's `unicode` as `str`. */
export function alikeType(type: string): string {
  const bare = type.replace(/^(?:__main__|builtins|__builtin__)\./, '');
  return renamed[bare] ?? bare;
}

/** Names that begin with a `<` are of code without one: a comprehension is a function of its own only before 3.12. */
export const alikeFunction = (name: string): string =>
  /^<(?:list|dict|set)comp>$/.test(name) ? '<comprehension>' : name.replace(/^.*<locals>\./, '');
