/**
 * Figures that people paste: PSI, memory.current against memory.max, memory.events, vmstat, sar, free, top, `time -v`,
 * docker stats, vm_stat and memory_pressure of macOS (S1 to S5). Each is read for what it says on its own; whether anybody died of it is judged elsewhere.
 */
import type { Evidence, KillerRecord, MetricsWindow } from '../model/evidence.ts';
import { formatBytes } from '../model/units.ts';
import type { Input, Parser } from './parser.ts';
import { clean, elsewhere, lineAt, originOf, wholeText } from './words/lines.ts';
import { sizeBytes } from './words/sizes.ts';

const id = 'metrics';

export const metrics: Parser = {
  id,
  title:
    'Figures over time: PSI, cgroup counters, vmstat, sar, free, top, time -v, docker stats, vm_stat',
  needles: [
    'avg10=',
    'avg10:',
    'avg10 ',
    'mem_cgroup_handle_over_high',
    '| swout ',
    'oom_kill ',
    'memory.current',
    'memory.usage_in_bytes',
    'swpd',
    'pswpin/s',
    'majflt/s',
    'refault_anon',
    'kbmemused',
    'kbswpused',
    'Mach Virtual Memory Statistics',
    'System-wide memory free percentage',
    'Maximum resident set size',
    'buff/cache',
    'buffers/cache',
    'kswapd',
    'avail Mem',
    'iB / ',
    'under_oom 1',
  ],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const whole = wholeText(input);
  if (average.test(whole)) yield* pressure(input);
  yield* cgroupFiles(input);
  if (/\boom_kill\b/.test(whole)) yield* events(input);
  if (/\bsi\s+so\b/.test(whole)) yield* vmstat(input);
  yield* overHigh(input);
  if (whole.includes('swout')) yield* atop(input);
  if (/pswpin\/s|majflt\/s/.test(whole)) yield* sar(input);
  if (whole.includes('refault_anon')) yield* sampledProcess(input);
  if (whole.includes('kbmemused')) yield* sarMemory(input);
  if (whole.includes('kbswpused')) yield* sarSwap(input);
  if (whole.includes('Mach Virtual Memory Statistics')) yield* vmStat(input);
  if (whole.includes('System-wide memory free percentage')) yield* memoryPressure(input);
  if (/^\s*Mem:/m.test(whole)) yield* free(input);
  if (whole.includes('avail Mem')) yield* topHead(input);
  if (whole.includes('kswapd')) yield* kswapd(input);
  if (whole.includes('Maximum resident set size')) yield* timeVerbose(input);
  if (/\d[KMG]i?B \/ \d/.test(whole)) yield* dockerStats(input);
}

const window = (
  input: Input,
  from: number,
  to: number,
  rest: Omit<MetricsWindow, 'kind' | 'origin'>,
): MetricsWindow => ({ kind: 'metrics', origin: originOf(input, id, from, to), ...rest });

// PSI ----------------------------------------------------------------------------------------------------------

