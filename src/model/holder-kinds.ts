import type { Holder, HolderKind, MemoryPicture } from './report.ts';

/** Name of a holder that has none in the program, by its kind: in brackets, as no name of a program is. */
export const unnamedHolders = {
  iterator: '(iterator)',
  'thread-locals': '(thread locals)',
  exception: '(exception being raised)',
  'being-built': '(being built)',
  'being-sorted': '(being sorted)',
  'garbage-cycles': '(garbage cycles, not collected yet)',
  'garbage-or-c-code': '(garbage cycles, or held by C code)',
  'c-code': '(held by C code only)',
  'imported-modules': '(imported modules: code, classes, texts)',
  'no-name': '(no name)',
} as const satisfies Readonly<Record<Exclude<HolderKind, 'variable' | 'shared'>, string>>;

/** The picture with the kind of each holder: pictures that were written before holders had kinds tell it by names alone. */
export function withHolderKinds(picture: MemoryPicture): MemoryPicture {
  const { holders } = picture;
  if (!Array.isArray(holders) || holders.every(({ kind }) => kind !== undefined)) return picture;
  return { ...picture, holders: holders.map((holder) => ({ ...holder, kind: kindOf(holder) })) };
}

function kindOf({ kind, name, path }: Holder): HolderKind {
  if (kind !== undefined) return kind;
  if (String(path).startsWith(`${name} + `)) return 'shared';
  // `(being built).rows`: an attribute of what has no name has none either.
  const found = Object.entries(unnamedHolders).find(([, text]) => String(name).startsWith(text));
  return found === undefined ? 'variable' : (found[0] as HolderKind);
}
