import { nameWithPid } from '../../model/name-with-pid.ts';
import type { KernelRefusal } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { ofPid } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { common, isStackOverflow, refusalsBefore, requestOf } from '../shared/kernel-crashes.ts';
import { remedy } from '../shared/remedies.ts';

/** Refused allocations without a crash: an exception, an exit, or handled. */
export const kernelRefusal = defineRule({
  id: 'kernel-refusal',
  title: 'The kernel refused memory to a process',
  needs: ['kernel-refusal'],
  uses: ['kernel-segfault', 'process-exit'],
  judge: (facts) => {
    const crashed = new Set(
      facts['kernel-segfault'].flatMap((crash) =>
        isStackOverflow(crash) ? [] : refusalsBefore(crash, facts['kernel-refusal']),
      ),
    );
    const groups: KernelRefusal[][] = [];
    const groupsOf = new Map<number, KernelRefusal[][]>();
    for (const refusal of facts['kernel-refusal']) {
      if (crashed.has(refusal)) continue;
      // Where its parent has told how it ended, the rules about recordings know whether it died of it.
      const [exit] = ofPid(refusal.pid, facts['process-exit']);
      if (exit !== undefined && (exit.signal !== null || exit.exitCode === 0)) continue;
      const alike = groupsOf.get(refusal.pid) ?? [];
      groupsOf.set(refusal.pid, alike);
      const group = alike.find(([first]) => first !== undefined && sameProcess(first, refusal));
      if (group !== undefined) {
        group.push(refusal);
        continue;
      }
      const own = [refusal];
      groups.push(own);
      alike.push(own);
    }
    return groups.map((group): Finding => {
      const first = group[0] as KernelRefusal;
      const asked = requestOf(group);
      const byRlimit = first.reporter === 'rlimit-data';
      return {
        ...common(first),
        cause: byRlimit ? 'rlimit' : 'alloc-failure-exception',
        variant: byRlimit ? 'data' : 'overcommit',
        death: 'obvious',
        confidence: 'likely',
        headline: byRlimit
          ? `${nameWithPid(first)} reached its data limit${first.limitBytes === undefined ? '' : ` of ${formatBytes(first.limitBytes)}`}`
          : `The kernel refused ${asked === null ? 'memory' : formatBytes(asked)} to ${nameWithPid(first)}`,
        because: group
          .slice(0, 3)
          .map((refusal) =>
            reason(
              refusal,
              byRlimit
                ? 'its data segment would have grown beyond RLIMIT_DATA (the kernel says so once a boot)'
                : 'the kernel refused the allocation: more than memory and swap could ever hold, or beyond the commit limit',
            ),
          ),
        unknown: [
          {
            id: 'whether-it-died-of-it',
            what: 'Whether the process died of it',
            why: 'a refused allocation can be handled; this log shows no crash of the process',
            command: null,
          },
        ],
        limit: byRlimit
          ? { owner: 'rlimit', path: 'RLIMIT_DATA', bytes: first.limitBytes ?? null }
          : { owner: 'overcommit', bytes: null },
        request: { bytes: byRlimit ? null : asked },
        trigger: { pid: first.pid, name: first.name },
        remedies: [remedy('ask-for-less-at-once', asked, 'kernel')],
      };
    });
  },
});

const sameProcess = (a: KernelRefusal, b: KernelRefusal): boolean => {
  if (a.pid !== b.pid || a.name !== b.name || a.reporter !== b.reporter) return false;
  const first = a.when?.uptimeSeconds;
  const second = b.when?.uptimeSeconds;
  return first === undefined || second === undefined || Math.abs(first - second) < 60;
};