/** `avg10=91.14`, `avg10: 91`, `| full avg10 | 91 |`, `avg10 of 91 %`. */
const average = /avg10["'`*]{0,2}\s{0,3}(?:[=:|≈~]|of\b|at\b|was\b|hit\b|reached\b)/;
const averageOf = (which: string): RegExp =>
  new RegExp(`\\b${which}\\b[^=\\d]{0,20}${average.source}\\s{0,4}(\\d{1,16}(?:\\.\\d{1,4})?)`);
const fullAverage = averageOf('full');
const someAverage = averageOf('some');

/** The lab's border: above it, together with a full cgroup, work stands still (two samples in a row). */
const thrashingFull = 10;

function* pressure(input: Input): Iterable<MetricsWindow> {
  let last: MetricsWindow | undefined;
  for (let at = 0; at < input.lines.length; at += 1) {
    const text = lineAt(input, at);
    if (!average.test(text)) continue;
    // `cpu.pressure`, `io.pressure` have the same shape
    const about = resourceOf(input, at);
    if (about !== 'memory') continue;
    const next = lineAt(input, at + 1);
    const both =
      /\bfull\b/.test(text) ||
      /\b(?:some|cpu|io)\b/.test(next) ||
      !(/\bfull\b/.test(next) && average.test(next))
        ? text
        : `${text} ${next}`;
    const full = fullAverage.exec(both);
    const some = someAverage.exec(both);
    const fullAvg = full === null ? undefined : Number(full[1]);
    const someAvg = some === null ? undefined : Number(some[1]);
    // More than 100 % cannot be (a kernel bug of 6.0-rc).
    if ([fullAvg, someAvg].some((value) => value !== undefined && value > 100)) continue;
    const thrashing =
      fullAvg !== undefined ? fullAvg > thrashingFull : someAvg !== undefined && someAvg > 60;
    const fact = window(input, at, both === text ? at : at + 1, {
      tool: 'PSI',
      ...(fullAvg === undefined ? {} : { psiMemoryFullAvg10: fullAvg }),
      ...(someAvg === undefined ? {} : { psiMemorySomeAvg10: someAvg }),
      samples: 1,
      reading: thrashing ? 'thrashing' : (someAvg ?? 0) > 10 ? 'high' : 'calm',
      says:
        fullAvg === undefined
          ? `some tasks waited for memory ${someAvg} % of the time`
          : `all tasks at once waited for memory ${fullAvg} % of the time (last 10 s)`,
    });
    if (last === undefined || last.reading !== fact.reading || fact.reading === 'thrashing')
      yield fact;
    last = fact;
  }
}

/** Which resource a line of PSI is about: its own words, else the file that was named above it. */
function resourceOf(input: Input, at: number): 'memory' | 'other' | undefined {
  for (let back = 0; back <= 4; back += 1) {
    const text = lineAt(input, at - back);
    const before = back === 0 ? text.slice(0, text.search(average)) : text;
    const named = [
      ...before.matchAll(/\b(memory|mem|cpu|io|irq)(?:\.pressure|\b)|pressure\/(memory|cpu|io)/gi),
    ].at(-1);
    if (named !== undefined) return /mem/i.test(named[0]) ? 'memory' : 'other';
    if (back > 0 && text.trim() === '') break;
  }
  return undefined;
}

// Files of a cgroup ----------------------------------------------------------------------------------------------

/** `memory.current 2132377600` and `memory.max 2147483648`, on one line or the value on the next. */
function* cgroupFiles(input: Input): Iterable<MetricsWindow> {
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
      ...(limit === undefined || limit.bytes > 2 ** 60 ? {} : { limitBytes: limit.bytes }),
      samples: 1,
      reading: full ? 'full' : 'calm',
      says: full
        ? `the cgroup held ${((used.bytes / limit.bytes) * 100).toFixed(1)} % of its limit (page cache counts as well)`
        : 'the cgroup was below its limit',
    },
  );
}

/** `oom_kill 1` of memory.events and memory.oom_control: totals since the cgroup was made, in it or (v2) below it. */
function* events(input: Input): Iterable<KillerRecord | MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const text = lineAt(input, at);
    const match =
      /(?:^|[\s`"'(:,])(?:memory\.events(?:\.local)?[^\n]{0,60}?)?\boom_kill["'`]?[ :=]{1,3}(\d{1,12})\b/.exec(
        text,
      );
    if (match === null || /oom_kill_disable \d+$/.test(text.trim())) continue;
    const count = Number(match[1]);
    // /proc/vmstat has the same word for the whole host
    if (/vmstat/.test(`${text} ${lineAt(input, at - 1)}`) || count === 0) continue;
    yield {
      kind: 'killer-record',
      origin: originOf(input, id, at),
      by: 'cgroup counter',
      cause: 'kernel-cgroup-oom',
      says: `the counter of the cgroup shows ${count} kill${count === 1 ? '' : 's'} by the OOM killer since the cgroup was made`,
      witness: 'indirect',
      signal: 'SIGKILL',
    };
  }
  for (const [at, { text }] of input.lines.entries())
    if (/\bunder_oom 1\b/.test(text))
      yield window(input, at, at, {
        tool: 'memory.oom_control',
        samples: 1,
        reading: 'thrashing',
        says: 'the cgroup is out of memory and its OOM killer is switched off: its tasks wait for ever (K14)',
      });
}

