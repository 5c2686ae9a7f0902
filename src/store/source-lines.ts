/**
 * `sources.json`: the lines of source that a report needs, copied when the run ends, with the rights of whoever started it. From then
 * on nobody opens a file that a folder or a text names (docs/threat-model.md).
 */
import { isAbsolute, join, relative, resolve } from 'node:path';
import { isFileRefusal, openNamed, readBelow, readSafely } from '../files/open-safely.ts';
import { mask, maskText } from '../model/secrets.ts';
import { linesAround, type SourceText, type WantedLine } from '../model/source-text.ts';
import { isFields } from './shape.ts';

/** The whole text of a file that a report names; null: it may not, or cannot, be read. */
export type OpenSource = (file: string) => string | null;

const mostFiles = 200;
const mostCharacters = 64 * 1024;
const largestFileBytes = 4 * 2 ** 20;
const longestLine = 300;
/** Of a line that is longer nothing behind this is looked at. */
const longestLooked = 2000;

const sourceName =
  /\.(?:pyw?|pyx|pxd|pxi|ipynb|c|cc|cpp|cxx|cu|h|hh|hpp|rs|go|js|mjs|cjs|ts|java|kt|scala|rb|r|jl|php|pl|sh)$/i;

/** Files of this machine, for a run that has just ended: what is called like source code, and what the command itself names. */
export function sourcesOfRun(cwd: string, command: readonly string[]): OpenSource {
  const named = new Set(command.map((word) => resolve(cwd, word)));
  return (file) => {
    const path = resolve(cwd, file);
    if (!sourceName.test(path) && !named.has(path)) return null;
    const limits = { mostBytes: largestFileBytes };
    return textOf(readSafely(openNamed(path, limits), largestFileBytes));
  };
}

/** Files below a folder that the user named, through no link. Relative names count from `cwd` where that is below it, else from it. */
export function sourcesBelow(folder: string, cwd: string | undefined): OpenSource {
  const root = resolve(folder);
  const inside = (path: string): string | null => {
    const below = relative(root, path);
    return below === '' || below.startsWith('..') || isAbsolute(below) ? null : below;
  };
  return (file) => {
    const path = isAbsolute(file)
      ? inside(resolve(file))
      : ((cwd === undefined ? null : inside(resolve(cwd, file))) ?? inside(join(root, file)));
    return path === null ? null : textOf(readBelow(root, path, { mostBytes: largestFileBytes }));
  };
}

const textOf = (bytes: Buffer | object): string | null =>
  Buffer.isBuffer(bytes) && !isFileRefusal(bytes) ? bytes.toString('utf8') : null;

/** The wanted lines and those around them, secrets masked, until there is enough. */
export function copyLines(wanted: readonly WantedLine[], open: OpenSource): SourceText['files'] {
  const sources = new Map<string, readonly string[] | null>();
  const copied = new Map<string, Map<number, string>>();
  let left = mostCharacters;
  for (const { file, line } of wanted) {
    if (file.startsWith('<') || file.includes('\0')) continue;
    let lines = sources.get(file);
    if (lines === undefined) {
      if (sources.size >= mostFiles) continue;
      const text = open(file);
      lines = text === null ? null : linesOf(text);
      sources.set(file, lines);
    }
    if (lines === null || line > lines.length) continue;
    const own = copied.get(file) ?? new Map<number, string>();
    const last = Math.min(lines.length, line + linesAround);
    for (let at = Math.max(1, line - linesAround); at <= last && left > 0; at += 1) {
      if (own.has(at)) continue;
      const text = shown(lines[at - 1] ?? '').slice(0, left);
      left -= text.length + 1;
      own.set(at, text);
    }
    if (own.size > 0) copied.set(file, own);
    if (left <= 0) break;
  }
  return copied;
}

const shown = (line: string): string =>
  maskText(line.slice(0, longestLooked)).replaceAll('\t', '    ').slice(0, longestLine);

/** A private key is a secret in each of its lines. */
function linesOf(text: string): readonly string[] {
  let inKey = false;
  return text.split(/\r?\n/).map((line) => {
    const begins = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/.test(line);
    const wasInKey = inKey;
    inKey = (inKey || begins) && !line.includes('-----END ');
    return wasInKey ? mask : line;
  });
}

const format = 'coroner-sources/1';

/** The content of `sources.json`; null: there is nothing to keep. */
export function sourcesJson({ files, symbols, packages = [] }: SourceText): string | null {
  if (files.size === 0 && symbols.size === 0 && packages.length === 0) return null;
  const plain = (names: SourceText['files']) =>
    Object.fromEntries([...names].map(([name, lines]) => [name, Object.fromEntries(lines)]));
  const content = {
    format,
    files: plain(files),
    symbols: plain(symbols),
    ...(packages.length === 0 ? {} : { packages }),
  };
  return `${JSON.stringify(content, null, 1)}\n`;
}

/** What is wrong in it is left out; null: it is none of ours. */
export function parseSources(text: string | undefined): SourceText | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (!isFields(value) || value['format'] !== format) return null;
    const packages = packagesFrom(value['packages']);
    return {
      files: byNumber(value['files']),
      symbols: byNumber(value['symbols']),
      ...(packages.length === 0 ? {} : { packages }),
    };
  } catch {
    return null;
  }
}

const mostPackages = 50;

const packagesFrom = (value: unknown): NonNullable<SourceText['packages']> =>
  (Array.isArray(value) ? value : []).slice(0, mostPackages).flatMap((one: unknown) => {
    if (!isFields(one)) return [];
    const { name, version } = one;
    return typeof name === 'string' && typeof version === 'string'
      ? [{ name: name.slice(0, 100), version: version.slice(0, 100) }]
      : [];
  });

function byNumber(value: unknown): SourceText['files'] {
  const names = new Map<string, ReadonlyMap<number, string>>();
  for (const [name, lines] of Object.entries(isFields(value) ? value : {})) {
    const own = new Map<number, string>();
    for (const [number, line] of Object.entries(isFields(lines) ? lines : {}))
      if (/^\d{1,15}$/.test(number) && typeof line === 'string')
        own.set(Number(number), maskText(line.slice(0, longestLooked)));
    if (own.size > 0) names.set(name, own);
  }
  return names;
}

/** The name of the function at a place in a program or library; null: not known. */
export type SymbolReader = (place: {
  readonly module: string | null;
  readonly fileOffset: number;
}) => string | null;
const mostSymbols = 2000;

/** Names of functions as a folder has them. */
export const symbolsIn =
  ({ symbols }: SourceText): SymbolReader =>
  ({ module, fileOffset }) =>
    module === null ? null : (symbols.get(module)?.get(fileOffset) ?? null);

/** A reader of symbols whose every answer is kept. */
export function rememberSymbols(read: SymbolReader): {
  readonly symbol: SymbolReader;
  readonly symbols: SourceText['symbols'];
} {
  const symbols = new Map<string, Map<number, string>>();
  let count = 0;
  return {
    symbols,
    symbol: (place) => {
      const name = read(place);
      if (name !== null && place.module !== null && count < mostSymbols) {
        const own = symbols.get(place.module) ?? new Map<number, string>();
        if (!own.has(place.fileOffset)) count += 1;
        symbols.set(place.module, own.set(place.fileOffset, name));
      }
      return name;
    },
  };
}
