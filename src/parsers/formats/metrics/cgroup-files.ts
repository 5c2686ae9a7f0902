/** A cgroup's own files: use against limit, counters of kills, tasks that are made to wait. */
import { realLimit } from '../../../model/no-limit.ts';
import type { KillerRecord, MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { clean, lineAt, originOf, wholeText } from '../../text/lines.ts';
import { metricsId, window } from './window.ts';

/** `memory.current 2132377600` and `memory.max 2147483648`, on one line or the value on the next. */
export function* cgroupFiles(input: Input): Iterable<MetricsWindow> {
  const whole = wholeText(input);
  if (!/memory\.(?:current|usage_in_bytes|max_usage_in_bytes|peak)/.test(whole)) return;
  const read = (name: string): { readonly bytes: number; readonly at: number } | undefined => {
    for (const [at, { text }] of input.lines.entries()) {
      if (!text.includes(name)) continue;
      const here = new RegExp(
        `${name.replace('.', String.raw`\.`)}["'\`)]{0,2}\\s{0,12}[:=]?\\s{0,12}(\\d{4,16})\\b`,
      ).exec(clean(text));
      const next = /^\s*(\d{4,16})\s*$/.exec(lineAt(input, at + 1));
      const match = here ?? (text.trimEnd().endsWith(name) ? next : null);
      if (match !== null) return { bytes: Number(match[1]), at };
    }
    return undefined;
  };
  const used =
    read('memory.current') ??
    read('memory.usage_in_bytes') ??
    read('memory.max_usage_in_bytes') ??
    read('memory.peak');
  const peak = read('memory.max_usage_in_bytes') ?? read('memory.peak');
  // Where the limit fired, the highest use is the limit: nothing may be charged above it.
  const fired = /\boom_kill[ :=]{1,3}[1-9]/.test(whole) && peak !== undefined;
  const limit = read('memory.max') ?? read('memory.limit_in_bytes') ?? (fired ? peak : undefined);
  if (used === undefined) return;
  const full = limit !== undefined && used.bytes >= limit.bytes * 0.95;
  yield window(
    input,
    Math.min(used.at, limit?.at ?? used.at),
    Math.max(used.at, limit?.at ?? used.at),
    {
      tool: 'cgroup files',
      usedBytes: used.bytes,
      ...(limit === undefined || realLimit(limit.bytes) === null
        ? {}
        : { limitBytes: limit.bytes }),
      samples: 1,
      reading: full ? 'full' : 'calm',
      message: full
        ? `the cgroup held ${((used.bytes / limit.bytes) * 100).toFixed(1)} % of its limit (page cache counts as well)`
        : 'the cgroup was below its limit',
    },
  );
}

/** `oom_kill 1` of memory.events and memory.oom_control: totals since the cgroup was made, in it or (v2) below it. */
export function* events(input: Input): Iterable<KillerRecord | MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const text = lineAt(input, at);
    const match =
      /(?:^|[\s`"'(:,])(?:memory\.events(?:\.local)?[^\n]{0,60}?)?\boom_kill["'`]?[ :=]{1,3}(\d{1,12})\b/.exec(
        text,
      );
    if (match === null || /oom_kill_disable \d+$/.test(text.trim())) continue;
    const count = Number(match[1]);
    // /proc/vmstat has the same word for the whole host
    const isHost = /vmstat/.test(`${text} ${lineAt(input, at - 1)}`);
    if (count === 0)
      yield window(input, at, at, {
        tool: isHost ? '/proc/vmstat' : 'cgroup counter',
        samples: 1,
        oomKills: 0,
        reading: 'calm',
        message: `the counter of the ${isHost ? 'machine' : 'cgroup'} shows no kill by the OOM killer`,
      });
    if (isHost || count === 0) continue;
    yield {
      kind: 'killer-record',
      origin: originOf(input, metricsId, at),
      reporter: 'cgroup counter',
      cause: 'kernel-cgroup-oom',
      message: `the counter of the cgroup shows ${count} kill${count === 1 ? '' : 's'} by the OOM killer since the cgroup was made`,
      sourceKind: 'indirect',
      signal: 'SIGKILL',
    };
  }
  for (const [at, { text }] of input.lines.entries())
    if (/\bunder_oom 1\b/.test(text))
      yield window(input, at, at, {
        tool: 'memory.oom_control',
        samples: 1,
        reading: 'thrashing',
        message:
          'the cgroup is out of memory and its OOM killer is switched off: its tasks wait for ever',
      });
}

/** A task that sleeps where the kernel makes the ones above memory.high wait. */
export function* overHigh(input: Input): Iterable<MetricsWindow> {
  const at = input.lines.findIndex(({ text }) => text.includes('mem_cgroup_handle_over_high'));
  // In a kernel's stack it stands among others; alone it is what /proc/PID/wchan holds.
  if (at === -1 || /\+0x[0-9a-f]+\//.test(input.lines[at]!.text)) return;
  yield window(input, at, at, {
    tool: 'wchan',
    samples: 1,
    reading: 'thrashing',
    message:
      'a task sleeps in mem_cgroup_handle_over_high: it is made to wait because its cgroup is above memory.high',
  });
}
