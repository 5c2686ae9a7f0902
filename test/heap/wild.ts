/** Processes that change wildly (test/programs/heap/wild.py), and what may be said of them. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { MemoryPicture, StackFrame } from '../../src/model/report.ts';
import type { Bytes } from '../../src/model/units.ts';
import { readText } from '../../src/python/process/live-process.ts';
import { testRoot } from '../have.ts';
import { programs } from './target.ts';

export const ways = [
  'busy',
  'exec',
  'fork',
  'maps',
  'threads',
  'collector',
  'resize',
  'code',
  'recursion',
] as const;
export type Way = (typeof ways)[number];

/** Resident and swapped bytes, exact; null: gone. */
export function residentBytes(pid: number): Bytes | null {
  const text = readText(`/proc/${pid}/smaps_rollup`);
  if (text === null) return null;
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return (of('Rss') + of('Swap')) * 1024;
}

/** The youngest child that is there; null: none. */
export function childOf(pid: number): number | null {
  const children = (readText(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean);
  return children.length === 0 ? null : Number(children.at(-1));
}

/** All words that are names in a Python, and where its library lies. */
interface Names {
  readonly words: ReadonlySet<string>;
  readonly library: string;
}
/** getpath, which finds the library before anything else runs: frozen from a source that no installation has. */
const wordsOfGetpath = ['search_up', 'prefix', 'landmarks', 'test'];
const namesByPython = new Map<string, Names>();
const wordsOf = (text: string): Iterable<string> => text.match(/[\p{L}_][\p{L}\p{N}_]*/gu) ?? [];
const program = join(programs, 'wild.py');

/** The CPythons of the root folder have their library in there, with links that count from its root. */
function placeOf(file: string): string {
  if (existsSync(file)) return file;
  const inRoot = join(testRoot, file);
  const link = lstatSync(inRoot, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return link ? join(testRoot, resolve(dirname(file), readlinkSync(inRoot))) : inRoot;
}

function namesOf(python: string): Names {
  let names = namesByPython.get(python);
  if (names === undefined) {
    const { stdout } = spawnSync(python, [program, '-', 'words'], { encoding: 'utf8' });
    const said = stdout.trimEnd().split('\n');
    const library = said.at(-1)!;
    const words = new Set([...wordsOf(stdout), ...wordsOfGetpath]);
    const sources = [
      ...said.filter((line) => line.endsWith('.py')),
      ...['wild.py', 'busy.py'].map((name) => join(programs, name)),
      // These two are frozen: without a file.
      ...['_bootstrap.py', '_bootstrap_external.py'].map((name) =>
        join(library, 'importlib', name),
      ),
    ];
    for (const source of sources)
      for (const word of wordsOf(readFileSync(placeOf(source), 'utf8'))) words.add(word);
    namesByPython.set(python, (names = { words, library }));
  }
  return names;
}

const lines = new Map<string, readonly string[]>();
function linesOf(file: string): readonly string[] {
  let found = lines.get(file);
  if (found === undefined) {
    const place = placeOf(file);
    found = existsSync(place) ? readFileSync(place, 'utf8').split('\n') : [];
    lines.set(file, found);
  }
  return found;
}

/** What a text of the programs begins with that is data. */
const dataWord = 'zqx';
const ourGroups =
  /^\((?:iterator|being built|being sorted|thread locals|exception being raised|garbage cycles, not collected yet|garbage cycles, or held by C code|imported modules: code, classes, texts|held by C code only|no name)\)$/;

export interface Judged {
  readonly picture: MemoryPicture;
  /** One of these it is. */
  readonly pythons: readonly string[];
  /** It stood still from before the look to its end. */
  readonly isStill: boolean;
  /** The most of before and after. */
  readonly residentBytes: Bytes;
  readonly nativeIds: readonly number[];
}

/** Everything that cannot be true of what the program is and does; empty: nothing wrong was seen. */
export function faultsOf({
  picture,
  pythons,
  isStill,
  residentBytes: resident,
  nativeIds,
}: Judged): readonly string[] {
  const names = pythons.map(namesOf);
  const faults: string[] = [];
  const { threads = [], types = [], holders = [], accounted } = picture;
  const say = (text: string) => faults.push(text);
  if (JSON.stringify(picture).includes(dataWord)) say('data of the program is shown');

  const checkWords = (what: string, text: string) => {
    for (const word of wordsOf(text))
      if (!names.some(({ words }) => words.has(word))) say(`${what} ${JSON.stringify(text)}`);
  };
  const checkFrame = ({ function: name, file, line }: StackFrame) => {
    checkWords('function', name.replaceAll(/<\w+>/g, ''));
    if (file === null || name === '?' || /^<(frozen [\w.]+|made|string)>$/.test(file)) return;
    if (!file.startsWith(programs) && !names.some(({ library }) => file.startsWith(library))) {
      say(`file ${JSON.stringify(file)}`);
      return;
    }
    const text = linesOf(file);
    const defined = name.replace(/^.*\./, '');
    const at = defined.startsWith('<')
      ? 0
      : text.findIndex((one) => new RegExp(`\\b(def|class) ${defined}\\b`).test(one));
    if (at < 0 || (line !== null && (line < at + 1 || line > text.length)))
      say(`${name} at ${file}:${line}`);
  };
  for (const { stack, name, id } of threads) {
    stack.forEach(checkFrame);
    if (name !== null && !/^(MainThread|comer|(Thread|Dummy)-\d+( \(\w+\))?)$/.test(name))
      say(`thread ${JSON.stringify(name)}`);
    if (isStill && id !== 0 && !nativeIds.includes(id)) say(`thread ${id} does not exist`);
  }
  if (threads.filter(({ holdsGil }) => holdsGil === true).length > 1) say('two hold the GIL');

  for (const { type } of types) checkWords('type', type);
  for (const { name, function: call, path, type, alsoHeldBy } of holders) {
    checkWords('holder of type', type);
    if (!ourGroups.test(name)) checkWords('holder', name);
    if (call !== null) checkWords('holder in', call.replaceAll(/<\w+>/g, ''));
    if (path.length > 2000 || alsoHeldBy.length > 20) say(`holder ${name} is told at length`);
  }
  const both = new Set(holders.flatMap(({ name, path }) => [...wordsOf(`${name} ${path}`)]));
  if (both.has('held_by_even') && both.has('held_by_odd')) say('two programs in one');

  // Objects lie in resident memory; what was allocated ahead and never touched is a fraction. A program that runs on while its memory
  // is read may be seen twice, before and after a change.
  const most = isStill ? 1.25 * resident + 8e6 : 2 * resident + 64e6;
  const bytes = types.reduce((sum, { bytes: some }) => sum + some, 0);
  if (!(bytes >= 0 && bytes <= most)) {
    const largest = types
      .slice(0, 3)
      .map(({ type, count, bytes: some }) => `${count} ${type} ${some}`);
    say(`${bytes} bytes of objects in ${resident} resident: ${largest.join(', ')}`);
  }
  if (types.some(({ count, bytes: some }) => !(count > 0 && some >= 0))) say('a type of none');
  for (const { name, retainedBytes, ownBytes, estimate } of holders)
    if (!(retainedBytes >= 0 && ownBytes >= 0 && (estimate || retainedBytes <= most)))
      say(`${name} holds ${retainedBytes} bytes, ${ownBytes} of its own, of ${resident} resident`);
  if (accounted !== undefined) {
    const { rssBytes, pythonBytes, nativeBytes, unexplainedBytes } = accounted;
    // What is read there becomes resident in it.
    if (isStill && rssBytes > most) say(`accounts for ${rssBytes} of ${resident} resident`);
    for (const [what, part] of Object.entries({ pythonBytes, nativeBytes, unexplainedBytes }))
      if (!(part >= 0 && part <= rssBytes)) say(`${what} ${part} of ${rssBytes}`);
  }
  return faults;
}
