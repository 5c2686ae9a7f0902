/** The one way in: any path, or standard input, becomes evidence. */
import { containedLater, type Fault } from '../model/faults.ts';
import type { Gathered, Wanted } from '../model/gathered.ts';
import { mergeGathered } from '../model/gathered.ts';
import type { BinaryPlaces } from '../python/process/binary-places.ts';
import { openInput, openStream, type OpenedInput, type Unreadable } from './input.ts';
import { gatherChunks, gatherUnreadable } from './text.ts';

/** Called now and then with what is being read, for a line of progress. */
export type OnProgress = (what: string) => void;

/** `-` is standard input. `name` is what places in the evidence are called after. */
export async function gather(
  path: string,
  name: string,
  onProgress: OnProgress,
  places: BinaryPlaces = {},
): Promise<Gathered | Unreadable> {
  if (path === '-') return gatherStream(process.stdin, onProgress, places);
  return containedLater(
    `reading ${name}`,
    async () => {
      const opened = await openInput(path);
      return gatherOpened(opened, opened.kind === 'folder' ? path : name, onProgress, places);
    },
    faultyInput,
  );
}

/** What comes through standard input. */
export async function gatherStream(
  chunks: AsyncIterable<Uint8Array>,
  onProgress: OnProgress,
  places: BinaryPlaces = {},
): Promise<Gathered> {
  const opened = await openStream(chunks);
  // A classic syslog has no year: what comes through a pipe was written by now.
  const dated = opened.kind === 'bytes' ? { ...opened, writtenMs: Date.now() } : opened;
  const gathered = await gatherOpened(dated, 'stdin', onProgress, places);
  return isUnreadable(gathered) ? gatherUnreadable(gathered, 'stdin') : gathered;
}

/** Everything that this machine can still tell. */
export async function gatherThisMachine(wanted: Wanted, onProgress: OnProgress): Promise<Gathered> {
  const { gatherHere } = await import('./this-machine/here.ts');
  return gatherHere(wanted, onProgress);
}

async function gatherOpened(
  opened: OpenedInput,
  name: string,
  onProgress: OnProgress,
  places: BinaryPlaces,
): Promise<Gathered | Unreadable> {
  switch (opened.kind) {
    case 'bytes': {
      const of = opened.bytes === undefined ? '' : ` of ${Math.ceil(opened.bytes / 2 ** 20)}`;
      return gatherChunks(opened.chunks, name, {
        writtenMs: opened.writtenMs,
        onProgress: (bytes) => onProgress(`${name} (${Math.round(bytes / 2 ** 20)}${of} MiB)`),
      });
    }
    case 'core': {
      const { gatherCore } = await import('./python-in-core.ts');
      return gatherCore(opened.path, name, places);
    }
    case 'core-stream': {
      const { gatherCoreStream } = await import('./python-in-core.ts');
      return gatherCoreStream(opened.chunks, name, places);
    }
    case 'incident-folder': {
      const { gatherIncidentFolder } = await import('./incident-folder/gather-incident.ts');
      return gatherIncidentFolder(opened.path);
    }
    case 'folder':
      return gatherFolder(opened, name, onProgress, places);
    case 'unreadable':
      return opened;
  }
}

const faultyInput = ({ says }: Fault): Unreadable => ({
  kind: 'unreadable',
  status: 'malformed',
  why: `a fault of coroner itself: ${says}`,
});

/** Every file below a folder. One that cannot be read becomes a source that says so, and does not stop the others. */
async function gatherFolder(
  { files, leftOut }: OpenedInput & { kind: 'folder' },
  folder: string,
  onProgress: OnProgress,
  places: BinaryPlaces,
): Promise<Gathered> {
  const parts: Gathered[] = [];
  for (const file of files) {
    const name = file.slice(folder.length).replace(/^\/+/, '');
    const part = await containedLater(
      `reading ${name}`,
      async () =>
        gatherOpened(await openInput(file, 'found in a folder'), name, onProgress, places),
      faultyInput,
    );
    parts.push(isUnreadable(part) ? gatherUnreadable(part, name) : part);
  }
  if (leftOut > 0)
    parts.push({
      evidence: [],
      sources: [
        {
          id: 'text',
          place: folder,
          status: 'truncated',
          detail: `${leftOut} entries were left out (unreadable, or too many)`,
        },
      ],
    });
  return mergeGathered(parts);
}

export const isUnreadable = (result: Gathered | Unreadable): result is Unreadable =>
  'kind' in result;
