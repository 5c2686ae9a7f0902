import type { CoreFile } from '../elf/index.ts';
import { readCoreFile, readCoreStream } from './core-file.ts';
import type { HeapSnapshot } from '../model/evidence.ts';
import type { Gathered } from '../model/gathered.ts';
import type { Thread } from '../model/report.ts';
import type { BinaryPlaces } from '../python/process/binary-places.ts';
import { snapshotCore } from '../python/heap-snapshot.ts';

/** A core file straight from disk, compressed or not, with its Python stacks and who held its memory where it was a Python. */
export async function gatherCore(
  path: string,
  name: string,
  places: BinaryPlaces = {},
): Promise<Gathered> {
  const python = pythonInCore(name);
  const { evidence, source } = await readCoreFile(path, name, { ...python, places });
  return { evidence: [...evidence, ...python.snapshots], sources: [source] };
}

/** A core that comes through a pipe. */
export async function gatherCoreStream(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  places: BinaryPlaces = {},
): Promise<Gathered> {
  const python = pythonInCore(name);
  const { evidence, source } = await readCoreStream(chunks, name, { ...python, places });
  return { evidence: [...evidence, ...python.snapshots], sources: [source] };
}

/** Nothing waits for the process any more, but a person does. */
const snapshotBudgetMs = 10_000;

interface PythonInCore {
  readonly pythonStacks: (core: CoreFile) => readonly Thread[];
  readonly snapshots: HeapSnapshot[];
}

function pythonInCore(name: string): PythonInCore {
  const snapshots: HeapSnapshot[] = [];
  return {
    snapshots,
    // What stands in a core is anybody's: a reader that stumbles over it must not hide what the core itself tells.
    pythonStacks: (core) => {
      let stacks: readonly Thread[] = [];
      try {
        const picture = snapshotCore(core, {
          budgetMs: snapshotBudgetMs,
          quick: true,
          onStep: (_, { threads = [] }) => {
            stacks = threads;
          },
        });
        // When the core was written is not when it is read.
        const { lookedAt: _, threads: __, ...memory } = picture ?? {};
        if (picture !== null && core.process !== null)
          snapshots.push({
            kind: 'heap-snapshot',
            origin: { source: 'core-heap', place: name },
            pid: core.process.pid,
            name: core.process.name,
            picture: memory,
          });
      } catch {
        // The stacks that were read before stay.
      }
      return stacks;
    },
  };
}
