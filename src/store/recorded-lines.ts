/** The files of an incident folder from text to the types of `model/incident-folder.ts`: what does not fit is left out and counted. */
import type {
  EventLine,
  HookErrorLine,
  IncidentEnd,
  IncidentStart,
  SampleLine,
} from '../model/incident-folder.ts';
import {
  conform,
  isAmount,
  isBoolean,
  isCount,
  isFields,
  isFrame,
  isLimit,
  isMoment,
  isNumber,
  isParentPid,
  isPid,
  isText,
  isTime,
  keepOnly,
  listOf,
  object,
  oneOf,
  optional,
  orNull,
  otherwise,
  required,
  strict,
  type Check,
  type Conformity,
  type Fields,
  type Shape,
} from './shape.ts';

/** A line with its number in its file. */
export type Numbered<T> = T & { readonly lineNumber: number };

/** The lines of a file that could be read, and what could not. */
export interface ReadLines<T> {
  readonly lines: readonly Numbered<T>[];
  readonly lost: Lost;
}
export interface Lost {
  /** Lines left out. */
  readonly whole: number;
  /** Lines of which a field was left out. */
  readonly part: number;
  /** Number of the first line of either kind; null: everything was read. */
  readonly first: number | null;
  /** Only the end of the file is missing, as a recorder that is killed leaves it. */
  readonly cutOff: boolean;
}
const nothingLost: Lost = { whole: 0, part: 0, first: null, cutOff: false };

/** `ignored`: a line of a kind that this version does not know. */
type Fit = (line: Fields) => Conformity | 'ignored';

function readLines<T>(text: string | undefined, fit: Fit): ReadLines<T> {
  if (text === undefined) return { lines: [], lost: nothingLost };
  const lines: Numbered<T>[] = [];
  let [whole, part, lineNumber] = [0, 0, 0];
  let first: number | null = null;
  let cutOff = false;
  for (const line of text.split('\n')) {
    lineNumber += 1;
    if (line === '') continue;
    const value = parseFields(line);
    const result = value === null ? 'none' : fit(value);
    if (result === 'none' || result === 'part') {
      first ??= lineNumber;
      if (result === 'part') part += 1;
      else whole += 1;
      cutOff = value === null;
    }
    if (value === null || result === 'none' || result === 'ignored') continue;
    value['lineNumber'] = lineNumber;
    lines.push(value as unknown as Numbered<T>);
  }
  // The last line has no end, and it alone was not read.
  cutOff &&= whole === 1 && part === 0 && first === lineNumber;
  return { lines, lost: { whole, part, first, cutOff } };
}

/** null: no object. */
export function parseFields(text: string | undefined): Fields | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

const amounts = (...keys: readonly string[]): Shape => keys.map((key) => optional(key, isAmount));
const numbers = (...keys: readonly string[]): Shape => keys.map((key) => optional(key, isNumber));
const atMs = required('atMs', isMoment);
const pid = required('pid', isPid);

/** The hot ones: every field of theirs but these is a number. */
const fitsNumbers =
  (key: string, isKey: Check, others: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (!isFields(value) || !isKey(value[key])) return false;
    for (const name in value) {
      const own = value[name];
      const check = others[name];
      if (check === undefined ? typeof own !== 'number' || !isNumber(own) : !check(own))
        delete value[name];
    }
    return true;
  };
const isProcessSample = fitsNumbers('pid', isPid, { state: isText });
const isCgroupSample = fitsNumbers('id', isCount, { underOom: isBoolean });

