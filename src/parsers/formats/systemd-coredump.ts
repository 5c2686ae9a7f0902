/**
 * What systemd-coredump notes about a crash: `coredumpctl info` and `list`, its journal entry as text,
 * JSON (`journalctl -o json`) and export format. Fields: systemd's `systemd-coredump(8)`, journal-fields(7).
 */
import { defined } from '../../model/defined.ts';
import type { CoreDump, Evidence } from '../../model/evidence.ts';
import type { Limit } from '../../model/report.ts';
import type { Line, Parser } from '../parser.ts';
import { stripPrefix } from '../text/prefix.ts';
import { signalByText } from '../../model/signals.ts';
import { isoTime, isoTimeIn } from '../../model/units.ts';

const id = 'systemd-coredump';

export const systemdCoredump: Parser = {
  id,
  title: 'systemd-coredump: coredumpctl and the COREDUMP_* fields of the journal',
  literals: [
    'COREDUMP_PID',
    'COREDUMP_SIGNAL',
    'dumped core.',
    'Stack trace of thread',
    'COREFILE',
    'Size on Disk:',
    'Command Line: ',
    'terminated abnormally with signal',
    'without generating a coredump',
  ],
  *parse({ name, lines }) {
    let index = 0;
    const tried = { until: 0 };
    while (index < lines.length) {
      const line = lines[index]!;
      const taken =
        jsonEntry(name, line) ??
        exportEntry(name, lines, index, tried) ??
        infoBlock(name, lines, index) ??
        listTable(name, lines, index) ??
        message(name, lines, index);
      if (taken === null) index += 1;
      else {
        yield* taken.evidence;
        index += Math.max(1, taken.lines);
      }
    }
  },
};

interface Taken {
  readonly evidence: readonly Evidence[];
  readonly lines: number;
}

/** No entry is longer: the maps of a process with 65,530 mappings. */
const maxEntryLines = 200_000;

function jsonEntry(name: string, line: Line): Taken | null {
  if (!line.text.includes('"COREDUMP_')) return null;
  const start = line.text.indexOf('{');
  if (start < 0) return null;
  let entry: unknown;
  try {
    entry = JSON.parse(line.text.slice(start));
  } catch {
    return null;
  }
  if (typeof entry !== 'object' || entry === null) return null;
  const fields = new Map<string, string>();
  for (const [key, value] of Object.entries(entry)) {
    // Fields that are not clean text are arrays of bytes, repeated ones arrays of texts.
    if (typeof value === 'string') fields.set(key, value);
    else if (
      Array.isArray(value) &&
      value.every((byte) => typeof byte === 'number' && byte >= 0 && byte < 256)
    )
      fields.set(key, new TextDecoder().decode(Uint8Array.from(value as number[])));
    else if (Array.isArray(value) && typeof value[0] === 'string') fields.set(key, value[0]);
  }
  const quote = /"COREDUMP_(?:PID|SIGNAL)"\s*:\s*"\d+"/.exec(line.text)?.[0] ?? '"COREDUMP_';
  const dump = fromFields(name, line, quote, fields);
  return dump === null ? null : { evidence: [dump], lines: 1 };
}

/**
 * `KEY=value` lines up to an empty one; a field of several lines is its bare name, eight bytes of length, the data.
 * What was read to its end and is no crash is not read again from each of its lines: `tried`.
 */
function exportEntry(
  name: string,
  lines: readonly Line[],
  index: number,
  tried: { until: number },
): Taken | null {
  if (
    index < tried.until ||
    !/^(?:COREDUMP_|__CURSOR=|__REALTIME_TIMESTAMP=|_BOOT_ID=|MESSAGE_ID=)/.test(lines[index]!.text)
  )
    return null;
  const fields = new Map<string, string>();
  let quoted: Line | null = null;
  let key: string | null = null;
  let count = 0;
  for (; index + count < lines.length && count < maxEntryLines; count += 1) {
    const line = lines[index + count]!;
    if (line.text === '' && key === null) break;
    const field = /^([A-Z_][A-Z0-9_]*)=(.*)$/.exec(line.text);
    if (field !== null) {
      key = null;
      if (!fields.has(field[1]!)) fields.set(field[1]!, field[2]!);
      if (field[1] === 'COREDUMP_PID') quoted = line;
    } else if (/^[A-Z_][A-Z0-9_]*$/.test(line.text)) key = line.text;
    else if (key !== null) fields.set(key, `${fields.get(key) ?? ''}${line.text}\n`);
  }
  const dump = quoted === null ? null : fromFields(name, quoted, quoted.text, fields);
  if (dump !== null) return { evidence: [dump], lines: count };
  tried.until = index + count;
  return null;
}

