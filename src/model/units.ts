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

/** `64K`, `1.5GiB`, `4G`, `1000` as bytes, in binary units; null: no size. */
export function parseSize(text: string): Bytes | null {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) return null;
  const power = ' KMGTP'.indexOf((match[2] ?? '').toUpperCase() || ' ');
  const bytes = Math.floor(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
