/** Words and figures that terminal, page and exports write alike. */
import type { SourceStatus } from './report.ts';

/** What became of a source, in words. */
export const statusWords: Readonly<Record<SourceStatus, string>> = {
  read: 'read',
  absent: 'not there',
  denied: 'not readable',
  malformed: 'not understood',
  truncated: 'cut short',
};

/** A share of 1 as `90 %`, `under 1 %`, with a space that does not break. */
export const percent = (share: number): string =>
  share > 0 && share < 0.01 ? 'under 1\u00a0%' : `${Math.round(share * 100)}\u00a0%`;

/** `8,000,000,000,000`. */
export const groupedDigits = (n: number): string =>
  // 1 << 62 is exact as a number, and String() rounds it.
  String(Number.isSafeInteger(n) || !Number.isInteger(n) ? n : BigInt(n)).replace(
    /\B(?=(\d{3})+$)/g,
    ',',
  );

/** `Whether the kernel …`, to begin a sentence. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `whether the kernel …`, in the middle of a sentence; names in capitals (`RLIMIT_AS`) stay. */
export const lowerFirst = (text: string): string =>
  /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
