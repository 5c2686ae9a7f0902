/** One line about a run that goes on, for the lowest row of a terminal. */
import type { Bytes } from '../model/units.ts';
import { formatBytes, formatDuration } from '../model/units.ts';
import { safeText } from './safe-text.ts';
import { clipped } from './terminal/layout.ts';

export interface LiveFigures {
  readonly name: string;
  /** Resident memory of all processes of the run. */
  readonly rssBytes: Bytes;
  readonly processes: number;
  readonly growthBytesPerSecond: number;
  /** The tightest limit, and what is left of it. null: none is finite. */
  readonly limitBytes: Bytes | null;
  readonly headroomBytes: Bytes | null;
}

export function liveStatus(
  figures: LiveFigures,
  { columns, unicode }: { readonly columns: number; readonly unicode: boolean },
): string {
  const {
    name,
    rssBytes,
    processes,
    growthBytesPerSecond: growth,
    limitBytes,
    headroomBytes,
  } = figures;
  const parts = [
    `${safeText(name)}${processes > 1 ? ` and ${processes - 1} more` : ''}`,
    formatBytes(rssBytes),
  ];
  if (limitBytes !== null && headroomBytes !== null && limitBytes > 0) {
    const used = Math.max(0, limitBytes - headroomBytes);
    parts.push(
      `${bar(used / limitBytes, unicode)} ${Math.round((used / limitBytes) * 100)} % of ${formatBytes(limitBytes)}`,
    );
    // Beyond an hour the present growth says nothing.
    const secondsLeft = growth > 0 ? headroomBytes / growth : Infinity;
    if (secondsLeft < 3600) parts.push(`full in ${formatDuration(Math.round(secondsLeft) * 1000)}`);
  }
  if (Math.abs(growth) >= 2 ** 20)
    parts.push(`${growth > 0 ? '+' : '-'}${formatBytes(Math.abs(growth))}/s`);
  return clipped(`coroner  ${parts.join('  ')}`, columns, unicode ? '…' : '...');
}

const bar = (share: number, unicode: boolean): string => {
  const filled = Math.round(Math.min(1, share) * 10);
  return unicode
    ? '█'.repeat(filled) + '░'.repeat(10 - filled)
    : `[${'#'.repeat(filled)}${'.'.repeat(10 - filled)}]`;
};

/**
 * The lowest row is kept out of the scroll region (DECSTBM), so that the command's own output scrolls above it and nothing of it is
 * overwritten. Cursor saved and restored (DECSC, DECRC) around each change.
 */
export const liveRow = {
  /** A line end first: the cursor may stand in the row that is taken away. */
  open: (rows: number): string => `\n\u001b[A\u001b7\u001b[1;${rows - 1}r\u001b8`,
  draw: (rows: number, text: string): string =>
    `\u001b7\u001b[${rows};1H\u001b[2K\u001b[2m${text}\u001b[0m\u001b8`,
  close: (rows: number): string => `\u001b7\u001b[r\u001b[${rows};1H\u001b[2K\u001b8`,
} as const;
