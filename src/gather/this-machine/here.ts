import { uptime } from 'node:os';
import { ask, listen } from '../../machine/ask.ts';
import { gatherChunks, gatherUnreadable } from '../text.ts';
import { machineRoots, type Part, type Wanted } from './machine.ts';
import { openInput } from '../input.ts';
import { gatherThisMachine as gather } from './this-machine.ts';
import type { Gathered } from '../../model/gathered.ts';
import { gatherCore } from '../python-in-core.ts';
import { progressLine } from '../../cli/progress-line.ts';

/** This machine's logs, cores and counters; on a terminal with a line that says what is being read. */
export async function gatherThisMachine(wanted: Wanted): Promise<Gathered> {
  const progress = progressLine(process.stderr);
  try {
    return await gather({
      roots: machineRoots,
      wanted,
      ask,
      listen,
      clock,
      readStream: (chunks, name) =>
        gatherChunks(chunks, name, {
          onProgress: (bytes) => progress.show(`${name} (${Math.round(bytes / 2 ** 20)} MiB)`),
        }),
      readFile,
      onProgress: progress.show,
    });
  } finally {
    progress.clear();
  }
}

async function readFile(path: string, name: string): Promise<Part> {
  const opened = await openInput(path);
  switch (opened.kind) {
    case 'bytes':
      return gatherChunks(opened.chunks, name);
    case 'core':
      return gatherCore(opened.path, name);
    case 'unreadable':
      return gatherUnreadable(opened, name);
    case 'core-stream':
    case 'folder':
    case 'incident-folder':
      return { evidence: [], sources: [] };
  }
}

/** hrtime is CLOCK_MONOTONIC, the kernel log's clock to a few parts per million; uptime counts suspended time too. */
function clock(): { readonly nowMs: number; readonly uptimeSeconds: number } | null {
  const uptimeSeconds = Number(process.hrtime.bigint() / 1_000_000n) / 1000;
  return Math.abs(uptime() - uptimeSeconds) > 2 ? null : { nowMs: Date.now(), uptimeSeconds };
}
