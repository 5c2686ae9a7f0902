import { uptime } from 'node:os';
import { ask, listen } from '../../machine/ask.ts';
import { gatherChunks, gatherUnreadable } from '../text.ts';
import { machineRoots } from '../../machine/roots.ts';
import { openInput } from '../input.ts';
import { gatherThisMachine } from './this-machine.ts';
import { nothingGathered, type Gathered, type Wanted } from '../../model/gathered.ts';
import { gatherCore } from '../python-in-core.ts';

/** This machine's logs, cores and counters. `onProgress` is told what is being read. */
export const gatherHere = (wanted: Wanted, onProgress: (what: string) => void): Promise<Gathered> =>
  gatherThisMachine({
    roots: machineRoots,
    wanted,
    ask,
    listen,
    clock,
    readStream: (chunks, name) =>
      gatherChunks(chunks, name, {
        onProgress: (bytes) => onProgress(`${name} (${Math.round(bytes / 2 ** 20)} MiB)`),
      }),
    readFile,
    onProgress,
  });

async function readFile(path: string, name: string): Promise<Gathered> {
  const opened = await openInput(path, 'found in a folder');
  switch (opened.kind) {
    case 'bytes':
      return gatherChunks(opened.chunks, name, { writtenMs: opened.writtenMs });
    case 'core':
      return gatherCore(opened.path, name);
    case 'unreadable':
      return gatherUnreadable(opened, name);
    case 'core-stream':
    case 'folder':
    case 'incident-folder':
      return nothingGathered;
  }
}

/** hrtime is CLOCK_MONOTONIC, the kernel log's clock to a few parts per million; uptime counts suspended time too. */
function clock(): { readonly nowMs: number; readonly uptimeSeconds: number } | null {
  const uptimeSeconds = Number(process.hrtime.bigint() / 1_000_000n) / 1000;
  return Math.abs(uptime() - uptimeSeconds) > 2 ? null : { nowMs: Date.now(), uptimeSeconds };
}