/** A task that sleeps where the kernel makes the ones above memory.high wait (S3). */
function* overHigh(input: Input): Iterable<MetricsWindow> {
  const at = input.lines.findIndex(({ text }) => text.includes('mem_cgroup_handle_over_high'));
  // In a kernel's stack it stands among others; alone it is what /proc/PID/wchan holds.
  if (at === -1 || /\+0x[0-9a-f]+\//.test(input.lines[at]!.text)) return;
  yield window(input, at, at, {
    tool: 'wchan',
    samples: 1,
    reading: 'thrashing',
    says: 'a task sleeps in mem_cgroup_handle_over_high: it is made to wait because its cgroup is above memory.high',
  });
}

/** `PAG | scan 812345 | … | swin 312345 | swout 281234 |`: pages in an interval of ten seconds and more. */
function* atop(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const row = /^\s*PAG \|.{0,200}\bswin {1,8}(\d{1,9}) \|.{0,40}\bswout {1,8}(\d{1,9}) \|/.exec(
      lineAt(input, at).slice(0, 400),
    );
    if (row === null) continue;
    const [read, written] = [Number(row[1]), Number(row[2])];
    yield window(input, at, at, {
      tool: 'atop',
      samples: 1,
      reading:
        read > 25_000 && written > 25_000 ? 'thrashing' : read + written > 2500 ? 'high' : 'calm',
      says: `atop shows ${read} pages read from swap and ${written} written to it in one interval`,
    });
  }
}

// vmstat, sar, free, top ------------------------------------------------------------------------------------------

function* vmstat(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const header = lineAt(input, at).trim().split(/\s+/);
    // A log may have put anything in front: columns are told from where the table begins.
    const names = header.slice(Math.max(0, header.indexOf('r')));
    const si = names.indexOf('si');
    const so = names.indexOf('so');
    if (si === -1 || so !== si + 1 || !names.includes('free')) continue;
    const wa = names.indexOf('wa');
    const rows: number[][] = [];
    let last = at;
    for (let next = at + 1; next < Math.min(at + 2000, input.lines.length); next += 1) {
      const row = lineAt(input, next).trim().split(/\s+/).slice(-names.length).map(Number);
      if (row.length < names.length - 1 || row.slice(0, so + 1).some(Number.isNaN)) {
        if (/procs|\bsi\b/.test(lineAt(input, next))) continue;
        break;
      }
      rows.push(row);
      last = next;
    }
    // The first row is the average since boot, unless it is the only one.
    const samples = rows.length > 1 ? rows.slice(1) : rows;
    if (samples.length === 0) continue;
    // KiB/s: both directions at once, or in and waiting for the disk
    const hot = samples.filter(
      (row) =>
        (row[si]! > 1000 && row[so]! > 1000) ||
        (row[si]! > 2000 && wa !== -1 && (row[wa] ?? 0) > 25),
    );
    const mean = (column: number): number =>
      samples.reduce((sum, row) => sum + (row[column] ?? 0), 0) / samples.length;
    yield window(input, at, last, {
      tool: 'vmstat',
      swapInPagesPerSecond: Math.round(mean(si) / 4),
      swapOutPagesPerSecond: Math.round(mean(so) / 4),
      ...(wa === -1 ? {} : { ioWaitPercent: Math.round(mean(wa)) }),
      samples: samples.length,
      reading:
        hot.length >= 2 || (hot.length === 1 && samples.length === 1)
          ? 'thrashing'
          : mean(si) + mean(so) > 200
            ? 'high'
            : 'calm',
      says: `vmstat shows ${Math.round(mean(si))} KiB/s read from swap and ${Math.round(mean(so))} KiB/s written to it, on the average of ${samples.length} samples`,
    });
    at = last;
  }
}

