import type { MachineFreeze } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { subjectWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { Reason } from '../../model/report.ts';
import { formatBytes, formatDuration } from '../../model/units.ts';
import { percent } from '../../model/words.ts';
import { ofPid } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { peakOf } from '../shared/recorded.ts';
import { remedy } from '../shared/remedies.ts';

/**
 * The machine that stands still: its programs' own code is thrown out of memory and read again, the kernel's killer does not act, and
 * the recorder is stopped with everybody else. What it leaves is a recording without an end.
 */
export const machineFreeze = defineRule({
  id: 'machine-freeze',
  title: 'The machine had nothing left when the recording broke off',
  needs: ['machine-freeze'],
  uses: ['process-limits', 'kernel-oom-kill'],
  judge: (facts) => {
    const [freeze] = facts['machine-freeze'];
    const { largest, totalBytes, swapBytes } = freeze;
    // A kill that ended it is the surer verdict; the shortage is how it came to it.
    const isKilled = facts['kernel-oom-kill'].length > 0;
    const held = ofPid(largest?.pid ?? null, facts['process-limits'])[0];
    const whoHeld =
      largest === undefined
        ? ''
        : `: ${subjectWithPid(largest, 'the command')} held ${formatBytes(largest.heldBytes)} of ${formatBytes(totalBytes)}`;
    const finding: Finding = {
      subject: {
        ...defined({ pid: largest?.pid, name: largest?.name, when: freeze.when }),
        position: freeze.origin.line ?? 0,
      },
      cause: 'swap-thrash',
      death: 'slow',
      outOfMemory: true,
      variant: swapBytes === 0 ? 'machine-freeze-without-swap' : 'machine-freeze-swap-full',
      confidence: isKilled || freeze.psiSome === undefined ? 'likely' : 'strong',
      headline: `The machine had no memory left when the recording broke off${whoHeld}`,
      because: reasons(freeze),
      limit: { owner: 'host', bytes: totalBytes },
      ...(largest === undefined ? {} : { victim: { pid: largest.pid, name: largest.name } }),
      unknown: [
        {
          id: 'how-it-ended',
          what: 'how it ended',
          why: `nothing was recorded after ${formatDuration(freeze.lastSampleMs)}: a machine that stands still stops the recorder too, and so do a reset, a power cut and a SIGKILL`,
          command: 'last -x reboot; journalctl -b -1 -e',
        },
      ],
      memory: peakOf(held),
      remedies: [remedy('limit-below-machine'), remedy('guard-the-machine')],
    };
    return [finding];
  },
});

function reasons(freeze: MachineFreeze): readonly Reason[] {
  const { availableBytes, totalBytes, shortForMs, psiSome, psiFull, swapBytes, largest } = freeze;
  const facts = [
    `${formatBytes(availableBytes)} of ${formatBytes(totalBytes)} were available at the last sample, and less than a twentieth for ${formatDuration(shortForMs)} before it`,
    ...(psiSome === undefined
      ? []
      : [
          `in its last second something waited for memory ${percent(psiSome)} of the time, and nothing could run ${percent(psiFull ?? 0)} of it`,
        ]),
    swapBytes === 0
      ? 'there was no swap to turn to'
      : `${formatBytes(swapBytes)} of swap were full`,
    ...(largest === undefined || largest.growthBytesPerSecond <= 0
      ? []
      : [
          `${subjectWithPid(largest, 'the command')} grew by ${formatBytes(largest.growthBytesPerSecond)} a second`,
        ]),
    `the samples came up to ${formatDuration(freeze.longestGapMs)} apart, then none came: the recording has no end`,
  ];
  return facts.map((says) => reason(freeze, says));
}
