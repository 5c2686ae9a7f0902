import { subjectWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { KernelOomKill, Stall } from '../../model/evidence.ts';
import type { Advice, Finding } from '../../model/finding.ts';
import type { Reason } from '../../model/report.ts';
import { formatBytes, formatDuration } from '../../model/units.ts';
import { killsOf, ofPid } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { levelsOf, peakOf } from '../shared/recorded.ts';
import { remedy } from '../shared/remedies.ts';

/** Slow death as it was recorded: the stall watch has judged the figures, the verdict puts them in words. */
export const swapThrash = defineRule({
  id: 'swap-thrash',
  title: 'It waited for memory instead of working',
  needs: ['stall'],
  uses: ['process-exit', 'cgroup-counters', 'kernel-oom-kill'],
  judge: (facts) =>
    longest(facts.stall).map((stall): Finding => {
      const [exit] = ofPid(stall.pid, facts['process-exit']);
      const killed = exit !== undefined && killsOf(exit, facts['kernel-oom-kill']).length > 0;
      // The shortage of a cgroup ends with the kill of any of its processes: that death is what it came to.
      const ending = killed
        ? undefined
        : facts['kernel-oom-kill'].find((kill) => ends(kill, stall));
      const pid = ending?.victim.pid ?? stall.pid;
      const who = subjectWithPid(stall, 'The command');
      const slower =
        stall.slowdown === undefined ? '' : `, about ${Math.round(stall.slowdown)} times slower`;
      const levels = exit === undefined ? [] : levelsOf(exit, facts['cgroup-counters']);
      const limited = levels.find(({ limitBytes }) => limitBytes !== null);
      const limit =
        stall.limit ??
        (limited === undefined
          ? undefined
          : ({ owner: 'cgroup', path: limited.path, bytes: limited.limitBytes } as const));
      const below = limit?.bytes == null ? '' : ` in ${formatBytes(limit.bytes)}`;
      return {
        subject: {
          ...(pid === null ? {} : { pid }),
          ...(stall.name === undefined || pid !== stall.pid ? {} : { name: stall.name }),
          ...defined({ cgroup: stall.cgroup, when: stall.when }),
          position: stall.origin.line ?? 0,
        },
        cause: stall.how === 'livelock' ? 'rlimit' : 'swap-thrash',
        death: 'slow',
        outOfMemory: true,
        variant: variants[stall.how],
        // A kill that ended it is the surer verdict; the stall is how it came to it.
        confidence: killed || ending !== undefined ? 'likely' : 'strong',
        headline: `${who} ${words[stall.how]}${below} for ${formatDuration(stall.durationMs)}${slower}`,
        because: reasons(stall),
        ...defined({ limit }),
        victim: {
          ...(stall.pid === null ? {} : { pid: stall.pid }),
          ...defined({ name: stall.name, swapBytes: stall.swapBytes, cgroup: stall.cgroup }),
        },
        memory: peakOf(exit),
        remedies: remedies[stall.how],
      };
    }),
});

const endsWithinSeconds = 5;

/** Whether a stall was over with this kill in the same cgroup, give or take a few seconds of freeing the memory. */
function ends({ taskMemcg, victim, when }: KernelOomKill, stall: Stall): boolean {
  const begun = stall.when?.uptimeSeconds;
  const at = when?.uptimeSeconds;
  if (victim.pid === undefined || taskMemcg === undefined || taskMemcg !== stall.cgroup)
    return false;
  if (begun === undefined || at === undefined || at < begun) return false;
  return Math.abs(at - (begun + stall.durationMs / 1000)) < endsWithinSeconds;
}

/** One incident a process: its longest stall, with what all of them took. */
function longest(stalls: readonly Stall[]): readonly Stall[] {
  const best = new Map<number | null, Stall>();
  for (const stall of stalls) {
    const known = best.get(stall.pid);
    if (known === undefined) best.set(stall.pid, stall);
    else {
      const longer = stall.durationMs > known.durationMs ? stall : known;
      best.set(stall.pid, { ...longer, durationMs: known.durationMs + stall.durationMs });
    }
  }
  return [...best.values()];
}

const variants = {
  swap: 'swap',
  'file-refaults': 'file-thrash',
  'memory-high': 'memory-high-throttle',
  reclaim: 'reclaim',
  'oom-disabled': 'oom-kill-disabled',
  livelock: 'livelock',
} as const satisfies Record<Stall['how'], string>;

const words = {
  swap: 'swapped instead of working',
  'file-refaults': 'read the same file pages again and again',
  'memory-high': 'was throttled at its memory.high',
  reclaim: 'waited for memory to be freed',
  'oom-disabled': 'hung at its limit, with the OOM killer disabled,',
  livelock: 'spun without getting memory',
} as const satisfies Record<Stall['how'], string>;

function reasons(stall: Stall): readonly Reason[] {
  const perSecond = (value: number) => `${Math.round(value).toLocaleString('en-US')} a second`;
  const facts: string[] = [];
  if (stall.swapBytes !== undefined && stall.swapBytes > 0)
    facts.push(`${formatBytes(stall.swapBytes)} of it lay in swap`);
  if (stall.refaultsPerSecond !== undefined && stall.refaultsPerSecond > 0)
    facts.push(
      `pages came back soon after they had been thrown out: ${perSecond(stall.refaultsPerSecond)}`,
    );
  if (stall.majorFaultsPerSecond !== undefined && stall.majorFaultsPerSecond > 0)
    facts.push(`it waited for pages from disk: ${perSecond(stall.majorFaultsPerSecond)}`);
  if (stall.psiFull !== undefined && stall.psiFull > 0)
    facts.push(
      `nothing in its cgroup could run for ${Math.round(stall.psiFull * 100)} % of the time`,
    );
  if (stall.how === 'livelock')
    facts.push(
      'its address space was full to the last MiB, and it spent most of its time in the kernel asking again',
    );
  if (stall.how === 'oom-disabled')
    facts.push('memory.oom_control said under_oom 1 with oom_kill_disable 1');
  if (stall.slowdown !== undefined)
    facts.push(`it computed about ${stall.slowdown} times less per second than it could`);
  return facts.map((says) => reason(stall, says));
}

const remedies: Readonly<Record<Stall['how'], readonly Advice[]>> = {
  swap: [remedy('fit-or-smaller-working-set'), remedy('fail-early')],
  'file-refaults': [remedy('room-for-files')],
  'memory-high': [remedy('raise-memory-high')],
  reclaim: [remedy('more-memory-for-reclaim')],
  'oom-disabled': [remedy('let-the-killer-act')],
  livelock: [remedy('avoid-livelock')],
};
