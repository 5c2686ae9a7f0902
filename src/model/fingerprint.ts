/**
 * What makes two deaths the same one, and what makes one death the same however often it is told. Pure: whoever has a report can ask.
 * Never in a fingerprint: lines, pids, sizes, folders, counts.
 */
import { alikeFunction, alikePath, alikeType, moduleName } from './alike.ts';
import { isIncidental } from './incident.ts';
import { heaviestHolder, isSum, tellingMoment } from './memory-picture.ts';
import type { Holder, Incident, StackFrame } from './report.ts';
import { isUserFrame } from './stack.ts';

/** What a fingerprint is made of. null: not known, and so not told apart by it. */
export interface DeathTraits {
  readonly cause: string;
  /** `python orders.py`, `gunicorn shop:app`, `nightly.service`. */
  readonly program: string | null;
  /** `orders.load: rows -> list`. */
  readonly holder: string | null;
  /** Innermost function of the program's own, and who called it: a helper that many call names none. `orders.load < orders.main`. */
  readonly frame: string | null;
}

/** `command`: what was run, where that is known; else the victim's own command, unit or name tells. */
export function traitsOf(incident: Incident, command: readonly string[] = []): DeathTraits {
  return {
    cause: incident.cause,
    program: programOf(incident, command),
    holder: holderOf(incident),
    frame: frameOf(incident),
  };
}

/** 16 hexadecimal digits; the same for deaths that have the same traits. */
export const fingerprint = (incident: Incident, command?: readonly string[]): string => {
  const { cause, program, holder, frame } = traitsOf(incident, command);
  // Whether a look came in time is chance: the holder tells only where no call does.
  return hash([cause, program ?? '', frame ?? `holder ${holder ?? ''}`].join('\n'));
};

/** One process of one boot: the same from whichever witness. `startTicks`: field 22 of /proc/PID/stat. */
export const incidentId = (bootId: string, pid: number, startTicks: number): string =>
  hash([bootId, pid, startTicks].join('\n'));

const unit = /(?:^|\/)((?!user@|session-|init\.)[\w:.\\-]+(?:@[^/]*)?\.service)(?:\/|$)/;

function programOf(
  { victim, culprit, limit }: Incident,
  command: readonly string[],
): string | null {
  const cgroup = victim?.cgroup ?? culprit?.cgroup ?? limit?.path ?? '';
  const service = unit.exec(cgroup)?.[1]?.replace(/@[^.]*/, '@');
  if (service !== undefined) return service;
  const words = command.length > 0 ? command : (victim?.command?.split(/\s+/) ?? []);
  return words.length > 0
    ? programOfWords(words)
    : victim?.name === undefined
      ? null
      : numberless(victim.name);
}

/** What only starts the program that is meant, and how many of the words after it are its own. */
const wrappers: ReadonlySet<string> = new Set(
  'env nice ionice nohup time timeout stdbuf setsid xargs sudo doas chrt taskset prlimit systemd-run'.split(
    ' ',
  ),
);
const interpreter = /^(?:python|pypy|node|ruby|perl|php|java|Rscript|bash|sh|dash|zsh)[\d.]*$/;

export function programOfWords(words: readonly string[]): string {
  const own = withoutWrappers(words);
  const [first = '', ...rest] = own;
  const name = baseOf(first);
  const plain = numberless(name.replace(/(?<=^python|^pypy)[\d.]+$/, ''));
  const module = rest.indexOf('-m');
  if (interpreter.test(name) && module >= 0 && rest[module + 1] !== undefined)
    return [plain, '-m', rest[module + 1], ...subcommand(rest.slice(module + 2))].join(' ');
  if (interpreter.test(name) && (rest[0] === '-c' || rest[0] === '-')) return `${plain} ${rest[0]}`;
  const at = rest.findIndex((word) => !word.startsWith('-'));
  const target = rest[at];
  if (target === undefined) return plain;
  if (interpreter.test(name))
    return [plain, numberless(baseOf(target)), ...subcommand(rest.slice(at + 1))].join(' ');
  return [plain, ...subcommand(rest)].join(' ');
}