function fromFields(
  name: string,
  line: Line,
  quote: string,
  fields: ReadonlyMap<string, string>,
): CoreDump | null {
  const pid = count(fields.get('COREDUMP_PID'));
  const signal = fields.get('COREDUMP_SIGNAL_NAME') ?? fields.get('COREDUMP_SIGNAL');
  if (pid === undefined && signal === undefined) return null;
  const usec = count(fields.get('COREDUMP_TIMESTAMP') ?? fields.get('__REALTIME_TIMESTAMP'));
  const wall = usec === undefined ? undefined : isoTime(usec / 1000);
  const status = fields.get('COREDUMP_PROC_STATUS') ?? '';
  const limits = limitsIn(fields.get('COREDUMP_PROC_LIMITS') ?? '');
  const maps = fields.get('COREDUMP_PROC_MAPS');
  const text = fields.get('MESSAGE') ?? '';
  const stack = framesIn(text.split('\n'));
  const bootId = fields.get('_BOOT_ID');
  return {
    kind: 'core-dump',
    record: 'systemd-coredump',
    origin: { source: id, place: `${name}:${line.number}`, line: line.number, quote },
    ...(wall === undefined ? {} : { when: { wall, ...defined({ bootId }) } }),
    ...some('pid', pid),
    ...some('name', fields.get('COREDUMP_COMM')),
    ...some('command', fields.get('COREDUMP_CMDLINE')),
    ...some('executable', fields.get('COREDUMP_EXE')),
    ...some('uid', count(fields.get('COREDUMP_UID'))),
    ...some('storedAt', fields.get('COREDUMP_FILENAME')),
    signal: signal === undefined ? null : signalByText(signal),
    ...some('peakVmBytes', kibibytes(status, 'VmPeak')),
    ...some('peakRssBytes', kibibytes(status, 'VmHWM')),
    ...some('totalVmBytes', kibibytes(status, 'VmSize')),
    ...some('threads', count(/^Threads:\s*(\d+)/m.exec(status)?.[1])),
    ...some(
      'mapCount',
      maps === undefined
        ? undefined
        : maps.split('\n').filter((map) => /^[0-9a-f]+-[0-9a-f]+ /.test(map)).length,
    ),
    ...(limits.length === 0 ? {} : { limits }),
    ...(stack.length === 0 ? {} : { nativeStack: stack }),
    ...(fields.get('COREDUMP_TRUNCATED') === '1' ? { truncated: true } : {}),
  };
}

/** `coredumpctl info`: right-aligned keys. */
function infoBlock(name: string, lines: readonly Line[], index: number): Taken | null {
  const first = /^\s*PID: (\d+)(?: \((.*)\))?\s*$/.exec(lines[index]!.text);
  if (first === null) return null;
  const fields = new Map<string, string>();
  let used = 1;
  for (; index + used < lines.length && used < 4096; used += 1) {
    const { text } = lines[index + used]!;
    if (/^\s*PID: \d+/.test(text)) break;
    const field = /^\s*([A-Z][A-Za-z ]+): (.*)$/.exec(text);
    if (field !== null && !fields.has(field[1]!)) fields.set(field[1]!, field[2]!.trim());
  }
  if (!fields.has('Signal')) return null;
  const block = lines.slice(index, index + used).map(({ text }) => text);
  const signal = /^(\d+)(?: \((\w+)\))?/.exec(fields.get('Signal') ?? '');
  const storage = /^(\/.*?)(?: \((\w+)\))?$/.exec(
    fields.get('Storage') ?? fields.get('Coredump') ?? '',
  );
  const stack = framesIn(block);
  const wall = wallTime(fields.get('Timestamp'));
  const line = lines[index]!;
  const last = block.findIndex((text) => /^\s*Signal: /.test(text));
  return {
    lines: used,
    evidence: [
      {
        kind: 'core-dump',
        record: 'systemd-coredump',
        origin: {
          source: id,
          place: `${name}:${line.number}-${lines[index + used - 1]!.number}`,
          line: line.number,
          quote: (block[last] ?? line.text).trim(),
        },
        ...(wall === undefined ? {} : { when: { wall } }),
        pid: Number(first[1]),
        ...some('name', first[2]),
        ...some('command', fields.get('Command Line')),
        ...some('executable', fields.get('Executable')),
        ...some('uid', count(/^\d+/.exec(fields.get('UID') ?? '')?.[0])),
        ...(storage === null || storage[2] === 'missing' ? {} : some('storedAt', storage[1])),
        signal:
          signal === null ? null : (signalByText(signal[1]!) ?? signalByText(signal[2] ?? '')),
        ...(stack.length === 0 ? {} : { nativeStack: stack }),
        ...(storage?.[2] === 'truncated' ? { truncated: true } : {}),
      },
    ],
  };
}

/**
 * `coredumpctl list`, read by its header. Up to systemd 245: `TIME PID UID GID SIG COREFILE EXE` with numeric signals;
 * later names of signals and a SIZE behind. Before 230: PRESENT with a `*`.
 */
