import type { Bytes } from './units.ts';

/**
 * A machine with less than this share of its memory left counts as short. The memory guards act at a tenth and below (earlyoom's and
 * nohang's defaults); the kernel acts later still, but a sample tells of some moment before.
 */
const shortShare = 0.1;
/** Where it is still open what will come of it, the last sample may be a second old: twice as much. */
const nearlyShortShare = 2 * shortShare;

/** Of the machine's memory: what was there in all, and what was left, free or to be had at once. undefined: not known. */
interface Room {
  readonly leftBytes: Bytes | undefined;
  readonly totalBytes: Bytes | undefined;
}

/** Whether the machine was short of memory. undefined where one of the figures is not known: each caller says what follows. */
export const isMachineShort = (room: Room): boolean | undefined => isBelow(room, shortShare);

/** Whether it may be short by the time that somebody acts. */
export const isMachineNearlyShort = (room: Room): boolean | undefined =>
  isBelow(room, nearlyShortShare);

const isBelow = ({ leftBytes, totalBytes }: Room, share: number): boolean | undefined =>
  leftBytes === undefined || totalBytes === undefined ? undefined : leftBytes < share * totalBytes;
