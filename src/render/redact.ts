/**
 * A report that can be passed on. What goes: messages of programs and log lines, arguments of commands, directories, hosts, users and
 * lines of source. What stays: the verdict, figures, times, pids and line numbers, base names of files, names of programs, functions,
 * variables, types and threads: who held the memory cannot be told without them.
 */
import { inWords } from '../model/prose.ts';
import type { Recording } from '../model/recording.ts';
import type { Reason, Report } from '../model/report.ts';
import { isOwnHook, isUserFrame } from '../model/stack.ts';

const mark = '[redacted]';

export interface Redactable {
  readonly report: Report;
  readonly recording?: Recording | undefined;
}

/** Both together: what one of them tells of users, hosts and directories is taken out of the other too. */
export function redact({ report, recording }: Redactable): Redactable {
  const told = wordsOf([report, recording]);
  return {
    report: redactedReport(report, told),
    recording: recording === undefined ? undefined : redactedRecording(recording, told),
  };
}
export const redactReport = (report: Report): Report => redactedReport(report, wordsOf([report]));
export const redactRecording = (recording: Recording): Recording =>
  redactedRecording(recording, wordsOf([recording]));

/** Names in the program and words of coroner's own: they stay as they are. */
const kept = new Set(
  (
    'format outOfMemory death cause variant confidence at owner source id status signal errno function name scope kind type ' +
    'alsoHeldBy holder rule missing what startedAt endedAt lookedAt when'
  ).split(' '),
);
/** Fields that are text in one kind of object and a word of coroner's in another. */
const isSentence = (key: string, part: object): boolean =>
  !kept.has(key) || (key === 'what' && ('why' in part || 'bytes' in part));
/** Of a Python's objects, as code would reach them. Its keys are data of the program. */
const isHolderPath = (key: string, part: object): boolean => key === 'path' && 'ownBytes' in part;
/** Lines of source; who started what; what went wrong in coroner itself, with whatever it had in hand. */
const isDropped = (key: string, part: object): boolean =>
  (key === 'text' && 'function' in part) || key === 'uid' || key === 'fault';

/** Quotes that are figures of the kernel about a process, in words of their own. */
const ownQuote = /^(?:(?:signal )?SIG[A-Z]+\d*|exit status \d+|[a-z_]+ \d+)$/;

function copyOf(part: unknown, key: string, told: Words): unknown {
  if (Array.isArray(part)) {
    if (key === 'command')
      return part
        .slice(0, 2)
        .map((word, index) => (index === 0 ? withoutArguments(`${word}`) : mark));
    if (typeof part[0] === 'number') return part;
    return part.map((inner) => (kept.has(key) ? inner : copyOf(inner, key, told)));
  }
  if (typeof part === 'string') return told.sentence(part);
  if (typeof part !== 'object' || part === null) return part;
  const copy: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(part)) {
    if (isDropped(name, part)) continue;
    if (typeof inner !== 'string') copy.push([name, copyOf(inner, name, told)]);
    else if (name === 'quote') {
      if (ownQuote.test(inner)) copy.push([name, inner]);
    } else if (name === 'cwd') copy.push([name, mark]);
    else if (name === 'file') copy.push([name, shortFile(inner)]);
    else if (isHolderPath(name, part)) copy.push([name, withoutKeys(inner)]);
    else copy.push([name, isSentence(name, part) ? told.sentence(inner) : inner]);
  }
  return Object.fromEntries(copy);
}

function redactedReport(report: Report, told: Words): Report {
  const role = <R extends { readonly command?: string } | null>(one: R): R =>
    one?.command === undefined ? one : { ...one, command: withoutArguments(one.command) };
  const { incidents, ...rest } = copyOf(report, '', told) as Report;
  return {
    ...rest,
    incidents: incidents.map((incident, index) => ({
      ...incident,
      victim: role(incident.victim),
      trigger: role(incident.trigger),
      culprit: role(incident.culprit),
      because: ownWords(incident.because, report.incidents[index]?.because),
      against: ownWords(incident.against, report.incidents[index]?.against),
    })),
  };
}

