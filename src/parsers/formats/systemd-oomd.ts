/** systemd-oomd: its own journal and what systemd says of the units that it killed, v247 to v258, also retyped and shortened with `…`. */
import { defined } from '../../model/defined.ts';
import type { KillerRecord, MetricsWindow } from '../../model/evidence.ts';
import type { Parser } from '../parser.ts';
import { lineAt, readPhrases, type Found, type Phrase } from '../text/lines.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
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
  // The line ends before the reason.
  {
    ...oomd,
    literal: 'systemd-oomd',
    pattern: /systemd-oomd(?:\[\d{1,9}\])?: (?:Killed|Marked) (?<subject>\/[\w@\\.:/-]{1,500})/,
    message: 'systemd-oomd killed the cgroup; the reason is cut off',
    refine: ({ match, passage }, record) =>
      /^ (?:for killing )?due to/.test(passage.slice(match.index + match[0].length))
        ? undefined
        : record,
  },
];

/** So many processes of one unit may be told one after the other. */
const mostTold = 60;

/** Why it acts, or would: what it measured is no kill, and it may find nothing that it may kill. */
const measurements: readonly Phrase<MetricsWindow>[] = [
  {
    literal: 'emory pressure for ',
    pattern:
      /Memory pressure for (?<subject>\S{1,500}) is (?:greater than |(?<percent>[\d.]{1,20})% > )\s?[\d.]{1,8}%? for (?:more than|>) .{1,20}?(?:and there was|with) reclaim activity/,
    make: ({ origin, groups }) => ({
      kind: 'metrics',
      origin,
      tool: 'systemd-oomd',
      ...defined({ subject: groups['subject'] }),
      samples: 1,
      // Above 100 % is impossible: seen with a kernel bug in 6.0-rc (PSI averages overflow).
      reading: Number(groups['percent'] ?? 0) > 100 ? 'calm' : 'thrashing',
      message: `systemd-oomd saw the tasks below ${groups['subject']} do little but wait for memory`,
    }),
  },
  {
    literal: 'wap used ',
    pattern: /Swap used \(\d{1,18}\) \/ total \(\d{1,18}\) is more than [\d.]{1,8}%/,
    make: ({ origin }) => ({
      kind: 'metrics',
      origin,
      tool: 'systemd-oomd',
      samples: 1,
      reading: 'full',
      message: 'systemd-oomd saw swap nearly full',
    }),
  },
];

/** The unit that a process was killed with is named after them all, or before them. */
function ofUnit({ input, index }: Found, record: KillerRecord): KillerRecord {
  for (const step of [1, -1])
    for (let at = index + step; Math.abs(at - index) <= mostTold; at += step) {
      const text = lineAt(input, at);
      if (!text.includes('oomd')) break;
      const unit = /(?:Killed|Marked) (\S{1,500}) (?:for killing )?due to/.exec(text);
      if (unit !== null) return { ...record, subject: unit[1]! };
      if (step === 1 && text.includes('Failed to kill any'))
        return {
          ...record,
          message:
            'systemd-oomd tried to kill it, and says that it could not kill all of its cgroup',
          sourceKind: 'indirect',
        };
    }
  return record;
}

function unitOf(_: unknown, { exitCode, ...record }: KillerRecord): KillerRecord {
  return {
    ...record,
    message: `${record.message}${integer(String(exitCode)) === undefined ? '' : `: ${exitCode}`}`,
  };
}

const id = 'systemd-oomd';

export const systemdOomd: Parser = {
  id,
  title: 'systemd-oomd: cgroups killed for swap or memory pressure',
  literals: [...new Set([...wordings, ...measurements].map(({ literal }) => literal))],
  *parse(input) {
    const kills = [...readKillers(input, id, wordings)];
    yield* kills;
    // Beside a kill it is the reason that the kill itself tells.
    if (kills.length === 0) yield* readPhrases(input, id, measurements);
  },
};
