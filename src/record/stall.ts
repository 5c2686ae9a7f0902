import { defined } from '../model/defined.ts';
import type { StallSeen } from '../model/incident-folder.ts';
import type { Limit } from '../model/report.ts';
import type { WatchedCgroup } from './cgroups.ts';
import { rlimitBytes } from './headroom.ts';
import type { SampledProcess, SampleEvent } from './sampler.ts';

/**
 * Recognises slow death while it happens. The thresholds were fitted to real thrash and its look-alikes. Three signs mean nothing
 * alone: major faults (a cold mapped file makes thousands a second with enough memory free), refaults of files (they count other
 * owners' pages), and pressure (it weakens once the swap traffic has settled).
 */
const refaultsAnonPerSecond = 500;
const majorFaultsPerSecond = 100;
const psiFullShare = 0.1;
const refaultsFilePerSecond = 200;
const limitHitsPerSecond = 200;
/** Two bad windows in a row, of a second each, make a stall. */
const windowMs = 1000;
const windowsNeeded = 2;
/** So many good windows in a row end it. */
const calmWindows = 3;
const livelockSlackBytes = 2 * 2 ** 20;
/** A stall that lasts is written down so often. */
const sayEveryMs = 5000;

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

interface Stall {
  readonly begunMs: number;
  /** The figures of its worst moment. */
  verdict: Verdict;
  saidMs: number;
}

/** User CPU time, and the time in which the run could have had a CPU. */
interface CpuUse {
  userMs: number;
  wallMs: number;
}
const noUse = (): CpuUse => ({ userMs: 0, wallMs: 0 });
const addUse = (to: CpuUse, { userMs, wallMs }: CpuUse): void => {
  to.userMs += userMs;
  to.wallMs += wallMs;
};
const clearUse = (use: CpuUse): void => {
  use.userMs = use.wallMs = 0;
};

/** Takes every sample. Returns a stall when it begins, every five seconds while it lasts, and when it ends. */
export class StallWatch {
  #last: Moment | null = null;
  #current: Stall | null = null;
  /** Bad windows in a row without a stall, and since when. */
  #suspicious = 0;
  #suspectSinceMs = 0;
  /** Good windows in a row within a stall. */
  #calm = 0;
  /** Time in which the run's largest process was stopped on purpose (the final snapshot, a debugger): no sign of anything. */
  #stoppedMs = 0;
  #lastEventMs = 0;
  /**
   * What the run computed before the stall and during it. Time in the kernel is the reclaim itself, and time without a CPU is the doing of
   * others. `#pending`: windows of which it is not known yet whether a stall begins with them.
   */
  readonly #before = noUse();
  readonly #during = noUse();
  readonly #pending = noUse();

  /** null: nothing new to say. */
  take(event: SampleEvent): StallSeen | null {
    this.#countStopped(event);
    const moment = momentOf(event);
    const last = this.#last ?? moment;
    const elapsedMs = moment.atMs - last.atMs;
    this.#last = last;
    // The run before the first full window counts for the baseline: a thrash may begin within the first second.
    if (elapsedMs < windowMs) return null;
    this.#last = moment;
    const stoppedMs = Math.min(this.#stoppedMs, elapsedMs);
    this.#stoppedMs = 0;
    if (stoppedMs > elapsedMs / 2) return null;
    const verdict = judge(last, moment, event, elapsedMs / 1000);
    addUse(
      this.#current !== null ? this.#during : verdict === null ? this.#before : this.#pending,
      useBetween(last, moment, stoppedMs),
    );
    return verdict === null
      ? this.#goodWindow(moment.atMs, elapsedMs)
      : this.#badWindow(moment.atMs, elapsedMs, verdict);
  }

  /** The command has ended; null: no stall was going on. */
  end(atMs: number): StallSeen | null {
    return this.#report(atMs, false);
  }

  #countStopped({ atMs, processes }: SampleEvent): void {
    const largest = processes.reduce<SampledProcess | null>(
      (most, process) => (most === null || process.rssBytes > most.rssBytes ? process : most),
      null,
    );
    if (largest?.state === 'T') this.#stoppedMs += atMs - this.#lastEventMs;
    this.#lastEventMs = atMs;
  }