function* sar(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const names = lineAt(input, at).trim().split(/\s+/);
    const column = names.includes('pswpin/s') ? 'pswpin/s' : 'majflt/s';
    const index = names.indexOf(column);
    if (index === -1) continue;
    const fromEnd = names.length - index;
    const out = names.includes('pswpout/s') ? names.length - names.indexOf('pswpout/s') : undefined;
    const values: { readonly in: number; readonly out: number }[] = [];
    let last = at;
    for (let next = at + 1; next < Math.min(at + 3000, input.lines.length); next += 1) {
      const cells = lineAt(input, next).trim().split(/\s+/);
      const value = Number(cells.at(-fromEnd)?.replace(',', '.'));
      if (cells.length < fromEnd || Number.isNaN(value)) break;
      if (!cells[0]!.startsWith('Average'))
        values.push({
          in: value,
          out: out === undefined ? 0 : Number(cells.at(-out)?.replace(',', '.')),
        });
      last = next;
    }
    if (values.length === 0) continue;
    const swap = column === 'pswpin/s';
    // pages a second; major faults alone are a false friend: a cold mapped file makes thousands
    const hot = swap ? values.filter((row) => row.in > 250 && row.out > 250) : [];
    const mean = values.reduce((sum, row) => sum + row.in, 0) / values.length;
    yield window(input, at, last, {
      tool: 'sar',
      ...(swap
        ? {
            swapInPagesPerSecond: Math.round(mean),
            swapOutPagesPerSecond: Math.round(
              values.reduce((sum, row) => sum + row.out, 0) / values.length,
            ),
          }
        : { majorFaultsPerSecond: Math.round(mean) }),
      samples: values.length,
      reading: hot.length >= 2 ? 'thrashing' : mean > 100 ? 'high' : 'calm',
      says: swap
        ? `sar shows ${Math.round(mean)} pages a second read from swap`
        : `sar shows ${Math.round(mean)} major faults a second`,
    });
    at = last;
  }
}

// A process and its cgroup, sampled --------------------------------------------------------------------------------

/** What one line says: rates per second, or totals of which the next line tells the rates. */
interface Sampled {
  readonly atSeconds: number | undefined;
  readonly swapped: boolean;
  readonly majorFaults: number | undefined;
  readonly anonRefaults: number | undefined;
  readonly fileRefaults: number | undefined;
  readonly refusedCharges: number | undefined;
  /** Share of the time in which all tasks of the cgroup waited. */
  readonly stalled: number | undefined;
}

/**
 * Lines of `name=value` that people's own samplers print once a second from /proc/PID, memory.stat and memory.pressure: `majflt/s= 3038 …
 * refault_anon/s= 23360 … psi mem some=0.49 full=0.49`, or totals (`majflt=0 … cg.refault_anon=0`) behind a time. What is on in two lines
 * in a row counts: pages that were thrown out and came back, as no cold file and no busy disk makes them come back.
 */
function* sampledProcess(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    if (sampledAt(input, at) === undefined) continue;
    const samples: Sampled[] = [];
    let last = at;
    for (let next = at; next < input.lines.length; next += 1) {
      const sample = sampledAt(input, next);
      if (sample === undefined) break;
      samples.push(sample);
      last = next;
    }
    const rates = samples[0]!.atSeconds === undefined ? samples : ratesOf(samples);
    let [longest, row] = [0, 0];
    for (const rate of rates) {
      row = isWaiting(rate) ? row + 1 : 0;
      longest = Math.max(longest, row);
    }
    const refaults = rates.reduce(
      (most, { anonRefaults = 0, fileRefaults = 0 }) => Math.max(most, anonRefaults + fileRefaults),
      0,
    );
    if (rates.length > 0)
      yield window(input, at, last, {
        tool: 'sampler',
        samples: rates.length,
        reading: longest >= 2 ? 'thrashing' : 'calm',
        says:
          longest >= 2
            ? `for ${longest} samples in a row it read back what had just been taken from it (up to ${Math.round(refaults)} pages a second)`
            : 'it hardly had to read back what had been taken from it',
      });
    at = last;
  }
}

function sampledAt(input: Input, at: number): Sampled | undefined {
  const text = lineAt(input, at).slice(0, 1000);
  if (!text.includes('refault_anon') || !/\brss= {0,6}[1-9]/.test(text)) return undefined;
  const number = (pattern: RegExp): number | undefined => {
    const match = pattern.exec(text);
    return match === null ? undefined : Number(match[1]);
  };
  const rate = (name: string) => number(new RegExp(`\\b${name}/s= {0,10}(\\d{1,12})\\b`));
  const total = (name: string) => number(new RegExp(`\\b${name}= {0,10}(\\d{1,15})\\b`));
  const swapped = (number(/\bswap= {0,8}(\d{1,9})[KMG]?\b/) ?? 0) > 0;
  return text.includes('refault_anon/s=')
    ? {
        atSeconds: undefined,
        swapped,
        majorFaults: rate('majflt'),
        anonRefaults: rate('refault_anon'),
        fileRefaults: rate('refault_file'),
        refusedCharges: rate('failcnt'),
        stalled: number(/\bpsi mem some=\d\.\d{1,4} full=(\d\.\d{1,4})/),
      }
    : {
        atSeconds: number(/^\s*(\d{1,12}\.\d{1,6})\s/),
        swapped,
        majorFaults: total('majflt'),
        anonRefaults: total('refault_anon'),
        fileRefaults: total('refault_file'),
        refusedCharges: total('failcnt'),
        stalled: undefined,
      };
}

