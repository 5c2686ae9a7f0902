import type { When } from '../../model/evidence.ts';
import type { Input, Line } from '../parser.ts';
import { stripPrefix } from './prefix.ts';
import { decodeQuotedPrintable } from './quoted-printable.ts';
import { isoTime } from '../../model/units.ts';

/** One record of a log: its message without prefix, and the very text it was taken from. */
export interface LogLine {
  /** First and last line in the input, 1-based. They differ where a mail client had wrapped the record. */
  readonly number: number;
  readonly last: number;
  readonly text: string;
  /** As it stands in the input, with prefix, quoting and line ends. */
  readonly raw: string;
  readonly when?: When;
  /** Host, and thread where the kernel prints it (CONFIG_PRINTK_CALLER): tells interleaved reports apart. */
  readonly stream: string;
  readonly prefixed: boolean;
}

interface Piece {
  readonly number: number;
  readonly last: number;
  readonly text: string;
  readonly raw: string;
}

/**
 * Brings lines of any log to bare messages: undoes mail quoting, quoted-printable, terminal colours, JSON wrapping,
 * `#012`, lost and added line ends, and takes off what syslog, journal, dmesg and containers put in front.
 */
export function logLines(input: Input): LogLine[] {
  const stripped: LogLine[] = [];
  for (const piece of decodeQuotedPrintable(input.lines.map(toPiece)))
    for (const part of pieces(piece)) stripped.push(toLogLine(part));
  return unwrap(stripped);
}

const toPiece = ({ number, text }: Line): Piece => ({ number, last: number, text, raw: text });

function toLogLine({ number, last, text, raw }: Piece): LogLine {
  const { text: bare, when, stream, prefixed } = stripPrefix(text);
  return { number, last, text: bare, raw, stream, prefixed, ...(when ? { when } : {}) };
}

// oxlint-disable-next-line no-control-regex -- terminal colours are what it looks for
const terminalEscape = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;
const uptimeStamp = /(?:<\d{1,3}>)?\[\s{0,6}\d{1,9}\.\d{6}\]/g;
const syslogStamp = /[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,64} kernel: /g;

const entities: Readonly<Record<string, string>> = {
  '&gt;': '>',
  '&lt;': '<',
  '&quot;': '"',
  '&#39;': "'",
  '&amp;': '&',
  '&nbsp;': ' ',
};

