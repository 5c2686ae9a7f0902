import { nameWithPid } from '../../model/name-with-pid.ts';
import type { Finding } from '../../model/finding.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import {
  common,
  isNull,
  isStackOverflow,
  refusalsBefore,
  requestOf,
} from '../shared/kernel-crashes.ts';
import { remedy } from '../shared/remedies.ts';

/**
 * The disguised death proved by the kernel's log alone: the same process was refused
 * memory and crashed at once, on NULL or an offset from it.
 */
export const kernelAllocFailureSegfault = defineRule({
  id: 'kernel-alloc-failure-segfault',
  title: 'A refused allocation, then a segfault of the same process',
  needs: ['kernel-segfault', 'kernel-refusal'],
  judge: (facts) =>
    facts['kernel-segfault'].flatMap((crash) => {
      const refusals = refusalsBefore(crash, facts['kernel-refusal']);
      const [first] = refusals;
      if (first === undefined || isStackOverflow(crash)) return [];
      const asked = requestOf(refusals);
      const onNull = isNull(crash);
      const size = asked === null ? '' : ` of ${formatBytes(asked)}`;
      return [
        {
          ...common(crash),
          cause: 'alloc-failure-segfault',
          variant: first.reporter,
          confidence: onNull ? 'certain' : 'likely',
          headline: `${nameWithPid(crash)} crashed because an allocation${size} had failed and nobody looked`,
          because: [
            ...refusals
              .slice(0, 3)
              .map((refusal) =>
                reason(
                  refusal,
                  refusal.bytes === undefined
                    ? 'the kernel refused memory to this process'
                    : `the kernel refused ${formatBytes(refusal.bytes)} to this process`,
                ),
              ),
            reason(
              crash,
              onNull
                ? `then it used the NULL it had got: a fault at ${crash.faultAddress}`
                : `then it crashed, at ${crash.faultAddress ?? 'an address that is not told'}`,
            ),
          ],
          against: onNull
            ? []
            : [reason(crash, 'the fault address is not near NULL: it may be another bug')],
          limit:
            first.reporter === 'rlimit-data'
              ? { owner: 'rlimit', path: 'RLIMIT_DATA', bytes: first.limitBytes ?? null }
              : { owner: 'overcommit', bytes: null },
          request: { bytes: asked },
          trigger: { pid: crash.pid, name: crash.name },
          remedies: [
            remedy('check-the-allocator', false),
            remedy('ask-for-less-at-once', asked, 'kernel'),
          ],
        } satisfies Finding,
      ];
    }),
});