function ratesOf(samples: readonly Sampled[]): readonly Sampled[] {
  return samples.slice(1).map((sample, index): Sampled => {
    const before = samples[index]!;
    const seconds = (sample.atSeconds ?? 0) - (before.atSeconds ?? 0);
    const rate = (key: 'majorFaults' | 'anonRefaults' | 'fileRefaults' | 'refusedCharges') =>
      seconds > 0 && sample[key] !== undefined && before[key] !== undefined
        ? (sample[key] - before[key]) / seconds
        : undefined;
    return {
      ...sample,
      majorFaults: rate('majorFaults'),
      anonRefaults: rate('anonRefaults'),
      fileRefaults: rate('fileRefaults'),
      refusedCharges: rate('refusedCharges'),
    };
  });
}

/** Major faults alone are a false friend (a cold file), refaults of files too (pages of other owners). Borders measured. */
const isWaiting = ({
  swapped,
  majorFaults,
  anonRefaults,
  fileRefaults,
  refusedCharges,
  stalled,
}: Sampled): boolean =>
  (anonRefaults ?? 0) > 500 ||
  ((majorFaults ?? 0) > 100 && swapped) ||
  (stalled ?? 0) > 0.1 ||
  ((fileRefaults ?? 0) > 200 && (refusedCharges ?? 0) > 200);

/** The rows of a table of sar whose header names `column`: numbers by the header's names, without the averages. */
function* sarTables(
  input: Input,
  column: string,
): Iterable<{
  readonly from: number;
  readonly to: number;
  readonly rows: readonly ((name: string) => number | undefined)[];
}> {
  for (let at = 0; at < input.lines.length; at += 1) {
    if (!lineAt(input, at).includes(column)) continue;
    const names = lineAt(input, at).trim().split(/\s+/);
    // What stands in front (the time, with or without AM) is no column of its own in every locale: counted from the end.
    const fromEnd = new Map(names.map((name, index) => [name, names.length - index]));
    const columns = Math.max(
      ...[...fromEnd].filter(([name]) => /^[%k]/.test(name)).map(([, place]) => place),
      0,
    );
    const rows: ((name: string) => number | undefined)[] = [];
    let last = at;
    for (let next = at + 1; next < Math.min(at + 3000, input.lines.length); next += 1) {
      const cells = lineAt(input, next).trim().split(/\s+/);
      if (cells.length < columns || !/^\d+$/.test(cells.at(-columns) ?? '')) break;
      last = next;
      if (cells[0]!.startsWith('Average')) continue;
      rows.push((name) => {
        const place = fromEnd.get(name);
        const value = Number(
          (place === undefined ? '' : (cells.at(-place) ?? '')).replace(',', '.') || Number.NaN,
        );
        return Number.isNaN(value) ? undefined : value;
      });
    }
    if (rows.length > 0) yield { from: at, to: last, rows };
    at = last;
  }
}

/** `sar -r`: the moment with the least memory left. `kbavail` since sysstat 11.5.7; before, buffers and cache are taken for it. */
function* sarMemory(input: Input): Iterable<MetricsWindow> {
  for (const { from, to, rows } of sarTables(input, 'kbmemused')) {
    let least: { readonly total: number; readonly available: number } | undefined;
    for (const value of rows) {
      const [free, used] = [value('kbmemfree'), value('kbmemused')];
      const available =
        value('kbavail') ??
        (free === undefined
          ? undefined
          : free + (value('kbbuffers') ?? 0) + (value('kbcached') ?? 0));
      if (free === undefined || used === undefined || available === undefined || free + used === 0)
        continue;
      const total = (free + used) * 1024;
      if (least === undefined || available * 1024 < least.available)
        least = { total, available: available * 1024 };
    }
    if (least === undefined) continue;
    const share = (least.available / least.total) * 100;
    yield window(input, from, to, {
      tool: 'sar',
      totalBytes: least.total,
      availableBytes: least.available,
      samples: rows.length,
      reading: share < 3 ? 'full' : share < 10 ? 'high' : 'calm',
      says: `sar shows ${share.toFixed(0)} % of the memory available at the worst of ${rows.length} samples`,
    });
  }
}

