/**
 * macOS and iOS: the kernel's lines of both eras in the unified log (10.13 to 15.3 `low swap: …`, 15.4 and later
 * `memorystatus: …`) in whatever style, JetsamEvent `.ips` reports, `zsh: killed`.
 */
import { defined } from '../../model/defined.ts';
import type { DeathNotice, Evidence, KillerRecord } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { jsonValues } from '../text/json.ts';
import {
  elsewhere,
  isAdvice,
  isDefinition,
  lineAt,
  originOf,
  wholeText,
  type Found,
} from '../text/lines.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
import { isoTimeIn } from '../../model/units.ts';

const id = 'macos';
const jetsam = { reporter: 'jetsam', cause: 'jetsam', owner: 'host' } as const;

const kills: readonly KillerWording[] = [
  {
    ...jetsam,
    variant: 'low-swap',
    literal: 'killing largest compressed process',
    pattern:
      /(?:low swap|memorystatus): killing largest compressed process (?:with pid (?<pid>\d{1,9}) \((?<name>.{1,64}?)\) and size (?<used>\d{1,12} MB)|(?<subject>[^\s[…][^[…]{0,63}?) ?(?:\[(?<uid>\d{1,9})\]|…|\.{3}|\[(?:…|\.{3})\]) ?(?<limit>[\d,]{1,12} MB))/,
    message:
      'the kernel of macOS was out of swap and compressor space and names the process that it killed; the size is the uncompressed size of its compressed pages, not its RSS',
    refine: ({ groups }, { subject, limit, ...record }) => {
      if (groups['pid'] !== undefined) return record;
      const pid = groups['uid'];
      return {
        ...record,
        victim: {
          ...(pid === undefined ? {} : { pid: Number(pid) }),
          ...(subject === undefined ? {} : { name: subject.trim() }),
        },
        ...(limit?.bytes == null ? {} : { usedBytes: limit.bytes }),
      };
    },
  },
  {
    ...jetsam,
    variant: 'per-process-limit',
    literal: 'exceeded mem limit',
    pattern:
      /(?:memorystatus|EXC_RESOURCE ?->)[: ]{0,2}\s?(?:(?<name>[^[]{1,64}?) ?\[(?<pid>\d{1,9})\] )?exceeded mem limit: (?:Active|Inactive)Hard (?<limit>\d{1,9} MB) \(fatal\)/,
    message: 'the kernel killed the process at its own memory limit',
  },
  {
    ...jetsam,
    variant: 'jetsam',
    literal: 'killing_',
    pattern:
      /\bkilling_(?<cgroup>idle|top|highwater|specific|vnode)\w{0,12}_?process pid (?<pid>\d{1,9}) \[(?<name>.{1,64}?)\](?: \((?<code>[\w-]{1,40}).{0,120}?\)| ?(?:\.{3}|…))(?: (?<used>\d{1,15}KB))?/,
    message: 'the kernel names the process that memorystatus killed',
    // With its reason left out (`…`), the function that killed tells: only these two have no reason but memory.
    refine: ({ groups }, { victim, ...record }) =>
      groups['code'] === undefined
        ? /^(?:highwater|specific)$/.test(groups['cgroup'] ?? '')
          ? withoutCgroup(record, victim)
          : undefined
        : isForMemory(groups['code'])
          ? withoutCgroup({ ...record, ...variantOf(groups['code']) }, victim)
          : undefined,
  },
  {
    ...jetsam,
    variant: 'jetsam',
    // up to macOS 10.12, and iOS
    literal: 'memorystatus',
    pattern:
      /memorystatus(?:_thread)?: (?:killing|jettisoning|idle exiting)(?: pid| process)? (?<pid>\d{1,9}) \[(?<name>.{1,64}?)\] \((?<code>[\w-]{1,40}).{0,120}?\)/,
    message: 'the kernel names the process that memorystatus killed',
    refine: ({ groups }, record) => (isForMemory(groups['code']) ? record : undefined),
  },
  {
    ...jetsam,
    variant: 'per-process-limit',
    literal: 'crossed memory high watermark',
    pattern:
      /process (?<name>[^[]{1,64}?) ?\[(?<pid>\d{1,9})\] crossed memory high watermark \((?<limit>\d{1,9} MB)\);? EXC_RESOURCE/,
    message: 'the kernel saw the process over its own memory limit',
    sourceKind: 'indirect',
  },
  {
    ...jetsam,
    variant: 'per-process-limit',
    literal: 'RESOURCE_TYPE_MEMORY',
    pattern:
      /EXC_RESOURCE \(?RESOURCE_TYPE_MEMORY(?:: high watermark memory limit exceeded)?\)? ?\((?:limit=(?<limit>\d{1,9} MB))?/,
    message: 'the process went over its own memory limit (EXC_RESOURCE)',
    sourceKind: 'indirect',
  },
  {
    ...jetsam,
    variant: 'swap-exhaustion',
    literal: 'due to swap exhaustion',
    pattern: /memorystatus: killing (?<name>.{1,64}?) \[(?<pid>\d{1,9})\] due to swap exhaustion/,
    message: 'the kernel killed the process because swap was exhausted',
  },
  {
    ...jetsam,
    death: 'slow',
    variant: 'suspended',
    literal: 'due to swap exhaustion',
    pattern:
      /memorystatus: (?:throttling|suspending) (?<name>.{1,64}?) \[(?<pid>\d{1,9})\] due to swap exhaustion/,
    message: 'the kernel suspended the process because swap was exhausted',
  },
  {
    ...jetsam,
    variant: 'low-swap',
    literal: 'low swap: killing',
    pattern: /low swap: killing pid (?<pid>\d{1,9}) \((?<name>.{1,64}?)\)/,
    message: 'the kernel killed the process because swap was exhausted',
  },
  {
    ...jetsam,
    death: 'slow',
    variant: 'suspended',
    literal: 'low swap: ',
    pattern: /low swap: (?:throttling|suspending) pid (?<pid>\d{1,9}) \((?<name>.{1,64}?)\)/,
    message: 'the kernel suspended the process because swap was exhausted',
  },
  {
    ...jetsam,
    variant: 'per-process-limit',
    // Reports of crash reporters on iOS: `Reason: The process was terminated for exceeding jetsam memory limits`
    literal: 'jetsam memory limit',
    pattern:
      /(?:Reason: .{0,40}?|\b[Pp]rocess was )(?:terminated|killed) for exceeding (?:its |the )?jetsam memory limits?/,
    message: 'the crash reporter gives the memory limit of jetsam as the reason of the termination',
    refine: named,
  },
  {
    ...jetsam,
    // Xcode, of an app that runs under its debugger on a device
    literal: 'erminated due to memory issue',
    pattern: /(?:Message from debugger: |^)Terminated due to memory issue/,
    message: 'Xcode saw the system end the app for its memory',
    sourceKind: 'indirect',
    // In a sentence it is a subject to speak of.
    refine: ({ input, index }, record) =>
      /(?:Message from debugger: |^\s*)Terminated due to memory issue\.?\s*$/.test(
        lineAt(input, index),
      )
        ? record
        : undefined,
  },
  {
    ...jetsam,
    variant: 'per-process-limit',
    literal: 'JETSAM_REASON_MEMORY',
    pattern: /JETSAM_REASON_MEMORY_(?!IDLE)\w{4,40}/,
    message: 'the system gives a reason of jetsam for the termination',
  },
  {
    ...jetsam,
    variant: 'per-process-limit',
    literal: 'amespace JETSAM',
    pattern: /Termination Reason: {1,3}Namespace JETSAM/,
    message: 'the crash report gives JETSAM as the namespace of the termination',
    refine: named,
  },
  {
    ...jetsam,
    death: 'slow',
    variant: 'application-memory',
    literal: 'run out of application memory',
    pattern: /[Yy]our system has run out of application memory/,
    message:
      'macOS suspended the largest application because swap was exhausted and asks the user what to quit',
  },
];

/** `Process: SpringBoard [61]` in the head of such a report. */
function named({ input }: Found, record: KillerRecord): KillerRecord {
  const head = elsewhere(
    input,
    /^\s*(?:\*\*)?Process:\s{1,20}(\S[^[\n]{0,63}?)\s*(?:\[(\d{1,9})\])?\s*$/m,
  );
  if (head === null) return record;
  const pid = head[2] === undefined ? {} : { pid: Number(head[2]) };
  return { ...record, victim: { ...record.victim, ...pid, name: head[1]! } };
}

/**
 * XNU's kill causes that are about memory (memorystatus_kill_cause_name). Not `idle-exit` and `long-idle-exit` (10.14): a
 * daemon that had nothing to do and agreed to be ended then (launchd's EnableTransactions), to keep memory free, not because
 * there was none. A reason that cannot be read is none.
 */
const isForMemory = (reason: string | undefined): boolean =>
  /shortage|thrashing|highwater|limit|jettison|pressure|swap|starvation|exhaustion/.test(
    reason ?? '',
  );

/** What the function's name was read into is no cgroup. */
function withoutCgroup(
  record: Omit<KillerRecord, 'victim'>,
  { cgroup: _function, ...victim }: NonNullable<KillerRecord['victim']> = {},
): KillerRecord {
  return { ...record, victim };
}

const variantOf = (reason: string | undefined): Pick<KillerRecord, 'variant'> =>
  reason === 'per-process-limit' || reason === 'highwater' ? { variant: reason } : {};

/** Lines with `literal` of which `pattern` holds, by their index; of a line only what a record can be long. */
function* matchingLines(
  input: Input,
  literal: string,
  pattern: RegExp,
): Iterable<{ readonly at: number; readonly match: RegExpExecArray }> {
  for (const [at, { text }] of input.lines.entries()) {
    const match = text.includes(literal) ? pattern.exec(text.slice(0, 4096)) : null;
    if (match !== null) yield { at, match };
  }
}

/** `killing_idle_process pid 99 [cloudd] (idle-exit)`: housekeeping, told as such. */
function* idleExits(input: Input): Iterable<DeathNotice> {
  for (const { at, match } of matchingLines(
    input,
    'idle-exit',
    /memorystatus(?:_thread)?: \w{1,40}(?: pid| process)? (\d{1,9}) \[(.{1,64}?)\] \((?:long-)?idle-exit/,
  ))
    yield {
      kind: 'death-notice',
      origin: originOf(input, id, at, at, 'memorystatus'),
      reporter: 'the kernel of macOS',
      pid: Number(match[1]),
      name: match[2]!,
      signal: 'SIGKILL',
      otherReason: 'it was idle and had agreed to be ended then (idle-exit): housekeeping',
    };
}

export const macos: Parser = {
  id,
  title: 'macOS and iOS: jetsam in the unified log and in JetsamEvent reports',
  literals: [
    ...new Set(kills.map(({ literal }) => literal)),
    'JetsamEvent',
    'largestProcess',
    '"rpages"',
    '"bug_type"',
    'sent by kernel',
    'idle-exit',
    'argest process',
    'vm-compressor-',
    'vm-pageshortage',
    'sustained-memory-pressure',
    'highwater',
    'per-process-limit',
  ],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  // `log show` prints its own predicate, with the words that were asked for
  const told = [...readKillers(input, id, kills)].filter(
    ({ origin }) =>
      !/CONTAINS|predicate|evaluation result|Filtering the log/.test(origin.quote ?? ''),
  );
  yield* told;
  const whole = wholeText(input);
  const reports: KillerRecord[] = [];
  if (whole.includes('largestProcess') || (whole.includes('bug_type') && whole.includes('298')))
    reports.push(...jetsamReport(input));
  // One process of a report, copied out of it.
  else if (/"(?:rpages|killDelta|lifetimeMax)"\s?:/.test(whole))
    reports.push(...damagedReport(input));
  if (/Largest process|largest process/.test(whole)) reports.push(...tableReport(input));
  yield* reports;
  if (reports.length === 0 && told.length === 0) yield* statedReason(input);
  if (/"bug_type" ?: ?"?309/.test(whole)) yield* crashReport(input);
  yield* sentByKernel(input);
  yield* idleExits(input);
}

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Only a process with a `reason` is a victim; `largestProcess` is not one by itself. */
function* jetsamReport(input: Input): Iterable<KillerRecord> {
  let any = false;
  for (const { value, from, to } of jsonValues(input)) {
    if (!isObject(value) || !Array.isArray(value['processes'])) continue;
    const status = value['memoryStatus'];
    const pageSize =
      isObject(status) && typeof status['pageSize'] === 'number' ? status['pageSize'] : undefined;
    const wall =
      typeof value['date'] === 'string'
        ? isoTimeIn(value['date'].replace(/(\.\d+)? ([+-]\d{4})$/, '$1$2'))
        : undefined;
    for (const one of value['processes']) {
      if (!isObject(one) || typeof one['reason'] !== 'string' || !isForMemory(one['reason']))
        continue;
      const pages = one['rpages'];
      const name = typeof one['name'] === 'string' ? one['name'] : undefined;
      const line = input.lines.findIndex(
        (text, at) => at >= from && at <= to && text.text.includes(one['reason'] as string),
      );
      yield {
        kind: 'killer-record',
        origin: originOf(input, id, Math.max(line, from), Math.max(line, from), one['reason']),
        ...(wall === undefined ? {} : { when: { wall } }),
        reporter: 'jetsam',
        cause: 'jetsam',
        variant: one['reason'],
        message: `the JetsamEvent report gives ${one['reason']} as the reason of its death`,
        victim: {
          ...(typeof one['pid'] === 'number' ? { pid: one['pid'] } : {}),
          ...defined({ name }),
        },
        ...(typeof pages === 'number' && pageSize !== undefined
          ? { usedBytes: pages * pageSize }
          : {}),
        sourceKind: 'direct',
      };
      any = true;
    }
  }
  if (!any) {
    const damaged = [...damagedReport(input)];
    yield* damaged;
    if (damaged.length === 0) yield* summary(input);
  }
}

/** Some fields of a report, copied out of it without its processes: that there is one tells of a kill, not whose. */
function* summary(input: Input): Iterable<KillerRecord> {
  const whole = wholeText(input);
  if (/"reason"\s?:\s?"(?:long-)?idle-exit"/.test(whole)) return;
  if (!/"?(?:compressorSize|memoryPages|memoryStatus|rpages|bug_type"?\s?:\s?"?298)\b/.test(whole))
    return;
  const at = input.lines.findIndex(({ text }) => /largestProcess|bug_type/.test(text));
  if (at === -1) return;
  yield {
    kind: 'killer-record',
    origin: originOf(input, id, at, at, 'largestProcess'),
    reporter: 'jetsam',
    cause: 'jetsam',
    message:
      'it is from a JetsamEvent report, which macOS and iOS write when they end processes for want of memory; largestProcess is not yet the victim',
    sourceKind: 'indirect',
  };
}

/** Reports of iOS 6 to 8 were a table: `MyApp <uuid>  42001  42001  [per-process-limit] (frontmost)`. */
function* tableReport(input: Input): Iterable<KillerRecord> {
  for (const { at, match: row } of matchingLines(
    input,
    '[',
    /^\s*(\S.{0,63}?) +<[0-9a-f-]{2,40}> +(?:[\d.-]{1,12} +){1,8}\[([a-z][a-z-]{3,40})\]/,
  )) {
    if (!isForMemory(row[2])) continue;
    yield {
      kind: 'killer-record',
      origin: originOf(input, id, at, at, row[2]!),
      reporter: 'jetsam',
      cause: 'jetsam',
      variant: row[2]!,
      message: `the low-memory report gives ${row[2]} as the reason of its death`,
      victim: { name: row[1]!.trim() },
      sourceKind: 'direct',
    };
  }
}

/** `killed by jetsam, reason vm-compressor-space-shortage`, in a sentence. */
function* statedReason(input: Input): Iterable<KillerRecord> {
  const whole = wholeText(input);
  if (!/jetsam/i.test(whole) || whole.length > 131_072) return;
  const at = input.lines.findIndex(({ text }) =>
    /\b(?:vm-compressor-space-shortage|vm-compressor-thrashing|vm-pageshortage|sustained-memory-pressure|fc-thrashing)\b|\b(?:[Yy]our|[Tt]he|[Ii]ts) (?:termination|kill|death)\b[^.\n]{0,40}\b(?:highwater|per-process-limit)\b/.test(
      text,
    ),
  );
  if (at === -1 || isDefinition(lineAt(input, at)) || isAdvice(lineAt(input, at))) return;
  yield {
    kind: 'killer-record',
    origin: originOf(input, id, at, at, 'vm-'),
    reporter: 'jetsam',
    cause: 'jetsam',
    message: 'the text gives a reason of jetsam for a kill',
    sourceKind: 'indirect',
  };
}

/** A report that does not parse (cut, or with remarks in it): the reason, with the name and pid near it. */
function* damagedReport(input: Input): Iterable<KillerRecord> {
  const reasons =
    /"reason"\s?:\s?"(per-process-limit|highwater|vm-pageshortage|vm-compressor-space-shortage|vm-compressor-thrashing|fc-thrashing|low-swap|sustained-memory-pressure|jettisoned|zone-map-exhaustion|disk-space-shortage|proc-thrashing)"/;
  let pageSize: number | undefined;
  for (const [at, { text }] of input.lines.entries()) {
    const reason = reasons.exec(text.slice(0, 100_000));
    if (reason === null) continue;
    const near = withinBraces(objectAround(input, at), reason[0]);
    const name = /"name"\s?:\s?"([^"]{1,64})"/.exec(near);
    const pid = /"pid"\s?:\s?(\d{1,9})/.exec(near);
    const pages = /"rpages"\s?:\s?(\d{1,9})/.exec(near);
    pageSize ??= Number(/"pageSize"\s?:\s?(\d{4,6})/.exec(wholeText(input))?.[1] ?? 0);
    yield {
      kind: 'killer-record',
      origin: originOf(input, id, at, at, reason[1]!),
      reporter: 'jetsam',
      cause: 'jetsam',
      variant: reason[1]!,
      message: `the JetsamEvent report gives ${reason[1]} as the reason of a death`,
      ...(name === null && pid === null
        ? {}
        : {
            victim: {
              ...(pid === null ? {} : { pid: Number(pid[1]) }),
              ...(name === null ? {} : { name: name[1]! }),
            },
          }),
      ...(pages === null || pageSize === 0 ? {} : { usedBytes: Number(pages[1]) * pageSize }),
      sourceKind: 'direct',
    };
  }
}

/** Of processes on one line the part between the braces around `word`: another's pid stands in the next pair. */
function withinBraces(text: string, word: string): string {
  const at = text.indexOf(word);
  const from = text.lastIndexOf('{', at);
  const to = text.indexOf('}', at);
  return text.slice(from + 1, to < 0 ? undefined : to);
}

/** The lines of the process that a line belongs to: up to its brackets, where they stand on lines of their own. */
function objectAround(input: Input, at: number): string {
  const own = input.lines[at]!.text.slice(0, 100_000);
  if (/"name"/.test(own) || /"pid"/.test(own)) return own;
  let from = at;
  while (from > 0 && at - from < 24 && !/^\s*\{/.test(input.lines[from]!.text)) from -= 1;
  let to = at;
  while (to < input.lines.length - 1 && to - at < 24 && !/^\s*\}/.test(input.lines[to]!.text))
    to += 1;
  return input.lines
    .slice(from, to + 1)
    .map((line) => line.text.slice(0, 2000))
    .join('\n');
}

/** A user's crash report (bug_type 309): a termination by JETSAM is one; a signal is only told. */
function* crashReport(input: Input): Iterable<Evidence> {
  for (const { value, from } of jsonValues(input)) {
    if (!isObject(value) || !isObject(value['termination'])) continue;
    const pid = typeof value['pid'] === 'number' ? { pid: value['pid'] } : {};
    const name = typeof value['procName'] === 'string' ? { name: value['procName'] } : {};
    const exception = isObject(value['exception']) ? value['exception'] : {};
    if (value['termination']['namespace'] === 'JETSAM')
      yield {
        kind: 'killer-record',
        origin: originOf(input, id, from, from, 'JETSAM'),
        reporter: 'jetsam',
        cause: 'jetsam',
        message: 'the crash report gives JETSAM as the namespace of the termination',
        victim: { ...pid, ...name },
        sourceKind: 'direct',
      };
    else if (typeof exception['signal'] === 'string')
      yield {
        kind: 'death-notice',
        origin: originOf(input, id, from, from, 'signal'),
        reporter: 'crash report',
        ...pid,
        ...name,
        signal: exception['signal'],
      };
  }
}

/** launchd: `exited due to SIGKILL | sent by kernel[0]` fits jetsam and proves nothing alone. */
function* sentByKernel(input: Input): Iterable<DeathNotice> {
  for (const { at, match } of matchingLines(
    input,
    'sent by',
    /(?:(?<![\w.-])(?!launchd ?\[1\])([\w.-]{1,80}) ?\[(\d{1,9})\].{0,40}?)?exited due to SIGKILL \| sent by (\w{1,40})(?:\[(\d{1,9})\])?/,
  ))
    yield {
      kind: 'death-notice',
      origin: originOf(input, id, at, at, 'exited due to'),
      reporter: 'launchd',
      ...(match[2] === undefined ? {} : { pid: Number(match[2]) }),
      ...defined({ name: match[1] }),
      signal: 'SIGKILL',
      ...(match[3] === 'kernel'
        ? { guessesMemory: true }
        : { otherReason: `the signal was sent by ${match[3]}` }),
    };
}
