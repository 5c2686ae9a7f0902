import { containedLater } from '../../model/faults.ts';
import { gatherCgroupCounters } from './cgroup-counters.ts';
import { gatherContainers } from './containers.ts';
import { gatherCoredumps } from './coredumps.ts';
import type { Machine } from './machine.ts';
import { mergeGathered, type Gathered } from '../../model/gathered.ts';
import { gatherJournal } from './journal.ts';
import { gatherKernelRing } from './kernel-ring.ts';
import { gatherPstore } from './pstore.ts';
import { gatherVarLog } from './var-log.ts';

/** Everything that this machine can still tell. Every source that was asked is in `sources`, whatever became of it. */
export async function gatherThisMachine(machine: Machine): Promise<Gathered> {
  const steps: readonly [string, (machine: Machine) => Promise<Gathered>][] = [
    ['the kernel log', gatherKernelRing],
    ['the journal', gatherJournal],
    ['the logs in /var/log', gatherVarLog],
    ['core files', gatherCoredumps],
    ['crash records', gatherPstore],
    ['containers', gatherContainers],
    ['cgroup counters', gatherCgroupCounters],
  ];
  const parts: Gathered[] = [];
  for (const [what, gather] of steps) {
    machine.onProgress?.(what);
    // One source that fails in a way nobody thought of must not take the others with it.
    parts.push(
      await containedLater(
        what,
        () => gather(machine),
        ({ says }) => ({
          evidence: [],
          sources: [
            { id: what.replace(/^the /, ''), place: what, status: 'malformed', detail: says },
          ],
        }),
      ),
    );
  }
  return mergeGathered(parts);
}