function fitSample(line: Fields): Conformity {
  if (!isMoment(line['atMs'])) return 'none';
  let result: Conformity = 'whole';
  for (const [key, check] of [
    ['processes', isProcessSample],
    ['cgroups', isCgroupSample],
  ] as const) {
    const list = line[key];
    if (list === undefined) continue;
    if (!Array.isArray(list)) {
      delete line[key];
      result = 'part';
    } else if (!keepOnly(list, check)) result = 'part';
  }
  const host = line['host'];
  if (host !== undefined && !isHostSample(host)) {
    delete line['host'];
    result = 'part';
  }
  return result;
}
const isHostSample: Check = (value) => {
  if (!isFields(value)) return false;
  for (const name in value) if (!isNumber(value[name])) delete value[name];
  return true;
};

const eventShapes: Readonly<Record<EventLine['what'], Shape>> = {
  process: [
    atMs,
    pid,
    otherwise('parentPid', orNull(isParentPid), null),
    otherwise('name', isText, '?'),
    otherwise('command', orNull(isText), null),
    otherwise('role', oneOf('command', 'descendant'), 'descendant'),
    optional('otherPids', listOf(isPid)),
    optional('cgroup', isText),
    optional('oomScoreAdj', isNumber),
    optional('startTicks', isAmount),
    optional('again', isBoolean),
  ],
  limits: [atMs, pid, required('limits', listOf(isLimit))],
  'process-gone': [
    atMs,
    pid,
    otherwise('exitCode', orNull(isCount), null),
    otherwise('signal', orNull(isText), null),
    otherwise('seenAs', oneOf('wait', 'zombie', 'vanished'), 'vanished'),
    optional('parentState', oneOf('alive', 'ended')),
    optional('peakRssBytes', isAmount),
    optional('dumpingMs', isAmount),
  ],
  cgroup: [
    atMs,
    required('id', isCount),
    required('version', oneOf(1, 2)),
    required('path', isText),
    otherwise('folder', isText, ''),
    required('level', isCount),
    otherwise('parent', orNull(isCount), null),
    otherwise('limitBytes', orNull(isAmount), null),
    optional('highBytes', orNull(isAmount)),
    optional('swapLimitBytes', orNull(isAmount)),
    optional('killDisabled', isBoolean),
    optional('unreadable', listOf(isText)),
  ],
  'cgroup-gone': [atMs, required('id', isCount)],
  // Without its pid a kill of one process would read as a counter that moved.
  kill: [atMs, strict('cgroup', isText), strict('pid', isPid), required('text', isText)],
  stall: [
    atMs,
    required('begunMs', isMoment),
    strict('pid', orNull(isPid)),
    otherwise('pid', orNull(isPid), null),
    optional('name', isText),
    strict('cgroup', isText),
    required(
      'how',
      oneOf('swap', 'file-refaults', 'memory-high', 'reclaim', 'oom-disabled', 'livelock'),
    ),
    ...amounts('slowdown', 'psiFull', 'majorFaultsPerSecond', 'refaultsPerSecond'),
    ...amounts('limitHitsPerSecond', 'swapBytes'),
    optional('against', oneOf('before', 'full-speed')),
    optional('limit', isLimit),
    otherwise('stillGoingOn', isBoolean, false),
  ],
  source: [
    atMs,
    required('id', isText),
    required('place', isText),
    required('status', oneOf('read', 'absent', 'denied', 'malformed', 'truncated')),
    optional('detail', isText),
    optional('command', isText),
    optional('shared', isBoolean),
  ],
  note: [atMs, required('text', isText), optional('pid', isPid)],
};
const shapeOfEvent = new Map<unknown, Shape>(Object.entries(eventShapes));

function fitEvent(line: Fields): Conformity | 'ignored' {
  const { what } = line;
  if (typeof what !== 'string') return 'none';
  const shape = shapeOfEvent.get(what);
  if (shape === undefined) return 'ignored';
  const result = conform(line, shape);
  // A stall that begins after it was seen is none.
  if (what === 'stall' && result !== 'none' && Number(line['begunMs']) > Number(line['atMs']))
    return 'none';
  return result;
}

