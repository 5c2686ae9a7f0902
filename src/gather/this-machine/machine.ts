import type { Evidence } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import type { Ask, Listen } from '../../machine/ask.ts';

/** Where this machine keeps what is asked for; a test has its own tree. */
export interface MachineRoots {
  readonly proc: string;
  readonly sys: string;
  /** The kernel's ring. */
  readonly kmsg: string;
  readonly varLog: string;
  readonly varCrash: string;
  readonly systemdCoredumps: string;
  readonly systemdPstore: string;
  /** Where a relative core_pattern would have put cores of programs started here. */
  readonly workingFolder: string;
}

export const machineRoots: MachineRoots = {
  proc: '/proc',
  sys: '/sys',
  kmsg: '/dev/kmsg',
  varLog: '/var/log',
  varCrash: '/var/crash',
  systemdCoredumps: '/var/lib/systemd/coredump',
  systemdPstore: '/var/lib/systemd/pstore',
  workingFolder: process.cwd(),
};

/** What the user wants to know about: sources that cannot hold it are not read. */
export interface Wanted {
  readonly since?: Date;
  readonly until?: Date;
  readonly pid?: number;
  readonly name?: string;
  /** As `journalctl -b` takes it: `0`, `-1`, a boot id. */
  readonly boot?: string;
}

export interface Part {
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
}

export interface Machine {
  readonly roots: MachineRoots;
  readonly wanted: Wanted;
  readonly ask: Ask;
  readonly listen: Listen;
  /** Reads one log, core or report whatever its compression. */
  readonly readFile: (path: string, name: string) => Promise<Part>;
  readonly readStream: (chunks: AsyncIterable<Uint8Array>, name: string) => Promise<Part>;
  /** Now, and the same moment on the clock of the kernel log; null where the two cannot be compared (after a suspend). */
  readonly clock: () => { readonly nowMs: number; readonly uptimeSeconds: number } | null;
  readonly onProgress?: (what: string) => void;
}
