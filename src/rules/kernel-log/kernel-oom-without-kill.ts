import { nameWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { KernelOomWithoutKill } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import type { Reason } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { at, causeOf, culpritOf, limitOf, remediesFor } from '../shared/kernel-facts.ts';

/** The OOM killer ran and the text does not tell whom it killed, or it killed nobody (a panic, nobody left to kill, cut reports). */
export const kernelOomWithoutKill = defineRule({
  id: 'kernel-oom-without-kill',
  title: 'The OOM killer ran; no kill line names a victim',
  needs: ['kernel-oom-without-kill'],
  uses: ['kernel-oom-kill'],
  judge: (facts) => {
    // A report that only tells again what a kill had brought about.
    const kills = facts['kernel-oom-kill'];
    return facts['kernel-oom-without-kill']
      .filter(
        (record) =>
          !(
            record.why === 'already-exiting' &&
            kills.some((kill) => isNear(record, kill.origin.line))
          ),
      )
      .map(judge);
  },
});

const isNear = ({ origin }: KernelOomWithoutKill, line = -1e9): boolean =>
  Math.abs((origin.line ?? 0) - line) < 200;

function judge(record: KernelOomWithoutKill): Finding {
  const { report, oomMemcg } = record;
  const lines = report?.lines ?? {};
  const limit = limitOf(record.constraint, report, oomMemcg);
  const trigger = report?.trigger ?? null;
  const because: Reason[] = [reason(record, saying(record))];
  if (
    lines.usage !== undefined &&
    report?.usageBytes !== undefined &&
    lines.usage.quote !== record.origin.quote
  )
    because.push(
      at(
        lines.usage,
        `the cgroup used ${formatBytes(report.usageBytes)}${report.limitBytes == null ? '' : ` of ${formatBytes(report.limitBytes)}`}`,
      ),
    );
  if (lines.choice !== undefined && lines.choice.quote !== record.origin.quote)
    because.push(at(lines.choice, saying(record)));
  return {
    subject: {
      ...defined({ cgroup: oomMemcg, when: record.when }),
      position: record.origin.line ?? 0,
    },
    cause: causeOf(record.constraint),
    ...(isCut(record) ? {} : { variant: record.why }),
    confidence:
      isCut(record) && lines.limitOf === undefined && lines.usage === undefined
        ? 'likely'
        : 'strong',
    headline: headline(record),
    because,
    unknown: isCut(record)
      ? [
          {
            id: 'which-process-was-killed',
            what: 'Which process was killed',
            why: 'the text ends before the line that names it, or begins behind it',
            command: 'sudo dmesg -T | grep -E "Killed process|oom-kill:"',
          },
        ]
      : [],
    remedies: remediesFor({ victim: {}, constraint: record.constraint }, report, null),
    trigger,
    culprit: culpritOf({}, report),
    killer: { name: 'kernel' },
    limit,
    ...(report !== null && report.tasks.length > 0 ? { tasks: report.tasks } : {}),
  };
}

/** Whom it killed stood in a part that is not here. */
const isCut = ({ why }: KernelOomWithoutKill): boolean =>
  why === 'no-kill-line' || why === 'figures-alone';

function headline(record: KernelOomWithoutKill): string {
  const { oomMemcg, report } = record;
  const place =
    record.constraint === 'memcg'
      ? `in cgroup ${oomMemcg ?? '(not named)'}${report?.limitBytes == null ? '' : ` at its ${formatBytes(report.limitBytes)} limit`}`
      : record.constraint === null && report?.hostBytes === undefined
        ? '(for the whole machine or a cgroup: the part that tells is cut off)'
        : 'on the whole machine';
  const caller = report?.trigger == null ? '' : `, called by ${nameWithPid(report.trigger)}`;
  switch (record.why) {
    case 'panic':
      return 'The kernel panicked because it was out of memory (panic_on_oom)';
    case 'deadlock':
    case 'no-killable-process':
      return `The kernel ran out of memory ${place} and found no process to kill`;
    case 'already-exiting':
      return `The OOM killer ran ${place}${caller}; its victim was already exiting`;
    case 'no-kill-line':
      return `The OOM killer ran ${place}${caller}; whom it killed is not in this text`;
    case 'figures-alone':
      return 'The whole machine was out of memory when the kernel printed this account, as it does when the OOM killer runs; whom it killed is not in this text';
  }
}

function saying(record: KernelOomWithoutKill): string {
  switch (record.why) {
    case 'panic':
      return 'the kernel stopped instead of killing a process';
    case 'deadlock':
    case 'no-killable-process':
      return 'there was no process left that may be killed';
    case 'already-exiting':
      return 'the chosen process was already on its way out';
    case 'no-kill-line':
      return "the kernel's OOM killer was at work";
    case 'figures-alone':
      return 'no memory was left that could be freed';
  }
}
