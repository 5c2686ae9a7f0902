/** systemd-oomd: its own journal and what systemd says of the units that it killed, v247 to v258, also retyped and shortened with `…`. */
import type { KillerRecord } from '../../model/evidence.ts';
import { lineAt, type Found } from '../text/lines.ts';
import { killerParser, type KillerWording } from '../text/killers.ts';
import { integer } from '../text/sizes.ts';

const oomd = { cause: 'userspace-oom-daemon', reporter: 'systemd-oomd', owner: 'daemon' } as const;

const wordings: readonly KillerWording[] = [
  {
    ...oomd,
    literal: 'due to memory used',
    variant: 'swap',
    pattern:
      /(?:Killed|Marked) (?<subject>\S{1,500}) (?:for killing )?due to memory used \(\d{1,18}\) \/ total \(\d{1,18}\) and swap used \(\d{1,18}\) \/ total \(\d{1,18}\) being more than [\d.]{1,8}%/,
    message: 'systemd-oomd killed the cgroup because swap was nearly full',
  },
  {
    ...oomd,
    literal: 'due to swap used',
    variant: 'swap',
    pattern:
      /Killed (?<subject>\S{1,500}) due to swap used \(\d{1,18}\) \/ total \(\d{1,18}\) being more than/,
    message: 'systemd-oomd killed the cgroup because swap was nearly full',
  },
  {
    ...oomd,
    literal: 'due to memory pressure',
    variant: 'pressure',
    pattern:
      /(?:Killed|Marked) (?<subject>\S{1,500}) (?:for killing )?due to memory pressure for (?:\S{1,500}) being (?<code>[\d.]{1,20})% > [\d.]{1,8}% for > .{1,20}? with reclaim activity/,
    message: 'systemd-oomd killed the cgroup because its tasks did little but wait for memory',
    refine: ({ groups }, { exitCode: _ignored, ...record }) =>
      // Above 100 % is impossible: seen with a kernel bug in 6.0-rc (PSI averages overflow).
      Number(groups['code']) > 100
        ? {
            ...record,
            variant: 'impossible-pressure',
            message: `systemd-oomd killed the cgroup for a memory pressure of ${groups['code']} %, which cannot be: a fault of the kernel's figures, perhaps no shortage at all`,
          }
        : record,
  },
  {
    ...oomd,
    literal: 'systemd-oomd killed',
    pattern:
      /(?:(?<![^\s:])(?<subject>[^\s:]{1,300}): )?systemd-oomd killed (?<code>\d{1,9}) process\(es\) in this unit/,
    message: 'systemd tells that systemd-oomd killed the processes of the unit',
    refine: unitOf,
  },
  {
    ...oomd,
    literal: 'systemd-oomd killed some process',
    pattern:
      /(?:(?<![^\s:])(?<subject>[^\s:]{1,300}): )?systemd-oomd killed some process\(es\) in this unit/,
    message: 'systemd tells that systemd-oomd killed processes of the unit',
  },
  // v247 and the debug log: the decision and the pids, without the final line
  {
    ...oomd,
    literal: 'oomd attempting to kill',
    pattern: /oomd attempting to kill (?<pid>\d{1,9}) with KILL/,
    message: 'systemd-oomd tells which process it kills',
    refine: ofUnit,
  },
  {
    ...oomd,
    literal: 'emory pressure for ',
    variant: 'pressure',
    pattern:
      /Memory pressure for (?<subject>\S{1,500}) is (?:greater than|[\d.]{1,20}% > )\s?[\d.]{1,8}%? for (?:more than|>) .{1,20}?(?:and there was|with) reclaim activity/,
    message: 'systemd-oomd saw tasks do little but wait for memory and killed below the cgroup',
  },
  {
    ...oomd,
    literal: 'wap used ',
    variant: 'swap',
    pattern: /Swap used \(\d{1,18}\) \/ total \(\d{1,18}\) is more than [\d.]{1,8}%/,
    message: 'systemd-oomd saw swap nearly full and killed',
  },
];

/** So many processes of one unit may be told one after the other. */
const mostTold = 60;

/** The unit that a process was killed with is named after them all, or before them. */
function ofUnit({ input, index }: Found, record: KillerRecord): KillerRecord {
  for (const step of [1, -1])
    for (let at = index + step; Math.abs(at - index) <= mostTold; at += step) {
      const text = lineAt(input, at);
      if (!text.includes('oomd')) break;
      const unit = /(?:Killed|Marked) (\S{1,500}) (?:for killing )?due to/.exec(text);
      if (unit !== null) return { ...record, subject: unit[1]! };
    }
  return record;
}

function unitOf(_: unknown, { exitCode, ...record }: KillerRecord): KillerRecord {
  return {
    ...record,
    message: `${record.message}${integer(String(exitCode)) === undefined ? '' : `: ${exitCode}`}`,
  };
}

export const systemdOomd = killerParser(
  'systemd-oomd',
  'systemd-oomd: cgroups killed for swap or memory pressure',
  wordings,
);
