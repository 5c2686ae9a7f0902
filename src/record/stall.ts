import { defined } from '../model/defined.ts';
import type { StallSeen } from '../model/incident-folder.ts';
import type { Limit } from '../model/report.ts';
import type { WatchedCgroup } from './cgroups.ts';
import type { SampledProcess, SampleEvent } from './sampler.ts';

/**
 * Slow death while it happens. The rule and its figures were fitted to real thrash and its look-alikes: major faults
 * alone are a false friend (a cold mapped file makes thousands a second with nothing short), so are refaults of files alone
 * (they count other owners' pages) and pressure alone (it weakens once the swap traffic has settled).
 */
const refaultsAnonPerSecond = 500;
const majorFaultsPerSecond = 100;
const psiFullShare = 0.1;
const refaultsFilePerSecond = 200;
const limitHitsPerSecond = 200;
/** Two moments in a row, a second apart: what lasts less is not a stall. */
const windowMs = 1000;
const windowsNeeded = 2;
/** So many calm moments end it. */
const calmWindows = 3;
const livelockSlackBytes = 2 * 2 ** 20;

interface Moment {
  readonly atMs: number;
  readonly processes: ReadonlyMap<number, SampledProcess>;
  readonly cgroups: ReadonlyMap<number, WatchedCgroup['last']>;
}
type How = StallSeen['how'];
interface Verdict {
  readonly how: How;
  readonly process: SampledProcess | null;
  readonly cgroup: WatchedCgroup | null;
  readonly psiFull?: number;
  readonly majorFaultsPerSecond?: number;
  readonly refaultsPerSecond?: number;
  readonly limitHitsPerSecond?: number;
}

