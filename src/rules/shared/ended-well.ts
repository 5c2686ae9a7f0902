import { atMost } from '../../model/confidence.ts';
import type { ProcessExit, ProgramAbort, ProgramError } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { ofPid } from './by-pid.ts';

/** Whether the process is known to have exited with 0: then it did not die, whatever it was refused. */
export const endedWell = (pid: number | undefined, exits: readonly ProcessExit[]): boolean =>
  ofPid(pid, exits).some(({ exitCode }) => exitCode === 0);

/** Whether the command of the run exited with 0. */
export const commandEndedWell = (exits: readonly ProcessExit[]): boolean =>
  exits.some(({ role, exitCode }) => role === 'command' && exitCode === 0);

/**
 * Words on the stderr of a command that ended well, and of which process they are is not known: whether that one died of it cannot be
 * told. Other findings are given back as they are.
 */
export function withUnknownFate(
  finding: Finding,
  { pid, origin }: ProgramError | ProgramAbort,
  exits: readonly ProcessExit[],
): Finding {
  if (pid !== undefined || origin.ofRun !== true || !commandEndedWell(exits)) return finding;
  return {
    ...finding,
    outOfMemory: null,
    confidence: atMost(finding.confidence, 'likely'),
    unknown: [
      {
        id: 'whether-a-process-died',
        what: 'Whether a process died of it, and which',
        why: 'the command exited with status 0, and the words name no process',
        command: null,
      },
      ...(finding.unknown ?? []),
    ],
  };
}
