/**
 * What systemd says of units: `Failed with result 'oom-kill'`, `A process of this unit has been killed by the OOM
 * killer`, in the journal as text or JSON, in `systemctl status` and `systemctl show`; and units ended for another reason.
 */
import type { DeathNotice, Evidence, KillerRecord, MetricsWindow } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
import { mentions, originOf, wholeText } from '../text/lines.ts';
import { readNotices, type NoticeWording } from '../text/notices.ts';

const id = 'systemd-units';
const systemd = {
  reporter: 'systemd',
  cause: 'kernel-cgroup-oom',
  owner: 'cgroup',
  sourceKind: 'indirect',
} as const;

const kills: readonly KillerWording[] = [
  {
    ...systemd,
    literal: 'has been killed by the OOM killer',
    pattern:
      /(?:(?<![^\s:"])(?<subject>[^\s:"]{1,300}): )?A process of this unit has been killed by the OOM killer/,
    message: 'systemd saw the count of OOM kills rise in the unit',
  },
  {
    ...systemd,
    literal: 'oom-kill',
    pattern:
      /(?:(?<![^\s:"])(?<subject>[^\s:"]{1,300}): )?(?:Failed with result 'oom-kill'|Main process exited, code=killed.{0,80}result 'oom-kill')/,
    message: "the unit failed with the result 'oom-kill'",
  },
  {
    ...systemd,
    literal: 'Result: oom-kill',
    pattern: /Active: (?:failed|inactive).{0,20}\(Result: oom-kill\)/,
    message: "systemctl says that the unit failed with the result 'oom-kill'",
  },
  {
    ...systemd,
    literal: 'Result=oom-kill',
    pattern: /^Result=oom-kill/,
    message: "systemctl says that the unit failed with the result 'oom-kill'",
  },
  {
    ...systemd,
    literal: 'oom-kill',
    pattern:
      /(?:(?<![\w@\\.:-])(?<subject>[\w@\\.:-]{1,200}\.(?:service|scope|slice))\S{0,3} .{0,80})?(?:Result|result|RESULT)["' =:]{1,4}oom-kill/,
    message: "the unit failed with the result 'oom-kill'",
  },
];

const endings: readonly NoticeWording[] = [
  {
    reporter: 'systemd',
    literal: "Failed with result 'timeout'",
    signal: 'SIGKILL',
    otherReason: 'it did not stop in time (systemd stop timeout)',
    pattern: /(?:(?<name>[^\s:"`]{1,200}): )?Failed with result 'timeout'/,
  },
  {
    reporter: 'systemd',
    literal: 'Result: timeout',
    signal: 'SIGKILL',
    otherReason: 'it did not start or stop in time (systemd timeout)',
    pattern: /Active: failed \(Result: timeout\)/,
  },
  {
    reporter: 'systemd',
    literal: "Failed with result 'watchdog'",
    signal: 'SIGABRT',
    otherReason: 'it missed its watchdog',
    pattern: /(?:(?<name>[^\s:"`]{1,200}): )?Failed with result 'watchdog'/,
  },
  {
    reporter: 'systemd',
    literal: 'timed out. Killing',
    signal: 'SIGKILL',
    otherReason: 'it did not stop in time (systemd stop timeout)',
    pattern:
      /(?:(?<name>[^\s:"`]{1,200}): )?(?:State '[\w-]{1,30}' timed out|Processes still around after .{0,40}|start operation timed out|Stopping timed out)\. Killing/,
  },
  {
    reporter: 'systemd',
    literal: 'with signal SIGKILL',
    signal: 'SIGKILL',
    otherReason: 'systemd killed it while stopping the unit',
    pattern:
      /(?:(?<name>[^\s:"`]{1,200}): )?Killing process (?<pid>\d{1,9}) \(.{1,40}\) with signal SIGKILL/,
    // OOMPolicy=kill, or what is left of a unit that OOMPolicy=stop stops: a consequence, and no reason of its own.
    unless: ({ input, index, groups: { name } }) =>
      name !== undefined && sawOomKill(input, index, name),
  },
  {
    reporter: 'systemd',
    literal: 'status=9/KILL',
    signal: 'SIGKILL',
    pattern: /(?:(?<name>[^\s:"`]{1,200}): )?Main process exited, code=killed, status=9\/KILL/,
    unless: ({ input }) =>
      mentions(
        input,
        /result 'oom-kill'|Result: oom-kill|systemd-oomd killed|killed by the OOM killer/,
      ),
  },
  {
    reporter: 'systemd',
    literal: 'signal=KILL',
    signal: 'SIGKILL',
    pattern: /Main PID: (?<pid>\d{1,9}) \(code=killed, signal=KILL\)/,
    unless: ({ input }) =>
      mentions(
        input,
        /result 'oom-kill'|Result: oom-kill|systemd-oomd killed|killed by the OOM killer/,
      ),
  },
];

export const systemdUnits: Parser = {
  id,
  title: 'systemd: units that failed with oom-kill, and units ended for other reasons',
  literals: [
    'oom-kill',
    'killed by the OOM killer',
    ...new Set(endings.map(({ literal }) => literal)),
  ],
  parse,
};

/** So many lines around: a kernel's report of its own may lie between, with a table of all tasks. */
const around = 500;
function sawOomKill(input: Input, index: number, unit: string): boolean {
  const words = `${unit}: A process of this unit has been killed by the OOM killer`;
  return (
    mentions(input, /A process of this unit has been killed by the OOM killer/) &&
    input.lines
      .slice(Math.max(0, index - around), index + around)
      .some(({ text }) => text.includes(words))
  );
}

function* parse(input: Input): Iterable<Evidence> {
  const whole = wholeText(input);
  // The same result is written after a kill by systemd-oomd: then it is the daemon's.
  const byOomd =
    /systemd-oomd(?:\[\d+\])?: .{0,200}Killed|systemd-oomd killed|for killing due to memory/.test(
      whole,
    );
  const seen = new Set<string>();
  const records = [...readKillers(input, id, kills)];
  // Since v253 the slices above count it too (memory.events is hierarchical): the unit inside tells more.
  const isSlice = ({ subject }: KillerRecord): boolean => subject?.endsWith('.slice') === true;
  const inside = records.some(({ subject }) => /\.(?:service|scope)$/.test(subject ?? ''));
  const slices: KillerRecord[] = [];
  for (const record of records) {
    if (inside && isSlice(record)) continue;
    if (isSlice(record)) {
      if (slices.some((slice) => isSameKill(slice, record))) continue;
      slices.push(record);
    }
    // `kernel: oom-kill:constraint=` is the kernel's own line
    if (/oom-kill:constraint/.test(record.origin.quote ?? '')) continue;
    const fact = byOomd ? daemons(record) : record;
    const key = `${fact.subject ?? ''} ${fact.message}`;
    if (seen.has(key)) continue;
    seen.add(key);
    yield fact;
  }
  if (seen.size > 0) yield* peakOf(input);
  const notices: DeathNotice[] = [...readNotices(input, id, endings)];
  const because = notices.find(({ otherReason }) => otherReason !== undefined)?.otherReason;
  for (const notice of notices)
    yield because !== undefined && notice.otherReason === undefined
      ? { ...notice, otherReason: because }
      : notice;
}

/** Slices count the same kill at the same moment. */
const sameKillMs = 5_000;
function isSameKill(a: KillerRecord, b: KillerRecord): boolean {
  const [left, right] = [a.when?.wall, b.when?.wall];
  return left === undefined || right === undefined
    ? a.when?.printed === b.when?.printed
    : Math.abs(Date.parse(left) - Date.parse(right)) <= sameKillMs;
}

const daemons = (record: KillerRecord): KillerRecord => ({
  ...record,
  reporter: 'systemd-oomd',
  cause: 'userspace-oom-daemon',
});

/**
 * `16.0G memory peak`, in the line that v253 and later write beside the result. Where the limit of a cgroup fired, its
 * highest use is that limit, to the digits printed.
 */
function* peakOf(input: Input): Iterable<MetricsWindow> {
  const whole = wholeText(input);
  for (const [at, { text }] of input.lines.entries()) {
    const peak = /(?:(\d[\d.]*)([KMGT]) memory peak|Memory peak: (\d[\d.]*)([KMGT]))/.exec(
      text.slice(0, 4096),
    );
    if (peak === null) continue;
    const power = 'KMGT'.indexOf((peak[2] ?? peak[4])!) + 1;
    const bytes = Math.round(Number(peak[1] ?? peak[3]) * 1024 ** power);
    const atLimit =
      whole.includes('Memory cgroup out of memory') && /\b0B swap peak|\b0B swap\b/.test(text);
    yield {
      kind: 'metrics',
      origin: originOf(input, id, at, at, 'memory peak'),
      tool: 'systemd',
      usedBytes: bytes,
      ...(atLimit ? { limitBytes: bytes } : {}),
      samples: 1,
      reading: atLimit ? 'full' : 'calm',
      message: atLimit
        ? 'the highest use of the unit, which was stopped by its limit'
        : 'the highest use of the unit',
    };
    return;
  }
}