/** Takes every sample; gives a stall when it begins, while it lasts (every five seconds), and when it ends. */
export function stallWatch() {
  let last: Moment | null = null;
  let suspicious = 0;
  let calm = 0;
  let suspectSinceMs = 0;
  /** Time in which the run's largest process was stopped on purpose (the last look, a debugger): no sign of anything. */
  let stoppedMs = 0;
  let lastEventMs = 0;
  let current: { readonly begunMs: number; verdict: Verdict; saidMs: number } | null = null;
  /**
   * User CPU time against the time in which it could have had a CPU, outside and inside of the stall: what it computed. Time in the
   * kernel is the reclaim itself, and time without a CPU is the others' doing.
   */
  const before = { userMs: 0, wallMs: 0 };
  const during = { userMs: 0, wallMs: 0 };
  const pending = { userMs: 0, wallMs: 0 };

  const report = (atMs: number, stillGoingOn: boolean): StallSeen | null => {
    if (current === null) return null;
    const { verdict, begunMs } = current;
    const { process, cgroup } = verdict;
    const share =
      during.wallMs > 0 ? Math.max(during.userMs, 10) / Math.max(during.wallMs, 10) : null;
    // Less than a second before the stall is the interpreter's start, not the program.
    const baseline =
      before.wallMs >= 1000 && before.userMs >= 50 ? before.userMs / before.wallMs : null;
    const slowdown = share === null ? null : Math.min(baseline ?? 1, 1) / Math.min(share, 1);
    const known = {
      psiFull: verdict.psiFull,
      majorFaultsPerSecond: verdict.majorFaultsPerSecond,
      refaultsPerSecond: verdict.refaultsPerSecond,
      limitHitsPerSecond: verdict.limitHitsPerSecond,
    };
    const limit = limitOf(verdict);
    return {
      what: 'stall',
      atMs: Math.round(atMs),
      begunMs: Math.round(begunMs),
      pid: process?.pid ?? null,
      ...(process === null ? {} : { name: process.name }),
      ...(cgroup === null ? {} : { cgroup: cgroup.place.path }),
      how: verdict.how,
      ...(slowdown !== null && slowdown >= 1.5
        ? {
            slowdown: Number(slowdown.toPrecision(2)),
            against: baseline === null ? ('full-speed' as const) : ('before' as const),
          }
        : {}),
      ...Object.fromEntries(
        Object.entries(known)
          .filter(([, value]) => value !== undefined)
          .map(([key, value]) => [key, Number((value as number).toPrecision(3))]),
      ),
      ...(process === null ? {} : { swapBytes: process.swapBytes }),
      ...(limit === null ? {} : { limit }),
      stillGoingOn,
    };
  };

  return {
    take: (event: SampleEvent): StallSeen | null => {
      const largest = event.processes.reduce<SampledProcess | null>(
        (most, process) => (most === null || process.rssBytes > most.rssBytes ? process : most),
        null,
      );
      if (largest?.state === 'T') stoppedMs += event.atMs - lastEventMs;
      lastEventMs = event.atMs;
      const moment: Moment = {
        atMs: event.atMs,
        processes: new Map(event.processes.map((process) => [process.pid, process])),
        cgroups: new Map(event.cgroups.map((cgroup) => [cgroup.id, cgroup.last])),
      };
      if (last === null) {
        last = moment;
        return null;
      }
      const elapsedMs = moment.atMs - last.atMs;
      // The run before the first full window counts for the baseline: a thrash may begin within the first second.
      if (elapsedMs < windowMs) return null;
      const stopped = Math.min(stoppedMs, elapsedMs);
      stoppedMs = 0;
      if (stopped > elapsedMs / 2) {
        last = moment;
        return null;
      }
      const seconds = elapsedMs / 1000;
      let userMs = 0;
      let waitedMs = 0;
      for (const [pid, now] of moment.processes) {
        const then = last.processes.get(pid);
        userMs += now.userMs - (then?.userMs ?? 0);
        waitedMs = Math.max(waitedMs, now.runDelayMs - (then?.runDelayMs ?? 0));
      }
      const ableMs = Math.max(elapsedMs - waitedMs - stopped, userMs, 1);
      const verdict = judge(last, moment, event, seconds);
      last = moment;
      const bucket = current !== null ? during : verdict === null ? before : pending;
      bucket.userMs += userMs;
      bucket.wallMs += ableMs;
      if (verdict === null) {
        suspicious = 0;
        before.userMs += pending.userMs;
        before.wallMs += pending.wallMs;
        pending.userMs = pending.wallMs = 0;
        if (current === null) return null;
        calm += 1;
        if (calm < calmWindows) return null;
        const ended = report(moment.atMs - calm * elapsedMs, false);
        current = null;
        during.userMs = during.wallMs = 0;
        return ended;
      }
      calm = 0;
      if (current !== null) {
        // The figures of its worst moment stand; the rest goes on. "Waits for memory" knows no more than what is known already:
        // in the moment of its end the process is gone, and what it took is free, but the pressure is still counted.
        const isVaguer =
          (verdict.how === 'reclaim' && current.verdict.how !== 'reclaim') ||
          (verdict.process === null && current.verdict.process !== null);
        if (!isVaguer && weight(verdict) >= weight(current.verdict)) current.verdict = verdict;
        if (moment.atMs - current.saidMs < 5000) return null;
        current.saidMs = moment.atMs;
        return report(moment.atMs, true);
      }
      suspicious += 1;
      if (suspicious === 1) suspectSinceMs = moment.atMs - elapsedMs;
      if (suspicious < windowsNeeded) return null;
      during.userMs += pending.userMs;
      during.wallMs += pending.wallMs;
      pending.userMs = pending.wallMs = 0;
      current = { begunMs: suspectSinceMs, verdict, saidMs: moment.atMs };
      return report(moment.atMs, true);
    },
    /** The command has ended. */
    end: (atMs: number): StallSeen | null => report(atMs, false),
  };
}
export type StallWatch = ReturnType<typeof stallWatch>;

const weight = ({
  psiFull = 0,
  refaultsPerSecond = 0,
  majorFaultsPerSecond: faults = 0,
}: Verdict) => psiFull * 1e5 + refaultsPerSecond + faults;

