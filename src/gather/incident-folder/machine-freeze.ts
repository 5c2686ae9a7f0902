/** A recording that was cut short, read from its end: whether the machine had anything left when the samples stopped. */
import { defined } from '../../model/defined.ts';
import type { MachineFreeze } from '../../model/evidence.ts';
import type { IncidentStart, SampleLine } from '../../model/incident-folder.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import type { Numbered } from '../../store/recorded-lines.ts';
import { whenOf, type Timeline } from './events.ts';

/*
 * Rule A of the measurements behind this: less than a twentieth available and something waiting for a tenth of the time was no false alarm
 * in fourteen kinds of heavy work, and came before every freeze. Refaults, major faults and a high share of full stalls are absent in some.
 */
const leastAvailableShare = 0.05;
const leastPsiSome = 0.1;
/** Without PSI so little must be left. */
const leastAvailableShareUntold = 0.02;
/** Swap counts as full when no more than this of it is free. */
const freeSwapShare = 0.02;
const windowMs: Ms = 1000;
const growthWindowMs: Ms = 10_000;
/** A recorder that has been silent for so long does not write any more: near a limit it takes ten samples a second. */
const silenceMs: Ms = 10_000;

type HostSample = Numbered<SampleLine> & Required<Pick<SampleLine, 'host'>>;

/**
 * `samples`: of a recording without an end. `now`: ms since 1970.
 * Empty: the machine had something left, or its memory was not recorded, or the recorder may still be at work.
 */
export function machineFreeze(
  start: IncidentStart,
  timeline: Timeline,
  samples: readonly Numbered<SampleLine>[],
  now: Ms,
): readonly MachineFreeze[] {
  const { totalBytes, swapTotalBytes: swapBytes = 0 } = start.machine ?? {};
  const ofHost = samples.filter((sample): sample is HostSample => sample.host !== undefined);
  const last = ofHost.at(-1);
  const availableBytes = last?.host.availableBytes;
  if (last === undefined || totalBytes === undefined || availableBytes === undefined) return [];
  if (Date.parse(start.startedAt) + last.atMs > now - silenceMs) return [];
  const { swapFreeBytes = 0 } = last.host;
  if (swapFreeBytes > freeSwapShare * swapBytes) return [];
  const [psiSome, psiFull] = stalls(ofHost);
  const isWaiting = psiSome === undefined ? undefined : psiSome > leastPsiSome;
  const share = isWaiting === undefined ? leastAvailableShareUntold : leastAvailableShare;
  if (isWaiting === false || availableBytes > share * totalBytes) return [];
  const short = sinceWhen(ofHost, share * totalBytes);
  return [
    {
      kind: 'machine-freeze',
      origin: {
        source: 'samples',
        place: `samples.ndjson:${last.lineNumber}`,
        line: last.lineNumber,
      },
      when: whenOf(start, last.atMs),
      ...defined({ largest: largest(timeline, samples), psiSome, psiFull }),
      totalBytes,
      availableBytes,
      shortForMs: last.atMs - ofHost[short]!.atMs,
      swapBytes,
      lastSampleMs: last.atMs,
      longestGapMs: longestGap(ofHost.slice(Math.max(0, short - 1))),
    },
  ];
}

/** Shares of some and full over the last second. PSI counts in steps of two seconds at times: a share may come out above 1. */
function stalls(samples: readonly HostSample[]): readonly [number | undefined, number | undefined] {
  const last = samples.at(-1)!;
  const before = samples.findLast(({ atMs }) => atMs <= last.atMs - windowMs) ?? samples[0]!;
  const passedMs = last.atMs - before.atMs;
  const share = (of: 'psiSomeMs' | 'psiFullMs'): number | undefined => {
    const [from, until] = [before.host[of], last.host[of]];
    if (from === undefined || until === undefined || passedMs <= 0) return undefined;
    return Math.min(1, Math.max(0, (until - from) / passedMs));
  };
  return [share('psiSomeMs'), share('psiFullMs')];
}

/** Index of the sample since which no more than `mostBytes` were available. */
function sinceWhen(samples: readonly HostSample[], mostBytes: Bytes): number {
  const above = samples.findLastIndex(
    ({ host: { availableBytes = 0 } }) => availableBytes > mostBytes,
  );
  return Math.min(samples.length - 1, above + 1);
}

function longestGap(samples: readonly HostSample[]): Ms {
  let longest = 0;
  for (let index = 1; index < samples.length; index += 1)
    longest = Math.max(longest, samples[index]!.atMs - samples[index - 1]!.atMs);
  return longest;
}

function largest(
  timeline: Timeline,
  samples: readonly Numbered<SampleLine>[],
): MachineFreeze['largest'] {
  const last = samples.findLast(({ processes = [] }) => processes.length > 0);
  const [process] = [...(last?.processes ?? [])].sort(
    (a, b) => (b.rssBytes ?? 0) - (a.rssBytes ?? 0),
  );
  if (last === undefined || process?.rssBytes === undefined) return undefined;
  const { pid, rssBytes } = process;
  const before = samples.findLast(({ atMs }) => atMs <= last.atMs - growthWindowMs) ?? samples[0]!;
  const heldBefore = before.processes?.find((one) => one.pid === pid)?.rssBytes ?? 0;
  const passedMs = last.atMs - before.atMs;
  return {
    pid,
    name: timeline.processes.get(pid)?.seen.name ?? '?',
    heldBytes: rssBytes,
    growthBytesPerSecond: passedMs <= 0 ? 0 : ((rssBytes - heldBefore) * 1000) / passedMs,
  };
}