/** Without terminal colours, Markdown's backslashes (`oom\\_score\\_adj`), HTML entities and emphasis. */
function undamaged(text: string): string {
  let plain = text;
  if (plain.includes('\u001b')) plain = plain.replace(terminalEscape, '');
  if (plain.includes('\\')) plain = plain.replace(/\\(?=[_*[\]()<>#-])/g, '');
  if (plain.includes('&'))
    plain = plain.replace(/&(?:gt|lt|quot|#39|amp|nbsp);/g, (entity) => entities[entity] ?? entity);
  if (plain.includes('**')) plain = plain.replaceAll('**', '');
  return plain.includes('`') ? plain.replace(/^\s*`+|`+\s*$/g, '') : plain;
}

function* pieces(piece: Piece): Generator<Piece> {
  const text = undamaged(piece.text);
  const message = jsonMessage(text);
  if (message !== null) {
    for (const part of message.split('\n')) if (part !== '') yield { ...piece, text: part };
    return;
  }
  // Only what was not decoded can be quoted in part.
  const rawOf = (part: string) => (text === piece.raw ? part : piece.raw);
  if (text.includes('#012') || text.includes('\\n')) {
    // Each part keeps its separator, so that parts can be joined to what stands in the input.
    for (const part of text.match(/.*?(?:#012|\\n|$)/gs) ?? [])
      if (part !== '')
        yield { ...piece, text: part.replace(/(?:#012|\\n)$/, ''), raw: rawOf(part) };
    return;
  }
  const cuts = cutPoints(text);
  if (cuts.length === 0 && text.length > longestRecord) {
    // No record is that long: a binary file, or a hostile line.
    for (let from = 0; from < text.length; from += longestRecord) {
      const part = text.slice(from, from + longestRecord);
      yield { ...piece, text: part, raw: rawOf(part) };
    }
    return;
  }
  if (cuts.length === 0) {
    yield text === piece.text ? piece : { ...piece, text };
    return;
  }
  // Text that lost its line ends: every time stamp begins a record.
  let from = 0;
  for (const cut of [...cuts, text.length]) {
    const part = text.slice(from, cut);
    if (part.trim() !== '') yield { ...piece, text: part, raw: rawOf(part) };
    from = cut;
  }
}

/** Characters. Text that lost its line ends is cut at its time stamps, and has none of this length. */
const longestRecord = 64 * 1024;

function cutPoints(text: string): readonly number[] {
  if (text.length < 80) return [];
  for (const stamp of [syslogStamp, uptimeStamp]) {
    const points = [...text.matchAll(stamp)].map(({ index }) => index);
    if (points.length > 1) return points.filter((point) => point > 0);
  }
  return [];
}

const messageKeys = [
  'log',
  'MESSAGE',
  'message',
  'msg',
  'Message',
  'textPayload',
  '@message',
  'line',
] as const;

/** The message inside a JSON record of docker, the journal, a log shipper; null where there is none. */
function jsonMessage(text: string): string | null {
  const start = text.indexOf('{');
  if (start < 0 || start > 120 || !text.includes('":')) return null;
  if (!messageKeys.some((key) => text.includes(`"${key}"`))) return null;
  const end = text.lastIndexOf('}');
  let record: unknown;
  try {
    record = JSON.parse(text.slice(start, end + 1));
  } catch {
    return null;
  }
  if (typeof record !== 'object' || record === null) return null;
  const fields = record as Record<string, unknown>;
  for (const key of messageKeys) {
    const value = fields[key];
    const message = Array.isArray(value)
      ? String.fromCharCode(...value.slice(0, 4096).filter((byte) => typeof byte === 'number'))
      : value;
    if (typeof message !== 'string') continue;
    return `${jsonPrefix(fields, message)}${message}`;
  }
  return null;
}

/** Puts the record's own time where a log line has it, if the message has none. */
function jsonPrefix(fields: Record<string, unknown>, message: string): string {
  if (/^\s*(?:\[\s*\d+\.\d|\d{4}-\d\d)/.test(message)) return '';
  const micros = Number(fields['__REALTIME_TIMESTAMP']);
  const monotonic = Number(
    fields['_SOURCE_MONOTONIC_TIMESTAMP'] ?? fields['__MONOTONIC_TIMESTAMP'],
  );
  const uptime =
    Number.isFinite(monotonic) && monotonic > 0 ? `[${(monotonic / 1e6).toFixed(6)}] ` : '';
  const wall = micros > 0 ? isoTime(micros / 1000) : undefined;
  if (wall !== undefined) return `${wall} ${uptime}`;
  for (const key of ['time', 'timestamp', '@timestamp', 'ts']) {
    const value = fields[key];
    if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value)) return `${value} ${uptime}`;
  }
  return uptime;
}

/** A record that ends in the middle of what the kernel prints. */
const cutShort =
  /(?:\b(?:Killed|Kill|Killed process|Kill process|invoked|out of|memory:|as a|a result|result of|limit of|score \d+|score \d+ or|or sacrifice|total-vm:|anon-rss:|file-rss:|invoked oom-killer:)|,|\bTask in \S+)\s*$/;
/** What can only be the rest of a record. */
const restOfRecord =
  /^\s*(?:process \d+ \(|(?:total-vm|anon-rss|file-rss|shmem-rss|pgtables|oom_score_adj)[:=]|UID[: ]\d|oom-killer:|gfp_mask=|order=\d|nodemask=|killed as a result of|as a result of limit|result of limit|limit of \/|or sacrifice child|sacrifice child|rss_huge:\d|(?:in)?active_(?:anon|file):\d+KB|task_memcg=|oom_memcg=|task=|pid=\d|\(.{1,16}\) total-vm:|\(.{1,16}\) score \d)/;
const ofTheKiller =
  /Kill(?:ed)? |oom-kill|invoked|Task in |out of memory|Out of memory|Memory cgroup stats|memory: usage|_anon:\d/;
const maxWraps = 8;

/** Joins records that a mail client had wrapped, and time stamps that stand alone before their record. */
function unwrap(lines: readonly LogLine[]): LogLine[] {
  const joined: LogLine[] = [];
  let wraps = 0;
  for (const line of lines) {
    const before = joined.at(-1);
    if (
      before !== undefined &&
      !line.prefixed &&
      line.text !== '' &&
      wraps < maxWraps &&
      line.number - before.last <= 1 &&
      belongsTo(before, line)
    ) {
      joined[joined.length - 1] = {
        ...before,
        last: line.last,
        text: `${before.text.trimEnd()} ${line.text.trimStart()}`.trim(),
        raw: joinRaw(before, line),
      };
      wraps += 1;
    } else {
      joined.push(line);
      wraps = 0;
    }
  }
  return joined;
}

/** Parts of one line follow each other without a line end; a JSON record is the source of all its lines. */
function joinRaw(before: LogLine, line: LogLine): string {
  if (line.number !== before.last) return `${before.raw}\n${line.raw}`;
  return before.raw.endsWith(line.raw) ? before.raw : before.raw + line.raw;
}

function belongsTo(before: LogLine, line: LogLine): boolean {
  if (before.text === '') return before.prefixed && ofTheKiller.test(line.text);
  if (before.text.length > 4000 || !ofTheKiller.test(before.text)) return false;
  if (restOfRecord.test(line.text)) return true;
  return cutShort.test(before.text) && !/^\s*\[/.test(line.text) && !startsRecord.test(line.text);
}
const startsRecord =
  /invoked oom-killer|^oom-kill:|out of memory:|^Out of memory|^Task in|^\w+: usage/;