function listTable(name: string, lines: readonly Line[], index: number): Taken | null {
  const header = lines[index]!.text;
  if (!/^\s*TIME\s.*\bPID\s+UID\s+GID\s+SIG\s+(?:COREFILE|PRESENT)\s+EXE/.test(header)) return null;
  const evidence: Evidence[] = [];
  let used = 1;
  for (; index + used < lines.length; used += 1) {
    const line = lines[index + used]!;
    // A row is some hundred characters; a longer line is something else, and would cost the pattern dearly.
    if (line.text.length > 4096) break;
    const row =
      /^(.*?)\s+(\d+)\s+(\d+)\s+(\d+)\s+(SIG[A-Z0-9]+|\d+|-)\s+(?:(present|missing|none|truncated|inaccessible|journal|error|\*)\s+)?(\S.*?)(?:\s+(?:[\d.]+[BKMGT]|n\/a|-))?\s*$/.exec(
        line.text,
      );
    if (row === null) break;
    const wall = wallTime(row[1]);
    const executable = row[7]!;
    evidence.push({
      kind: 'core-dump',
      record: 'systemd-coredump',
      origin: {
        source: id,
        place: `${name}:${line.number}`,
        line: line.number,
        quote: line.text.trim(),
      },
      ...(wall === undefined ? {} : { when: { wall } }),
      pid: Number(row[2]),
      uid: Number(row[3]),
      ...(executable.startsWith('/')
        ? { executable, name: executable.slice(executable.lastIndexOf('/') + 1).slice(0, 15) }
        : {}),
      signal: row[5] === '-' ? null : signalByText(row[5]!),
      ...(row[6] === 'truncated' ? { truncated: true } : {}),
    });
  }
  return { evidence, lines: used };
}

/** The message in a text journal: `Process 4711 (python3) of user 1000 dumped core.`, with its stack below. */
function message(name: string, lines: readonly Line[], index: number): Taken | null {
  const line = lines[index]!;
  const found =
    /Process (\d+) \((.{1,16})\) of user (\d+) (?:dumped core|terminated abnormally(?: with signal (\d+)\/([A-Z]+))?)/.exec(
      line.text,
    );
  if (found === null) return null;
  const block: string[] = [line.text];
  const signal = found[4] === undefined ? null : signalByText(found[4]);
  let used = 1;
  for (; index + used < lines.length && used < 4096; used += 1) {
    const { text } = lines[index + used]!;
    if (/of user \d+ (?:dumped core|terminated abnormally)/.test(text)) break;
    if (
      text.trim() !== '' &&
      !/^\s|^#\d|Stack trace of thread|Module |ELF object|Found module/.test(text)
    )
      break;
    block.push(text);
  }
  const [, pid, comm, uid] = found;
  const { when } = stripPrefix(line.text);
  return {
    lines: used,
    evidence: [
      {
        kind: 'core-dump',
        record: 'systemd-coredump',
        origin: {
          source: id,
          place: `${name}:${line.number}${used === 1 ? '' : `-${lines[index + used - 1]!.number}`}`,
          line: line.number,
          quote: line.text.trim(),
        },
        ...defined({ when }),
        pid: Number(pid),
        name: comm!,
        uid: Number(uid),
        signal,
        ...(framesIn(block).length === 0 ? {} : { nativeStack: framesIn(block) }),
      },
    ],
  };
}

/** `#0  0x00007f… n/a (libc.so.6 + 0x15357b)`: the frames of the first thread, which is the one that died. */
function framesIn(lines: readonly string[]): readonly string[] {
  const frames: string[] = [];
  for (const line of lines) {
    if (line.includes('Stack trace of thread') && frames.length > 0) break;
    const frame = /#(\d+)\s{1,8}0x[0-9a-f]{1,16} (.+)$/.exec(line.trimEnd());
    if (frame === null) continue;
    if (frame[1] === '0' && frames.length > 0) break;
    frames.push(frame[2]!);
  }
  return frames;
}

function limitsIn(text: string): readonly Limit[] {
  const limits: Limit[] = [];
  for (const [title, path] of [
    ['Max address space', 'RLIMIT_AS'],
    ['Max data size', 'RLIMIT_DATA'],
    ['Max stack size', 'RLIMIT_STACK'],
  ] as const) {
    const soft = new RegExp(`^${title}\\s+(\\d+)`, 'm').exec(text)?.[1];
    if (soft !== undefined) limits.push({ owner: 'rlimit', path, bytes: Number(soft) });
  }
  return limits;
}

/** `Tue 2023-01-31 12:00:00 UTC (1min ago)`: other zones than UTC are not known by their abbreviation. */
function wallTime(text: string | undefined): string | undefined {
  const match = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)/.exec(text ?? '');
  if (match === null) return undefined;
  return isoTimeIn(`${match[1]}T${match[2]}.000Z`);
}

function kibibytes(status: string, key: string): number | undefined {
  const value = new RegExp(`^${key}:\\s*(\\d+) kB`, 'm').exec(status)?.[1];
  return value === undefined ? undefined : Number(value) * 1024;
}

function count(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,17}$/.test(text)) return undefined;
  return Number(text);
}

function some<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
