/** For how long a reader may stop what it reads: one table, and the account that is kept by it. */
import type { Ms } from '../../model/units.ts';

/** Holds for all processes of a run together, and for every kind of stop. */
export interface StopBudget {
  /** The longest single stop; also what all stops may take together of a run that is still short. */
  readonly mostMs: Ms;
  /** All stops together, as a share of the run's wall time so far. */
  readonly share: number;
  /** All stops of any hour together. */
  readonly hourMs: Ms;
  /** Of `hourMs` what only a picture that has become old may use. */
  readonly hourForOldMs: Ms;
  /** In less time nothing is learned: the process is not stopped. */
  readonly leastMs: Ms;
  /** A picture of a process that stays near its limit is renewed at this age. */
  readonly oldMs: Ms;
}

export const stopBudget: StopBudget = {
  mostMs: 500,
  share: 0.02,
  hourMs: 15_000,
  hourForOldMs: 9000,
  leastMs: 25,
  oldMs: 600_000,
};

/** Why a process is to be stopped: it has come closer to its limit, it is about to die there, or the last picture of it is old. */
export type StopReason = 'closer' | 'dying' | 'old';

const hour: Ms = 3_600_000;

/** All stops of a run. Times are milliseconds since its start. */
export class StopAccount {
  count = 0;
  sumMs: Ms = 0;
  longestMs: Ms = 0;
  readonly #budget: StopBudget;
  /** Those of the last hour, the earliest first. */
  #recent: { readonly atMs: Ms; readonly ms: Ms }[] = [];

  constructor(budget: StopBudget = stopBudget) {
    this.#budget = budget;
  }

  /** How long a stop at this time may be; 0: too short to be of use. */
  allowedMs(atMs: Ms, reason: StopReason): Ms {
    const { mostMs, leastMs } = this.#budget;
    const leftMs = this.#leftMs(atMs, reason);
    if (leftMs < leastMs) return 0;
    // More stops will come: half is kept for them.
    const shareMs = reason === 'closer' ? Math.max(leastMs, leftMs / 2) : leftMs;
    return Math.min(mostMs, shareMs);
  }

  /** The earliest time from `atMs` on at which a stop is allowed, if there is no other before. */
  nextMs(atMs: Ms, reason: StopReason): Ms {
    const { share, leastMs, mostMs } = this.#budget;
    const wantedMs = this.sumMs + leastMs;
    const byShareMs = wantedMs <= mostMs ? 0 : wantedMs / share + 1;
    let byHourMs = 0;
    let overMs = this.#inLastHour(atMs) + leastMs - this.#hourMs(reason);
    for (const stop of this.#recent) {
      if (overMs <= 0) break;
      overMs -= stop.ms;
      byHourMs = stop.atMs + hour + 1;
    }
    return Math.max(atMs, byShareMs, byHourMs);
  }

  /** A stop has ended at `atMs`, after `ms`. */
  add(atMs: Ms, ms: Ms): void {
    this.count += 1;
    this.sumMs += ms;
    this.longestMs = Math.max(this.longestMs, ms);
    this.#recent.push({ atMs, ms });
  }

  #leftMs(atMs: Ms, reason: StopReason): Ms {
    const { share, mostMs } = this.#budget;
    return Math.min(
      Math.max(mostMs, share * atMs) - this.sumMs,
      this.#hourMs(reason) - this.#inLastHour(atMs),
    );
  }

  #hourMs(reason: StopReason): Ms {
    const { hourMs, hourForOldMs } = this.#budget;
    return reason === 'old' ? hourMs : hourMs - hourForOldMs;
  }

  #inLastHour(atMs: Ms): Ms {
    this.#recent = this.#recent.filter((stop) => stop.atMs > atMs - hour);
    return this.#recent.reduce((sum, { ms }) => sum + ms, 0);
  }
}