/** `sar -S`: the moment with the most swap in use. A full swap alone says what was put there once, not that anybody waits for it. */
function* sarSwap(input: Input): Iterable<MetricsWindow> {
  for (const { from, to, rows } of sarTables(input, 'kbswpused')) {
    let most: { readonly total: number; readonly used: number } | undefined;
    for (const value of rows) {
      const [free, used] = [value('kbswpfree'), value('kbswpused')];
      // Without swap all of it is 0.
      if (free === undefined || used === undefined || free + used === 0) continue;
      if (most === undefined || used * 1024 > most.used)
        most = { total: (free + used) * 1024, used: used * 1024 };
    }
    if (most === undefined) continue;
    const share = (most.used / most.total) * 100;
    yield window(input, from, to, {
      tool: 'sar',
      swapTotalBytes: most.total,
      swapUsedBytes: most.used,
      samples: rows.length,
      reading: share > 90 ? 'high' : 'calm',
      says: `sar shows ${share.toFixed(0)} % of the swap in use at the worst of ${rows.length} samples`,
    });
  }
}

/** macOS' vm_stat: totals since boot, or one row an interval (`vm_stat 1`), the first of which is since boot too. In pages. */
function* vmStat(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const head = /Mach Virtual Memory Statistics: \(page size of (\d{4,6}) bytes\)/.exec(
      lineAt(input, at),
    );
    if (head === null) continue;
    const page = Number(head[1]);
    const names = lineAt(input, at + 1)
      .trim()
      .split(/\s+/);
    const fact = names.includes('swapouts')
      ? vmStatRows(input, at, names, page)
      : vmStatTotals(input, at, page);
    if (fact !== undefined) yield fact;
  }
}

function vmStatRows(
  input: Input,
  at: number,
  names: readonly string[],
  page: number,
): MetricsWindow | undefined {
  const rows: (readonly number[])[] = [];
  let last = at + 1;
  for (let next = at + 2; next < Math.min(at + 3000, input.lines.length); next += 1) {
    const cells = lineAt(input, next).trim().split(/\s+/);
    // The header comes again every twenty rows.
    if (cells.includes('swapouts') || /Mach Virtual/.test(lineAt(input, next))) continue;
    // Numbers too wide for their column are in thousands.
    if (cells.length !== names.length || !cells.every((cell) => /^\d+K?$/.test(cell))) break;
    rows.push(cells.map((cell) => Number(cell.replace('K', '000'))));
    last = next;
  }
  const deltas = rows.slice(1);
  if (deltas.length === 0) return undefined;
  const [read, written] = [names.indexOf('swapins'), names.indexOf('swapouts')];
  // 4 MiB in each direction, an interval: the same border as sar's.
  const border = (4 * 2 ** 20) / page;
  const hot = deltas.filter((row) => row[read]! > border && row[written]! > border).length;
  const mean = (column: number) =>
    Math.round(deltas.reduce((sum, row) => sum + row[column]!, 0) / deltas.length);
  return window(input, at, last, {
    tool: 'vm_stat',
    swapInPagesPerSecond: mean(read),
    swapOutPagesPerSecond: mean(written),
    samples: deltas.length,
    reading: hot >= 2 ? 'thrashing' : mean(read) + mean(written) > border / 4 ? 'high' : 'calm',
    says: `vm_stat shows ${mean(read)} pages read from swap and ${mean(written)} written to it an interval, on the average of ${deltas.length} samples`,
  });
}