/** Where a reason is nothing but what a program said, it is said that it said so. */
const ownWords = (redacted: readonly Reason[], before: readonly Reason[] = []): readonly Reason[] =>
  redacted.map((reason, index) => {
    const { says = '', quote = '' } = before[index] ?? {};
    const words = inWords(says);
    return words !== '' && quote.includes(words) && !ownQuote.test(words)
      ? { ...reason, says: `${reason.source} says so in words of its own ${mark}` }
      : reason;
  });

function redactedRecording(recording: Recording, told: Words): Recording {
  const copy = copyOf(recording, '', told) as Recording;
  const started = (pid: number | undefined): string => {
    const process = copy.processes.find((one) => one.pid === pid);
    return process === undefined ? mark : `${process.name} (pid ${pid}) started`;
  };
  return {
    ...copy,
    processes: copy.processes.map((process, index) => {
      const command = recording.processes[index]?.command ?? null;
      return { ...process, command: command === null ? null : withoutArguments(command) };
    }),
    events: copy.events.map((event) =>
      // The words of another version may be the whole command.
      event.what === 'start' ? { ...event, text: started(event.pid) } : event,
    ),
  };
}

/** `/usr/bin/python3 app.py --user x` as `python3 [redacted]`. */
const withoutArguments = (command: string): string => {
  const [program = ''] = command.trim().split(/\s/, 1);
  const name = program.startsWith(mark)
    ? program
    : program.includes('/')
      ? `${mark}/${baseOf(program)}`
      : program;
  return program.length === command.trim().length ? name : `${name} ${mark}`;
};