/** A word that says what to do, not with what: `import`, `shop.web:app`. */
function subcommand(words: readonly string[]): readonly string[] {
  const [word = ''] = words;
  return /^[a-z][a-z_:.-]{1,40}$/i.test(word) && !/\.[a-z]{2,4}$/.test(word) ? [word] : [];
}

function withoutWrappers(words: readonly string[]): readonly string[] {
  const [shell = '', option, script = ''] = words;
  // `sh -c '… exec "$@"' NAME COMMAND…`
  if (/(?:^|\/)(?:ba|da|z|k)?sh$/.test(shell) && option === '-c' && /exec "\$@"\s*$/.test(script))
    return withoutWrappers(words.slice(4));
  let at = 0;
  while (at < words.length && wrappers.has(baseOf(words[at] ?? ''))) {
    at += 1;
    while (
      at < words.length &&
      /^-|^[\d.]+[smhd]?$|^\w+=|^(?:KILL|TERM|INT|HUP)$/.test(words[at] ?? '')
    )
      at += 1;
  }
  return at >= words.length ? words : words.slice(at);
}

const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const numberless = (name: string): string => name.replaceAll(/\d+/g, '#');

/** What holds less of all that is listed is one of many, and another one may be the largest the next time. */
const leastShare = 0.4;

function holderOf({ memory }: Incident): string | null {
  const holder = heaviestHolder(memory);
  if (holder === undefined || holder.retainedBytes < sumOf(memory.holders) * leastShare)
    return null;
  if (holder.kind !== undefined && holder.kind !== 'variable' && holder.kind !== 'shared')
    return null;
  const [, first] = alikePath(holder.path).split(' -> ');
  const name = alikePath(holder.name);
  const where =
    holder.file === null || !isUserFrame(holder)
      ? ''
      : `${moduleName(holder.file)}${holder.function === null ? '' : `.${alikeFunction(holder.function)}`}: `;
  return `${where}${name}${first === undefined ? '' : ` -> ${alikeType(first)}`}`;
}

const sumOf = (holders: readonly Holder[] = []): number =>
  holders.reduce((sum, { retainedBytes }) => sum + retainedBytes, 0);

/** Of a death that can come at any line, the line that had allocated most tells more than the one that ran. */
function frameOf(incident: Incident): string | null {
  const { memory, stack } = incident;
  const moment = tellingMoment(memory);
  const [heaviest] = (memory.allocations ?? [])
    .filter((one) => one.when === moment && !isSum(one) && isUserFrame(one))
    .toSorted((a, b) => b.bytes - a.bytes);
  const allocated = heaviest === undefined ? [] : ownCalls([...heaviest.stack]);
  const ran = ownCalls(stack);
  const calls = isIncidental(incident)
    ? allocated.length > 0
      ? allocated
      : ran
    : ran.length > 0
      ? ran
      : allocated;
  return calls.length === 0 ? null : calls.slice(0, 2).join(' < ');
}

/** The program's own functions of a stack, innermost first, each once: a comprehension is its function's before 3.12, and no call after. */
function ownCalls(stack: readonly StackFrame[]): readonly string[] {
  const own = stack.filter(
    (frame) =>
      // CPython 3.13 has frames of its own making between a class and its __init__: they have no line.
      frame.line !== null &&
      isUserFrame(frame) &&
      !/^<(?!module)/.test(frame.function.replace(/^.*[.]/, '')),
  );
  return [
    ...new Set(
      own.map(({ file, function: name }) => `${moduleName(file ?? '')}.${alikeFunction(name)}`),
    ),
  ];
}

/** FNV-1a, 64 bits in two halves: these names are no secret, and nobody wins by making two of them meet. */
function hash(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return [0x811c9dc5, 0x01000193].map((seed) => half(bytes, seed)).join('');
}
function half(bytes: Uint8Array, seed: number): string {
  let sum = seed;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193) >>> 0;
  // A last stir: the halves differ by their seeds alone.
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b) >>> 0;
  return ((sum ^ (sum >>> 13)) >>> 0).toString(16).padStart(8, '0');
}
