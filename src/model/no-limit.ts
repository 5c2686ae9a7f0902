import type { Bytes } from './units.ts';

/**
 * cgroup v1 and the kernel's reports have no word for "no limit": they show the largest multiple of the page size below 2^63, in
 * bytes or in kB. No machine has an exbibyte, so what is larger is none, whatever the page size.
 */
const mostBytes = 2 ** 60;

/** A limit as a cgroup or the kernel's log shows it; null: there is none. */
export const realLimit = (shownBytes: Bytes | null): Bytes | null =>
  shownBytes === null || shownBytes > mostBytes ? null : shownBytes;