function vmStatTotals(input: Input, at: number, page: number): MetricsWindow | undefined {
  const pages = new Map<string, number>();
  let last = at;
  for (let next = at + 1; next < Math.min(at + 40, input.lines.length); next += 1) {
    const row = /^"?([A-Z][\w "-]{2,40}?)"?:\s{1,60}(\d{1,15})\.?\s*$/.exec(lineAt(input, next));
    if (row === null) break;
    pages.set(row[1]!, Number(row[2]));
    last = next;
  }
  const bytes = (name: string): number | undefined =>
    pages.has(name) ? pages.get(name)! * page : undefined;
  const [stored, occupied] = [
    bytes('Pages stored in compressor'),
    bytes('Pages occupied by compressor'),
  ];
  const parts = ['free', 'active', 'inactive', 'speculative', 'wired down'].map(
    (name) => bytes(`Pages ${name}`) ?? 0,
  );
  const total = parts.reduce((sum, part) => sum + part, 0) + (occupied ?? 0);
  if (stored === undefined || occupied === undefined || total === 0) return undefined;
  const share = (occupied / total) * 100;
  return window(input, at, last, {
    tool: 'vm_stat',
    samples: 1,
    reading: share > 50 ? 'full' : share > 25 ? 'high' : 'calm',
    says: `vm_stat shows ${share.toFixed(0)} % of the memory taken by the compressor, which holds ${formatBytes(stored)} in it`,
  });
}

/** macOS' memory_pressure: what the kernel counts as free, which is what jetsam goes by. */
function* memoryPressure(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const match = /System-wide memory free percentage: {0,3}(\d{1,3})\s?%/.exec(lineAt(input, at));
    if (match === null) continue;
    const free = Number(match[1]);
    if (free > 100) continue;
    const total = elsewhere(input, /The system has (\d{9,15}) \(\d{1,12} pages/)?.[1];
    yield window(input, at, at, {
      tool: 'memory_pressure',
      ...(total === undefined ? {} : { totalBytes: Number(total) }),
      samples: 1,
      reading: free < 5 ? 'full' : free < 15 ? 'high' : 'calm',
      says: `memory_pressure shows ${free} % of the memory free`,
    });
  }
}

function* free(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const text = lineAt(input, at);
    if (!/^\s*Mem:/.test(text)) continue;
    const header = lineAt(input, at - 1)
      .trim()
      .split(/\s+/);
    const cells = text.trim().split(/\s+/).slice(1);
    const scale = /[KMGT]i?B?$/i.test(cells[0] ?? '') ? undefined : 'KiB';
    const value = (name: string): number | undefined => {
      const cell = cells[header.indexOf(name)];
      return cell === undefined || header.indexOf(name) === -1
        ? undefined
        : sizeBytes(scale === undefined ? cell : `${cell} ${scale}`);
    };
    const total = value('total');
    const available = value('available');
    if (total === undefined || total === 0) continue;
    const swap =
      /^\s*Swap:\s+(\S+)\s+(\S+)/.exec(lineAt(input, at + 1)) ??
      /^\s*Swap:\s+(\S+)\s+(\S+)/.exec(lineAt(input, at + 2));
    const swapSize = (cell: string | undefined): number | undefined =>
      cell === undefined ? undefined : sizeBytes(scale === undefined ? cell : `${cell} ${scale}`);
    const swapTotal = swapSize(swap?.[1]);
    const swapUsed = swapSize(swap?.[2]);
    const low = available !== undefined && available < total * 0.03;
    const swapFull =
      swapTotal !== undefined &&
      swapTotal > 0 &&
      swapUsed !== undefined &&
      swapUsed > swapTotal * 0.9;
    const load = elsewhere(input, /load averages?: {0,3}(\d{1,5}\.\d)/);
    const crowded = load !== null && Number(load[1]) >= 16;
    yield window(input, Math.max(0, at - 1), at + (swap === null ? 0 : 1), {
      tool: 'free',
      totalBytes: total,
      ...(available === undefined ? {} : { availableBytes: available }),
      ...(swapTotal === undefined ? {} : { swapTotalBytes: swapTotal }),
      ...(swapUsed === undefined ? {} : { swapUsedBytes: swapUsed }),
      samples: 1,
      reading: low && swapFull && crowded ? 'thrashing' : low ? 'full' : swapFull ? 'high' : 'calm',
      says:
        low && swapFull && crowded
          ? 'free shows next to no memory available and swap full, while many tasks wait (load average)'
          : low
            ? 'free shows less than 3 % of the memory available'
            : 'free shows memory available',
    });
  }
}

