import type { CoreFile } from '../elf/index.ts';
import { readCoreFile, readCoreStream } from '../machine/core-file.ts';
import type { Gathered } from '../model/gathered.ts';
import type { Thread } from '../model/report.ts';
import { stacksOfCore } from '../python/look.ts';

/** A core file straight from disk, compressed or not, with its Python stacks where it was a Python. */
export async function gatherCore(path: string, name: string): Promise<Gathered> {
  const { evidence, source } = await readCoreFile(path, name, { pythonStacks });
  return { evidence, sources: [source] };
}

/** A core that comes through a pipe. */
export async function gatherCoreStream(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): Promise<Gathered> {
  const { evidence, source } = await readCoreStream(chunks, name, { pythonStacks });
  return { evidence, sources: [source] };
}

/** What stands in a core is anybody's: a reader that stumbles over it must not hide what the core itself tells. */
function pythonStacks(core: CoreFile): readonly Thread[] {
  try {
    return stacksOfCore(core);
  } catch {
    return [];
  }
}
