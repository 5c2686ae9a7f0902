import type { SourceSeen } from '../model/incident-folder.ts';
import type { Bytes, Ms } from '../model/units.ts';
import type { SampleEvent } from './sampler.ts';
import type { Prose } from '../model/prose.ts';

/**
 * What takes part in a run beside the recorder: the final snapshot, the agent, the Python hook, the live status. A companion may throw: the
 * recorder logs it and goes on.
 */
export interface Companion {
  /**
   * Changes the environment that the command gets. Called before the start, and only where there is an incident folder: `folder` is
   * for this process's own use, `told` is its name for the command.
   */
  readonly prepare?: (env: NodeJS.ProcessEnv, folder: string, told: string) => void;
  /** The command has just been started. */
  readonly started?: (pid: number, context: CompanionContext) => void;
  /** Called at every sample; must be quick. */
  readonly onSample?: (event: SampleEvent) => void;
  /** Asked after the command has ended: true where the run deserves a verdict although it ended well. */
  readonly notable?: () => boolean;
  /** The command has ended. The recorder waits for the promise, at most a second. */
  readonly ended?: () => Promise<void> | void;
}

export interface CompanionContext {
  /** The incident folder; null: none could be made. */
  readonly folder: string | null;
  /** What every process of the run has in its environment as CORONER_RUN. */
  readonly mark: string;
  /** Milliseconds since the start of the run. */
  readonly clock: () => Ms;
  /** Of this machine. */
  readonly pageSizeBytes: Bytes;
  /** Writes a note into the incident folder. */
  readonly note: (text: Prose, pid?: number) => void;
  /** Something that would have told more could not be read: the verdict says so, with the command that would have told. */
  readonly missed: (source: Omit<SourceSeen, 'what' | 'atMs'>) => void;
}
