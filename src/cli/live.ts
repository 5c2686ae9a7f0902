import { writeSync } from 'node:fs';
import type { Companion } from '../record/companion.ts';
import { liveRow, liveStatus } from '../render/live-status.ts';
import { terminalOptions } from './terminal-options.ts';

/** Quick enough to follow, slow enough to read. */
const redrawMs = 200;
/** In fewer rows a status would take too much. */
const leastRows = 5;

/** `run --live`: one row of a terminal that says how the memory stands. Never in a pipe: null then. */
export function liveCompanion(stream: NodeJS.WriteStream = process.stderr): Companion | null {
  if (
    !stream.isTTY ||
    stream.rows === undefined ||
    stream.rows < leastRows ||
    process.env['TERM'] === 'dumb'
  )
    return null;
  let rows = stream.rows;
  let drawnAtMs = -Infinity;
  let opened = false;
  const write = (text: string): void => {
    try {
      writeSync(2, text);
    } catch {
      // The terminal is gone or slow: a status that is missed is no loss.
    }
  };
  return {
    started: () => {
      write(liveRow.open(rows));
      opened = true;
      stream.on('resize', () => {
        if (!opened || stream.rows === undefined) return;
        write(liveRow.close(rows));
        rows = stream.rows;
        write(liveRow.open(rows));
      });
      // Whatever way the recorder ends, the terminal gets its last row back.
      process.on('exit', () => {
        if (opened) write(liveRow.close(rows));
      });
    },
    onSample: ({ atMs, processes, nearest, growthBytesPerSecond }) => {
      const [first] = processes;
      if (first === undefined || atMs - drawnAtMs < redrawMs) return;
      drawnAtMs = atMs;
      const { columns, unicode } = terminalOptions(stream, process.env);
      write(
        liveRow.draw(
          rows,
          liveStatus(
            {
              name: first.name,
              processes: processes.length,
              rssBytes: processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
              growthBytesPerSecond,
              limitBytes: nearest?.limitBytes ?? null,
              headroomBytes: nearest?.freeBytes ?? null,
            },
            { columns: columns - 1, unicode },
          ),
        ),
      );
    },
    ended: () => {
      write(liveRow.close(rows));
      opened = false;
    },
  };
}