/** The head of top: `KiB Mem : 33554432 total, 40 free, …` and, in the line of the swap, `40 avail Mem` (procps-ng since 3.3.10). */
function* topHead(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const memory =
      /^\s*([KMG]iB) Mem ?: {0,12}([\d.]{1,15}) total, {0,12}([\d.]{1,15})[ +]free,/.exec(
        lineAt(input, at),
      );
    if (memory === null) continue;
    const swap =
      /^\s*[KMG]iB Swap: {0,12}([\d.]{1,15}) total, .{0,60}?([\d.]{1,15})[ +]used\. {0,12}([\d.]{1,15})[ +]avail Mem/.exec(
        lineAt(input, at + 1),
      );
    const size = (text: string | undefined): number | undefined =>
      text === undefined ? undefined : sizeBytes(`${text} ${memory[1]}`);
    const [total, available] = [size(memory[2]), size(swap?.[3])];
    const [swapTotal, swapUsed] = [size(swap?.[1]), size(swap?.[2])];
    if (total === undefined || total === 0 || available === undefined) continue;
    const low = available < total * 0.03;
    yield window(input, at, at + 1, {
      tool: 'top',
      totalBytes: total,
      availableBytes: available,
      ...(swapTotal === undefined ? {} : { swapTotalBytes: swapTotal }),
      ...(swapUsed === undefined ? {} : { swapUsedBytes: swapUsed }),
      samples: 1,
      reading: low ? 'full' : 'calm',
      says: low ? 'top shows less than 3 % of the memory available' : 'top shows memory available',
    });
  }
}

/** kswapd near the top of `top`: the machine is looking for pages instead of working. */
function* kswapd(input: Input): Iterable<MetricsWindow> {
  for (const [at, { text }] of input.lines.entries()) {
    if (!text.includes('kswapd')) continue;
    const row =
      /(?:^|\s)\d{1,9}\s+\S{1,32}\s+.{0,60}?\s([\d.]{2,6})\s+[\d.]{1,5}\s+[\d:.]{4,12}\s+\[?kswapd\d/.exec(
        clean(text.slice(0, 400)),
      );
    const words = /kswapd\d?.{0,40}?(\d{2,3}(?:\.\d)?) ?%/.exec(text.slice(0, 400));
    const percent = Number(row?.[1] ?? words?.[1]);
    if (!(percent >= 40)) continue;
    yield window(input, at, at, {
      tool: 'top',
      samples: 1,
      reading: 'thrashing',
      says: `kswapd used ${percent} % of a CPU: the kernel was busy looking for free pages`,
    });
    return;
  }
}

// Peaks ----------------------------------------------------------------------------------------------------------

function* timeVerbose(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const match = /Maximum resident set size \(kbytes\): (\d{1,15})/.exec(lineAt(input, at));
    const mac = /^\s*(\d{4,18})\s+maximum resident set size/.exec(lineAt(input, at));
    if (match === null && mac === null) continue;
    const bytes = match === null ? Number(mac![1]) : Number(match[1]) * 1024;
    yield window(input, at, at, {
      tool: 'time',
      peakRssBytes: bytes,
      samples: 1,
      reading: 'calm',
      says: `time shows a peak of ${bytes} bytes resident`,
    });
  }
}

/** `59.75MiB / 64MiB  93.36%`: the last row that has a limit. */
function* dockerStats(input: Input): Iterable<MetricsWindow> {
  let peak: { readonly used: number; readonly limit: number; readonly at: number } | undefined;
  for (let at = 0; at < input.lines.length; at += 1) {
    const match =
      /(\d[\d.]{0,10} ?[KMG]?i?B) \/ (\d[\d.]{0,10} ?[KMG]i?B)\s{1,12}(\d{1,3}\.\d{1,2})%/.exec(
        lineAt(input, at),
      );
    if (match === null) continue;
    const used = sizeBytes(match[1]!);
    const limit = sizeBytes(match[2]!);
    if (used === undefined || limit === undefined || limit === 0) continue;
    if (peak === undefined || used / limit > peak.used / peak.limit) peak = { used, limit, at };
  }
  if (peak === undefined) return;
  const share = (peak.used / peak.limit) * 100;
  yield window(input, peak.at, peak.at, {
    tool: 'docker stats',
    usedBytes: peak.used,
    limitBytes: peak.limit,
    samples: 1,
    reading: share > 90 ? 'full' : share > 75 ? 'high' : 'calm',
    says: `docker stats shows ${share.toFixed(0)} % of the limit in use`,
  });
}