  #goodWindow(atMs: number, elapsedMs: number): StallSeen | null {
    this.#suspicious = 0;
    addUse(this.#before, this.#pending);
    clearUse(this.#pending);
    if (this.#current === null) return null;
    this.#calm += 1;
    if (this.#calm < calmWindows) return null;
    const ended = this.#report(atMs - this.#calm * elapsedMs, false);
    this.#current = null;
    clearUse(this.#during);
    return ended;
  }

  #badWindow(atMs: number, elapsedMs: number, verdict: Verdict): StallSeen | null {
    this.#calm = 0;
    const current = this.#current;
    if (current !== null) {
      if (isWorse(verdict, current.verdict)) current.verdict = verdict;
      if (atMs - current.saidMs < sayEveryMs) return null;
      current.saidMs = atMs;
      return this.#report(atMs, true);
    }
    this.#suspicious += 1;
    if (this.#suspicious === 1) this.#suspectSinceMs = atMs - elapsedMs;
    if (this.#suspicious < windowsNeeded) return null;
    addUse(this.#during, this.#pending);
    clearUse(this.#pending);
    this.#current = { begunMs: this.#suspectSinceMs, verdict, saidMs: atMs };
    return this.#report(atMs, true);
  }

  #report(atMs: number, stillGoingOn: boolean): StallSeen | null {
    if (this.#current === null) return null;
    const { verdict, begunMs } = this.#current;
    const { process, cgroup } = verdict;
    const limit = limitOf(verdict);
    return {
      what: 'stall',
      atMs: Math.round(atMs),
      begunMs: Math.round(begunMs),
      pid: process?.pid ?? null,
      ...(process === null ? {} : { name: process.name }),
      ...(cgroup === null ? {} : { cgroup: cgroup.place.path }),
      how: verdict.how,
      ...slowdownOf(this.#before, this.#during),
      ...figuresOf(verdict),
      ...(process === null ? {} : { swapBytes: process.swapBytes }),
      ...(limit === null ? {} : { limit }),
      stillGoingOn,
    };
  }
}

const momentOf = ({ atMs, processes, cgroups }: SampleEvent): Moment => ({
  atMs,
  processes: new Map(processes.map((process) => [process.pid, process])),
  cgroups: new Map(cgroups.map((cgroup) => [cgroup.id, cgroup.last])),
});

function useBetween(then: Moment, now: Moment, stoppedMs: number): CpuUse {
  let userMs = 0;
  let waitedMs = 0;
  for (const [pid, process] of now.processes) {
    const earlier = then.processes.get(pid);
    userMs += process.userMs - (earlier?.userMs ?? 0);
    waitedMs = Math.max(waitedMs, process.runDelayMs - (earlier?.runDelayMs ?? 0));
  }
  return { userMs, wallMs: Math.max(now.atMs - then.atMs - waitedMs - stoppedMs, userMs, 1) };
}

/** How many times slower the run computes, against itself before the stall where that is known; nothing below 1.5. */
function slowdownOf(before: CpuUse, during: CpuUse): Pick<StallSeen, 'slowdown' | 'against'> {
  if (during.wallMs <= 0) return {};
  const share = Math.max(during.userMs, 10) / Math.max(during.wallMs, 10);
  // Less than a second before the stall is the interpreter's start, not the program.
  const baseline =
    before.wallMs >= 1000 && before.userMs >= 50 ? before.userMs / before.wallMs : null;
  const slowdown = Math.min(baseline ?? 1, 1) / Math.min(share, 1);
  if (slowdown < 1.5) return {};
  return {
    slowdown: Number(slowdown.toPrecision(2)),
    against: baseline === null ? 'full-speed' : 'before',
  };
}

function figuresOf(verdict: Verdict) {
  const { psiFull, majorFaultsPerSecond, refaultsPerSecond, limitHitsPerSecond } = verdict;
  const known = defined({ psiFull, majorFaultsPerSecond, refaultsPerSecond, limitHitsPerSecond });
  return Object.fromEntries(
    Object.entries(known).map(([key, value]) => [key, Number(value.toPrecision(3))]),
  );
}

/**
 * Whether a moment of a stall tells more of it than the worst one so far. "Waits for memory" is vaguer than any other kind, and so is a moment
 * without a process: at its end the process is gone and what it took is free, but the pressure is still counted.
 */
function isWorse(verdict: Verdict, worst: Verdict): boolean {
  const isVaguer =
    (verdict.how === 'reclaim' && worst.how !== 'reclaim') ||
    (verdict.process === null && worst.process !== null);
  return !isVaguer && weight(verdict) >= weight(worst);
}

const weight = ({
  psiFull = 0,
  refaultsPerSecond = 0,
  majorFaultsPerSecond: faults = 0,
}: Verdict) => psiFull * 1e5 + refaultsPerSecond + faults;

/** What happened between two moments; null: nothing that looks like a stall. */
function judge(then: Moment, now: Moment, event: SampleEvent, seconds: number): Verdict | null {
  for (const [pid, process] of now.processes) {
    const earlier = then.processes.get(pid);
    if (earlier !== undefined && isLivelocked(process, earlier, seconds))
      return { how: 'livelock', process, cgroup: null };
  }
  const worst = worstFaulting(then, now, seconds);
  for (const cgroup of event.cgroups) {
    const verdict = judgeCgroup(cgroup, worst, { before: then, now, event, seconds });
    if (verdict !== null) return verdict;
  }
  // No cgroup to be read, or none that tells: the process's own figures.
  return worst.process !== null && isSwapping(worst)
    ? { how: 'swap', process: worst.process, cgroup: null, majorFaultsPerSecond: worst.faults }
    : null;
}

/** CPython 3.11 to 3.13 unwind for ever where not even an int can be allocated: system time about three times user time. */
function isLivelocked(process: SampledProcess, earlier: SampledProcess, seconds: number): boolean {
  const addressSpace = rlimitBytes(process, 'RLIMIT_AS');
  if (addressSpace === null || process.state !== 'R') return false;
  const userMs = process.userMs - earlier.userMs;
  const systemMs = process.systemMs - earlier.systemMs;
  const faults = (process.majorFaults - earlier.majorFaults) / seconds;
  // Where others take the CPU away, what counts is the time in which it could have had one.
  const ableMs = Math.max(1000 * seconds - (process.runDelayMs - earlier.runDelayMs), 1);
  return (
    addressSpace - process.vmBytes < livelockSlackBytes &&
    systemMs > 1.5 * userMs &&
    userMs + systemMs > Math.max(0.5 * ableMs, 100 * seconds) &&
    faults < 10
  );
}

/** The process with the most major faults a second, the largest of equal ones; null: none was there at both moments. */
interface Faulting {
  readonly process: SampledProcess | null;
  readonly faults: number;
}
function worstFaulting(then: Moment, now: Moment, seconds: number): Faulting {
  let worst: Faulting = { process: null, faults: 0 };
  for (const [pid, process] of now.processes) {
    const earlier = then.processes.get(pid);
    if (earlier === undefined) continue;
    const faults = (process.majorFaults - earlier.majorFaults) / seconds;
    if (
      worst.process === null ||
      faults > worst.faults ||
      (faults === worst.faults && process.rssBytes > worst.process.rssBytes)
    )
      worst = { process, faults };
  }
  return worst;
}

const isSwapping = ({ process, faults }: Faulting): boolean =>
  process !== null && faults > majorFaultsPerSecond && process.swapBytes > 0;

interface Between {
  readonly before: Moment;
  readonly now: Moment;
  readonly event: SampleEvent;
  readonly seconds: number;
}

function judgeCgroup(cgroup: WatchedCgroup, worst: Faulting, between: Between): Verdict | null {
  const { before, now, event, seconds } = between;
  const [later, earlier] = [now.cgroups.get(cgroup.id), before.cgroups.get(cgroup.id)];
  // Only where a process of the run is: an ancestor tells of others too.
  if (!cgroup.leaf || cgroup.gone || later === undefined || earlier === undefined) return null;
  const rate = (key: 'refaultsAnon' | 'refaultsFile' | 'psiFullMs' | 'psiSomeMs') =>
    later[key] === undefined ? undefined : (later[key] - (earlier[key] ?? 0)) / seconds;
  const share = (key: 'psiFullMs' | 'psiSomeMs') => {
    const msPerSecond = rate(key);
    return msPerSecond === undefined ? undefined : msPerSecond / 1000;
  };
  const refaultsAnon = rate('refaultsAnon') ?? 0;
  const refaultsFile = rate('refaultsFile') ?? 0;
  const hits = hitsAbove(event.cgroups, cgroup, before, now, seconds);
  const psiFull = share('psiFullMs');
  const facts = {
    process: worst.process,
    cgroup,
    majorFaultsPerSecond: worst.faults,
    limitHitsPerSecond: hits,
    ...defined({ psiFull }),
  };
  if (later.underOom === true && cgroup.first.killDisabled === true)
    return { ...facts, how: 'oom-disabled' };
  // Throttled above memory.high, never killed, hardly alive. One hit makes it sleep for up to two seconds, so a window without a hit means
  // nothing. With swap it swaps as well, but memory.high is what holds it there.
  const high = cgroup.limits.highBytes;
  if (
    high != null &&
    (later.highHits ?? 0) > 0 &&
    (later.currentBytes ?? 0) > 0.95 * high &&
    (share('psiSomeMs') ?? 0) > psiFullShare
  )
    return { ...facts, how: 'memory-high', refaultsPerSecond: refaultsAnon + refaultsFile };
  if (refaultsAnon > refaultsAnonPerSecond || isSwapping(worst))
    return { ...facts, how: 'swap', refaultsPerSecond: refaultsAnon };
  if (refaultsFile > refaultsFilePerSecond && hits > limitHitsPerSecond)
    return { ...facts, how: 'file-refaults', refaultsPerSecond: refaultsFile };
  if (psiFull !== undefined && psiFull > psiFullShare)
    return { ...facts, how: 'reclaim', refaultsPerSecond: refaultsAnon + refaultsFile };
  return null;
}

/** Limit hits a second in the cgroup or any above it, whose limit it may be. */
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
    // v1 does not count hits where memory plus swap has the same limit (6.18): a full cgroup counts as hit there.
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
