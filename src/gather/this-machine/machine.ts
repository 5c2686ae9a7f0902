import type { Ask, Listen } from '../../machine/ask.ts';
import type { MachineRoots } from '../../machine/roots.ts';
import type { Gathered, Wanted } from '../../model/gathered.ts';

/** This machine as its collectors see it. */
export interface Machine {
  readonly roots: MachineRoots;
  readonly wanted: Wanted;
  readonly ask: Ask;
  readonly listen: Listen;
  /** Reads one log, core or report whatever its compression. */
  readonly readFile: (path: string, name: string) => Promise<Gathered>;
  readonly readStream: (chunks: AsyncIterable<Uint8Array>, name: string) => Promise<Gathered>;
  /** Now, and the same moment on the clock of the kernel log; null where the two cannot be compared (after a suspend). */
  readonly clock: () => { readonly nowMs: number; readonly uptimeSeconds: number } | null;
  readonly onProgress?: (what: string) => void;
}
