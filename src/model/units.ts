/** A number of bytes. Exact up to 8 PiB. */
export type Bytes = number;
/** A number of milliseconds. */
export type Ms = number;
/** An address in some process, as `0x…`: JSON has no 64-bit integers. */
export type HexAddress = string;

export const kib = (n: number): Bytes => n * 1024;
export const mib = (n: number): Bytes => n * 1024 ** 2;
export const gib = (n: number): Bytes => n * 1024 ** 3;

const binaryUnits = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A peak: `315 MiB`, or `at least 315 MiB` where it may have been higher unseen. */
export const formatPeak = (bytes: Bytes, isLeast: boolean | undefined): string =>
  `${isLeast === true ? 'at least ' : ''}${formatBytes(bytes)}`;

/** `100 MiB`, `1.5 GiB`, `7.28 TiB`: three significant digits, binary units, never `1024 MiB`. */
export function formatBytes(bytes: Bytes): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 999.5 && unit < binaryUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const text = digits === 0 ? value.toFixed(0) : String(Number(value.toFixed(digits)));
  const name = unit === 0 && text === '1' ? 'byte' : binaryUnits[unit];
  return `${bytes < 0 ? '-' : ''}${text} ${name}`;
}

/** `350 ms`, `2.4 s`, `1 min 40 s`, `3 h 5 min`. */
export function formatDuration(ms: Ms): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) {
    const rest = seconds % 60;
    return `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
  }
  const minutes = Math.round(seconds / 60);
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`}`;
}

/** The first moment that is no time of a death: clocks that say so were never set, or are no clocks. */
const endOfTimeMs = Date.UTC(2200, 0);

/** A moment, in milliseconds since 1970, as ISO 8601 in UTC; undefined: no clock says so (before 1970, after 2199, NaN). */
export function isoTime(ms: Ms): string | undefined {
  // The one place that may: toISOString() throws where a Date holds no time.
  return ms >= 0 && ms < endOfTimeMs ? new Date(ms).toISOString() : undefined;
}

const monthNames = [
  'Jan',
  'Feb',
  'Mar',
  'Apr',
  'May',
  'Jun',
  'Jul',
  'Aug',
  'Sep',
  'Oct',
  'Nov',
  'Dec',
];
const isoDate = /^\s{0,9}(\d{4})-(\d\d)-(\d\d)(?:$|[T ])/;
/** `Sat Jan 31 12:00:00 2026 UTC`, as asctime() and date(1) print it. */
const englishDate =
  /^\s{0,9}(?:[A-Z][a-z]{2},?\s{1,9})?([A-Z][a-z]{2})\s{1,9}(\d{1,2})\s{1,9}.{0,40}?\b(\d{4})\b/;

/**
 * A date in text as milliseconds since 1970; undefined: it is none, it is impossible (31 February, month 91), or no clock says so.
 * Two forms: ISO 8601 (a blank may stand for the T, a comma before the fraction) and what asctime() prints. Without a zone it is local time.
 */
export function parseTime(text: string): Ms | undefined {
  const iso = isoDate.exec(text);
  const english = iso === null ? englishDate.exec(text) : null;
  const [year, month, day] =
    iso !== null
      ? [Number(iso[1]), Number(iso[2]), Number(iso[3])]
      : [
          Number(english?.[3]),
          monthNames.indexOf(english?.[1] ?? '') + 1,
          Number(english?.[2] ?? Number.NaN),
        ];
  // Date.parse() takes 31 February for 3 March.
  if (
    !(
      month >= 1 &&
      month <= 12 &&
      day >= 1 &&
      day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
    )
  )
    return undefined;
  const ms = Date.parse(text.trim().replace(/(?<=:\d\d),(?=\d)/, '.'));
  return ms >= 0 && ms < endOfTimeMs ? ms : undefined;
}

/** A date in text as ISO 8601 in UTC; undefined as for `parseTime`. */
export function isoTimeIn(text: string): string | undefined {
  const ms = parseTime(text);
  return ms === undefined ? undefined : isoTime(ms);
}

/** `64K`, `1.5GiB`, `4G`, `1000` as bytes, in binary units; null: no size. */
export function parseSize(text: string): Bytes | null {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) return null;
  const power = ' KMGTP'.indexOf((match[2] ?? '').toUpperCase() || ' ');
  const bytes = Math.floor(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
