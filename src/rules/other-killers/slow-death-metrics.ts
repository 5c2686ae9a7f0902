import { defined } from '../../model/defined.ts';
import type { MetricsWindow, StatedLimit } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { subjectOf } from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';

export const slowDeathMetrics = defineRule({
  id: 'slow-death-metrics',
  title: 'Figures show that it waited for memory instead of working',
  needs: ['metrics'],
  uses: ['stated-limit', 'killer-record', 'kernel-oom-kill', 'kernel-oom-without-kill', 'stall'],
  judge: (facts) => {
    const thrashing = facts.metrics.filter(({ reading }) => reading === 'thrashing');
    // A kill ends the stall and is the verdict; a recorded stall knows more than pasted figures.
    const killed = facts['killer-record'].some(({ death }) => death !== 'slow');
    if (
      thrashing.length === 0 ||
      killed ||
      facts['kernel-oom-kill'].length +
        facts['kernel-oom-without-kill'].length +
        facts.stall.length >
        0
    )
      return [];
    return [
      judge(thrashing as [MetricsWindow, ...MetricsWindow[]], facts.metrics, facts['stated-limit']),
    ];
  },
});

function judge(
  thrashing: readonly [MetricsWindow, ...MetricsWindow[]],
  all: readonly MetricsWindow[],
  limits: readonly StatedLimit[],
): Finding {
  const [worst] = [...thrashing].sort(
    (a, b) => (b.psiMemoryFullAvg10 ?? 0) - (a.psiMemoryFullAvg10 ?? 0),
  );
  const supporting = all.filter(({ reading }) => reading === 'full' || reading === 'high');
  const limitBytes = all.find((one) => one.limitBytes !== undefined)?.limitBytes;
  const high = limits.find((one) => one.of === 'high');
  const throttled =
    high !== undefined ||
    /MemoryHigh|memory\.high/.test(thrashing.map(({ origin }) => origin.quote ?? '').join(' '));
  const disabled = thrashing.some(({ tool }) => tool === 'memory.oom_control');
  const variant = disabled
    ? 'oom-killer-disabled'
    : throttled
      ? 'memory-high-throttle'
      : worst!.swapInPagesPerSecond === undefined
        ? 'memory-stall'
        : 'swap';
  const tools = new Set([...thrashing, ...supporting].map(({ tool }) => tool));
  const limit =
    limitBytes === undefined ? high?.limit : { owner: 'cgroup' as const, bytes: limitBytes };
  return {
    subject: subjectOf(worst!),
    cause: 'swap-thrash',
    death: 'slow',
    variant,
    confidence: thrashing.length + supporting.length > 1 && tools.size > 1 ? 'strong' : 'likely',
    headline: `It was alive but waited for memory instead of working: ${worst!.message}${limit === undefined ? '' : ` (limit ${formatBytes(limit.bytes!)})`}`,
    because: [...thrashing.slice(0, 4), ...supporting.slice(0, 3)].map((one) =>
      reason(one, one.message),
    ),
    ...defined({ limit }),
    unknown: [
      {
        id: 'which-process-held',
        what: 'Which process held the memory',
        why: 'the figures are of a whole cgroup or machine',
        command: 'ps -eo pid,rss,maj_flt,stat,comm --sort=-rss | head',
      },
    ],
    remedies: [remedy(throttled ? 'raise-unit-memory-high' : 'use-less-than-fits')],
  };
}