const baseOf = (path: string): string => /[^/\\]*$/.exec(path.replace(/[/\\]+$/, ''))?.[0] ?? '';
const withoutKeys = (path: string): string =>
  path.replaceAll(/(["'])(?:(?!\1)[^\\]|\\.){0,4096}\1/g, `'${mark}'`);

/** `/home/bob/app.py` as `[redacted]/app.py`; whose code it is can still be told. */
function shortFile(file: string): string {
  if (!/[/\\]/.test(file) || file.startsWith('<')) return file;
  if (isOwnHook({ file })) return `${mark}/python-hook/${baseOf(file)}`;
  const short = `${mark}/${baseOf(file)}`;
  return isUserFrame({ file }) === isUserFrame({ file: short })
    ? short
    : `${mark}/site-packages/${baseOf(file)}`;
}

interface Words {
  readonly sentence: (text: string) => string;
}

const url = /\b[a-z][a-z\d+.-]{1,30}:\/\/[^\s'"<>)]+/gi;
const address = /\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)/g;
const absolute = /(?<![\w.\]~-])~?(?:\/[^\s/:'"`()<>,;|=\]]+)+\/?/g;
const windows = /\b[A-Za-z]:(?:\\[^\s\\:'"<>|]+)+/g;
const below = /(?<![\w/\]])(?:[\w.@+-]+\/)+[\w.@+-]+\.\w{1,6}\b/g;
/** Of the machine, the same everywhere: these names tell nothing of anybody. */
const common = /^\/(?:dev\/\w+|proc(?:\/|$)|sys\/fs\/cgroup\/?$)|^(?:agent|python|looks|vm)\//;

/** What the texts themselves tell of messages, files, users and hosts. */
function wordsOf(values: readonly unknown[]): Words {
  const files = new Set<string>();
  const folders = new Set<string>();
  const messages = new Set<string>();
  const names = new Set<string>();
  const words = new Set<string>();
  const collect = (part: unknown, key: string): void => {
    if (typeof part === 'string') {
      for (const [, user = ''] of part.matchAll(/(?:\/home\/|\/Users\/|\\Users\\)([\w.-]{2,64})/g))
        names.add(user);
      if (key === 'file' && /[/\\]/.test(part)) files.add(part);
      if (key === 'cwd') addFolders(part, folders);
      if (key === 'file') addFolders(part.replace(/[/\\][^/\\]*$/, ''), folders);
      if (key === 'quote' && !ownQuote.test(part)) collectQuote(part, messages, names);
    } else if (Array.isArray(part)) {
      if (key === 'command') addArguments(part.join(' '), words, messages);
      else if (typeof part[0] !== 'number') for (const inner of part) collect(inner, key);
    } else if (typeof part === 'object' && part !== null) {
      // A process's own; advice has commands too, and those are coroner's.
      const { command } = part as { readonly command?: unknown };
      if (typeof command === 'string' && 'pid' in part) addArguments(command, words, messages);
      for (const [name, inner] of Object.entries(part)) collect(inner, name);
    }
  };
  for (const value of values) collect(value, '');
  const bases = new Set([...files].map(baseOf));
  for (const word of words) if (!bases.has(word)) messages.add(word);
  const reduced = (path: string): string => {
    const whole = path.replace(/[/\\]+$/, '');
    if (folders.has(whole)) return mark;
    return common.test(path) || !/[^/\\][/\\]/.test(whole) ? path : `${mark}/${baseOf(path)}`;
  };
  const anyMessage = anyOf(messages);
  const anyFile = anyOf(files);
  const anyName = anyOf(names, String.raw`(?<![\w])`, String.raw`(?![\w])`);
  return {
    sentence: (text) =>
      text
        .replaceAll(anyMessage, mark)
        .replaceAll(anyFile, (file) => shortFile(file))
        .replaceAll(url, mark)
        .replaceAll(address, mark)
        .replaceAll(windows, reduced)
        .replaceAll(absolute, reduced)
        .replaceAll(below, reduced)
        .replaceAll(anyName, mark),
  };
}

/** Arguments that advice would repeat: all of them together, and each that is no script's name. */
function addArguments(command: string, words: Set<string>, messages: Set<string>): void {
  const [, ...own] = command.trim().split(/\s+/);
  if (own.length > 1 && own.join(' ').length >= shortestMessage) messages.add(own.join(' '));
  for (const word of own)
    if (word.length >= shortestMessage && /[A-Za-z]/.test(word) && !/\.\w{1,3}$/.test(word))
      words.add(word);
}

/** `/home/bob/app`, `/home/bob`, `/home`. */
function addFolders(path: string, folders: Set<string>): void {
  for (let at = path; /^(?:[A-Za-z]:)?[/\\]./.test(at); at = at.replace(/[/\\][^/\\]*$/, ''))
    folders.add(at);
}

/** Before a log line: `Jan 31 12:00:00 HOST `, `2026-01-31T12:00:00Z HOST `. */
const host =
  /^(?:[A-Z][a-z]{2} +\d{1,2} [\d:.]+|\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-][\d:]+)?) ([\w.-]+) \S/;
const shortestMessage = 8;
const mostWords = 5000;

function collectQuote(quote: string, messages: Set<string>, names: Set<string>): void {
  for (const line of quote.split('\n')) {
    const named = host.exec(line)?.[1];
    if (named !== undefined) names.add(named);
    // `ValueError: MESSAGE`: sentences have it without its type.
    const [, message = ''] = /^[\w.]+: (.*)$/.exec(line.trim()) ?? [];
    for (const words of [line.trim(), message.trim()])
      if (words.length >= shortestMessage && /\s/.test(words) && messages.size < mostWords)
        messages.add(words);
  }
}

/** Matches the longest of them first; nothing where there are none. */
function anyOf(words: ReadonlySet<string>, before = '', behind = ''): RegExp {
  const escaped = [...words]
    .slice(0, mostWords)
    .toSorted((a, b) => b.length - a.length)
    .map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return escaped.length === 0
    ? /(?!)/g
    : new RegExp(`${before}(?:${escaped.join('|')})${behind}`, 'g');
}