const hookShape: Shape = [
  required('what', oneOf('exception')),
  required('type', isText),
  required('fate', oneOf('uncaught', 'thread', 'ignored')),
  // Seconds since 1970: what `isTime` allows.
  optional('time', (value) => typeof value === 'number' && value > 0 && value < 7.25e9),
  optional('message', isText),
  optional('thread', isText),
  otherwise('stack', (value) => Array.isArray(value) && keepOnly(value, isFrame), []),
  ...amounts('vmBytes', 'rssBytes', 'dataBytes', 'maps'),
  optional('memory', oneOf(0, 1)),
  ...numbers('errno'),
  optional('python', isText),
];

export const readEvents = (text: string | undefined): ReadLines<EventLine> =>
  readLines(text, fitEvent);
export const readSamples = (text: string | undefined): ReadLines<SampleLine> =>
  readLines(text, fitSample);
/** What the Python hook wrote of exceptions. */
export const readHookErrors = (text: string): ReadLines<HookErrorLine> =>
  readLines(text, (line) => conform(line, hookShape));

const cellShape: Shape = [required('file', isText), required('number', isAmount)];

/** What the Python hook wrote of the cells that a notebook's kernel ran: the latest number of each file. */
export function readCells(text: string): ReadonlyMap<string, number> {
  const { lines } = readLines<{ file: string; number: number }>(text, (line) =>
    conform(line, cellShape),
  );
  return new Map(lines.map(({ file, number }) => [file, number]));
}

const machineShape: Shape = [
  optional('kernel', isText),
  optional('architecture', isText),
  ...amounts('cpus', 'totalBytes', 'swapTotalBytes', 'overcommitMode', 'commitLimitBytes'),
  ...amounts('maxMapCount', 'pageSizeBytes'),
];
const startShape: Shape = [
  required('format', oneOf('coroner-incident/1')),
  otherwise('id', isText, ''),
  otherwise('version', isText, ''),
  otherwise('command', listOf(isText), []),
  otherwise('cwd', isText, ''),
  otherwise('startedAt', isTime, ''),
  optional('startedUptimeSeconds', isAmount),
  otherwise('bootId', orNull(isText), null),
  otherwise('machine', object(...machineShape), {}),
  optional('recorderPid', isPid),
  otherwise('uid', orNull(isCount), null),
  otherwise('options', isFields, {}),
  optional('sums', isBoolean),
];

/** `incident.json`. null: there is none of ours. `whole` false: a field was left out. */
export function parseStart(
  text: string | undefined,
): { readonly start: IncidentStart; readonly whole: boolean } | null {
  const fields = parseFields(text);
  if (fields === null) return null;
  const result = conform(fields, startShape);
  if (result === 'none') return null;
  // Not known and not readable are two things: only where pids are known to be ours may they be compared.
  const namespace = fields['initialPidNamespace'] ?? null;
  const known = orNull(isBoolean)(namespace);
  fields['initialPidNamespace'] = known ? namespace : false;
  return { start: fields as unknown as IncidentStart, whole: result === 'whole' && known };
}

const endShape: Shape = [
  otherwise('endedAt', isTime, null),
  otherwise('durationMs', isAmount, null),
  otherwise('exitCode', orNull(isCount), null),
  otherwise('signal', orNull(isText), null),
  optional('launchError', object(otherwise('code', isText, ''), otherwise('message', isText, ''))),
  optional('recorder', object(...amounts('cpuMs', 'peakRssBytes', 'samples'))),
  optional('survivors', listOf(isPid)),
  optional('sums', isFields),
];
/** `end.json`. null: there is none, or it says neither when the command ended nor after how long. */
export function parseEnd(
  text: string | undefined,
): { readonly end: IncidentEnd; readonly whole: boolean } | null {
  const fields = parseFields(text);
  if (fields === null) return null;
  const whole = conform(fields, endShape) === 'whole';
  return fields['endedAt'] === null && fields['durationMs'] === null
    ? null
    : { end: fields as unknown as IncidentEnd, whole };
}
