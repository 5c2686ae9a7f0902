import { writeSync } from 'node:fs';
import type { Companion } from '../record/companion.ts';
import type { SampleEvent } from '../record/sampler.ts';
import { liveRow, liveStatus, type LiveFigures } from '../render/live-status.ts';
import { terminalOptions } from './terminal-options.ts';

/** Fast enough to follow, slow enough to read. */
const redrawMs = 200;
/** In fewer rows the status would take too many of them. */
const leastRows = 5;

/** `run --live`: one row of a terminal that says how much memory is used and left. null: stderr is no terminal, or a small one. */
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
      // However the recorder ends, the terminal gets its last row back.
      process.on('exit', () => {
        if (opened) write(liveRow.close(rows));
      });
    },
    onSample: (event) => {
      const figures = figuresOf(event);
      if (figures === null || event.atMs - drawnAtMs < redrawMs) return;
      drawnAtMs = event.atMs;
      const { columns, unicode } = terminalOptions(stream, process.env);
      write(liveRow.draw(rows, liveStatus(figures, { columns: columns - 1, unicode })));
    },
    ended: () => {
      write(liveRow.close(rows));
      opened = false;
    },
  };
}

/** null: no process is there to speak of. */
function figuresOf({ processes, nearest, growthBytesPerSecond }: SampleEvent): LiveFigures | null {
  const [first] = processes;
  if (first === undefined) return null;
  return {
    name: first.name,
    processes: processes.length,
    rssBytes: processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    growthBytesPerSecond,
    limitBytes: nearest?.limitBytes ?? null,
    headroomBytes: nearest?.freeBytes ?? null,
  };
}