function judge(then: Moment, now: Moment, event: SampleEvent, seconds: number): Verdict | null {
  let worst: SampledProcess | null = null;
  let worstFaults = 0;
  for (const [pid, process] of now.processes) {
    const earlier = then.processes.get(pid);
    if (earlier === undefined) continue;
    const faults = (process.majorFaults - earlier.majorFaults) / seconds;
    const userMs = process.userMs - earlier.userMs;
    const systemMs = process.systemMs - earlier.systemMs;
    // Where others take the CPU away, what counts is the time in which it could have had one.
    const ableMs = Math.max(1000 * seconds - (process.runDelayMs - earlier.runDelayMs), 1);
    const addressSpace = process.limits.find(({ path }) => path === 'RLIMIT_AS')?.bytes;
    // CPython 3.11 to 3.13 unwind for ever when not even an int can be allocated: system time about three times user time.
    if (
      addressSpace != null &&
      process.state === 'R' &&
      addressSpace - process.vmBytes < livelockSlackBytes &&
      systemMs > 1.5 * userMs &&
      userMs + systemMs > Math.max(0.5 * ableMs, 100 * seconds) &&
      faults < 10
    )
      return { how: 'livelock', process, cgroup: null };
    if (
      worst === null ||
      faults > worstFaults ||
      (faults === worstFaults && process.rssBytes > worst.rssBytes)
    ) {
      worst = process;
      worstFaults = faults;
    }
  }
  for (const cgroup of event.cgroups) {
    const [later, earlier] = [now.cgroups.get(cgroup.id), then.cgroups.get(cgroup.id)];
    // Only where a process of the run is: an ancestor tells of others too.
    if (!cgroup.leaf || cgroup.gone || later === undefined || earlier === undefined) continue;
    const rate = (key: 'refaultsAnon' | 'refaultsFile' | 'limitHits') =>
      later[key] === undefined ? undefined : (later[key] - (earlier[key] ?? 0)) / seconds;
    const psi = (key: 'psiFullMs' | 'psiSomeMs') =>
      later[key] === undefined ? undefined : (later[key] - (earlier[key] ?? 0)) / 1000 / seconds;
    const refaultsAnon = rate('refaultsAnon') ?? 0;
    const refaultsFile = rate('refaultsFile') ?? 0;
    const hits = hitsAbove(event.cgroups, cgroup, then, now, seconds);
    const psiFull = psi('psiFullMs');
    const facts = {
      process: worst,
      cgroup,
      majorFaultsPerSecond: worstFaults,
      limitHitsPerSecond: hits,
      ...defined({ psiFull }),
    };
    if (later.underOom === true && cgroup.first.killDisabled === true)
      return { ...facts, how: 'oom-disabled' };
    // Throttled above memory.high: never killed, hardly alive. It sleeps up to two seconds for one hit: a moment without one tells nothing.
    // With swap it swaps as well: what holds it there is memory.high all the same.
    const high = cgroup.limits.highBytes;
    if (
      high != null &&
      (later.highHits ?? 0) > 0 &&
      (later.currentBytes ?? 0) > 0.95 * high &&
      (psi('psiSomeMs') ?? 0) > psiFullShare
    )
      return { ...facts, how: 'memory-high', refaultsPerSecond: refaultsAnon + refaultsFile };
    if (refaultsAnon > refaultsAnonPerSecond)
      return { ...facts, how: 'swap', refaultsPerSecond: refaultsAnon };
    if (worst !== null && worstFaults > majorFaultsPerSecond && worst.swapBytes > 0)
      return { ...facts, how: 'swap', refaultsPerSecond: refaultsAnon };
    if (refaultsFile > refaultsFilePerSecond && hits > limitHitsPerSecond)
      return { ...facts, how: 'file-refaults', refaultsPerSecond: refaultsFile };
    if (psiFull !== undefined && psiFull > psiFullShare)
      return { ...facts, how: 'reclaim', refaultsPerSecond: refaultsAnon + refaultsFile };
  }
  // No cgroup to be read, or none that tells: the process's own figures.
  if (worst !== null && worstFaults > majorFaultsPerSecond && worst.swapBytes > 0)
    return { how: 'swap', process: worst, cgroup: null, majorFaultsPerSecond: worstFaults };
  return null;
}

/** Limit hits a second in the cgroup or any above: the limit may be an ancestor's. */
function hitsAbove(
  cgroups: readonly WatchedCgroup[],
  from: WatchedCgroup,
  then: Moment,
  now: Moment,
  seconds: number,
): number {
  let most = 0;
  for (let at: WatchedCgroup | undefined = from; at !== undefined;) {
    const later = now.cgroups.get(at.id)?.limitHits;
    const earlier = then.cgroups.get(at.id)?.limitHits ?? 0;
    if (later !== undefined) most = Math.max(most, (later - earlier) / seconds);
    // v1 does not count (6.18) where memory plus swap has the same limit: there being full must do.
    const { limitBytes, swapLimitBytes } = at.limits;
    if (
      at.place.version === 1 &&
      limitBytes !== null &&
      swapLimitBytes === limitBytes &&
      (now.cgroups.get(at.id)?.currentBytes ?? 0) > 0.98 * limitBytes
    )
      most = Math.max(most, limitHitsPerSecond + 1);
    at = at.parent === null ? undefined : cgroups[at.parent];
  }
  return most;
}

function limitOf({ how, cgroup, process }: Verdict): Limit | null {
  if (how === 'livelock') return process?.limits.find(({ path }) => path === 'RLIMIT_AS') ?? null;
  if (cgroup === null) return null;
  const { limitBytes, highBytes } = cgroup.limits;
  if (how === 'memory-high' && highBytes != null)
    return { owner: 'cgroup', path: cgroup.place.path, bytes: highBytes };
  return limitBytes === null
    ? null
    : { owner: 'cgroup', path: cgroup.place.path, bytes: limitBytes };
}
