/** A process and its cgroup, sampled once a second by a script of somebody's own. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

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
export function* sampledProcess(input: Input): Iterable<MetricsWindow> {
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
        message:
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
