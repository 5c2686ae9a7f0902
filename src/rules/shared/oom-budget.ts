/**
 * An OOM counter is a budget: each kill that it counted explains one death, and only a death of that moment. A SIGKILL by hand,
 * seconds after a child was killed for memory, is not explained by the child's kill.
 */
import type { CgroupCounters, KernelOomKill, ProcessExit } from '../../model/evidence.ts';
import { killsOf } from './by-pid.ts';
import { duplicateReportedBy, levelsOf, localKills } from './recorded.ts';

export interface CountedDeath {
  /** The cgroup whose counter counted it. */
  readonly own: CgroupCounters;
  /** false: it died later than a kill takes, or more processes than were counted died in that moment. */
  readonly sure: boolean;
}
export interface OomBudget {
  /** The deaths by SIGKILL that a counter explains. */
  readonly deaths: ReadonlyMap<ProcessExit, CountedDeath>;
  /** What no death by SIGKILL has used, by cgroup. */
  readonly left: ReadonlyMap<CgroupCounters, readonly Kill[]>;
}
/** One kill, counted between two readings; infinite where the readings have no times. */
interface Kill {
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Facts {
  readonly 'process-exit': readonly ProcessExit[];
  readonly 'cgroup-counters': readonly CgroupCounters[];
  readonly 'kernel-oom-kill': readonly KernelOomKill[];
}

/** A killed process is gone so soon after the counter was read; longer where there was much to give back. */
const teardownMs = (exit: ProcessExit) => 500 + ((exit.peakRssBytes ?? 0) / 2 ** 30) * 1000;
/** On a machine that stands still it may take so long; then it is less sure. */
const slowestTeardownMs = 10_000;
/** Readings of clocks and files of one sample lie closer together than this. */
const roundingMs = 250;
const mostKills = 10_000;

export function oomBudget(facts: Facts): OomBudget {
  const exits = facts['process-exit'];
  const deaths = new Map<ProcessExit, CountedDeath>();
  const left = new Map<CgroupCounters, Kill[]>();
  for (const own of facts['cgroup-counters'])
    if ((localKills(own) ?? 0) > 0) left.set(own, killsCounted(own));
  const candidates = exits.flatMap((exit) => {
    if (exit.signal !== 'SIGKILL' || duplicateReportedBy(exit, exits) !== undefined) return [];
    const own = levelsOf(exit, facts['cgroup-counters']).find((level) => left.has(level));
    return own === undefined ? [] : [{ exit, own }];
  });
  const isNamed = (exit: ProcessExit) => killsOf(exit, facts['kernel-oom-kill']).length > 0;
  // Whom the kernel log names takes its kill first; then who died nearest to one.
  const order = candidates
    .map((one) => ({
      ...one,
      named: isNamed(one.exit),
      late: nearest(one.exit, left.get(one.own)!),
    }))
    .sort((a, b) => Number(b.named) - Number(a.named) || a.late - b.late);
  for (const { exit, own } of order) {
    const kills = left.get(own)!;
    const index = bestFit(exit, kills);
    if (index === -1) continue;
    const sure = lateness(exit, kills[index]!) <= teardownMs(exit);
    // Somebody else went in that very moment, and this one much later: the kill was the other's.
    const others = exits.filter(
      (other) => hasUnseenEnd(other) && levelsOf(other, facts['cgroup-counters']).includes(own),
    );
    if (!sure && wentWith(others, [kills[index]!]).length > 0) continue;
    kills.splice(index, 1);
    deaths.set(exit, { own, sure });
  }
  return { deaths: withRivals(deaths, order), left };
}

/** Of two deaths in one moment and one kill nobody can tell which it was. */
function withRivals(
  deaths: ReadonlyMap<ProcessExit, CountedDeath>,
  order: readonly {
    readonly exit: ProcessExit;
    readonly own: CgroupCounters;
    readonly named: boolean;
  }[],
): ReadonlyMap<ProcessExit, CountedDeath> {
  const unexplained = order.filter(({ exit }) => !deaths.has(exit));
  if (unexplained.length === 0) return deaths;
  const named = new Set(order.flatMap((one) => (one.named ? [one.exit] : [])));
  return new Map(
    [...deaths].map(([exit, death]) => {
      const kills = killsCounted(death.own);
      const rival = unexplained.some(
        (other) =>
          other.own === death.own &&
          kills.some(
            (kill) => fits(exit, kill) && lateness(other.exit, kill) <= teardownMs(other.exit),
          ),
      );
      return [exit, rival && !named.has(exit) ? { ...death, sure: false } : death];
    }),
  );
}

function killsCounted(own: CgroupCounters): Kill[] {
  const kills = (own.killTimes ?? []).flatMap(({ from, until, kills: count }) =>
    Array.from({ length: Math.min(count, mostKills) }, () => ({
      fromMs: timeOf(from, -Infinity),
      untilMs: timeOf(until, Infinity),
    })),
  );
  const missing = Math.min(mostKills, localKills(own) ?? 0) - kills.length;
  for (let index = 0; index < missing; index += 1)
    kills.push({ fromMs: -Infinity, untilMs: Infinity });
  return kills;
}

function timeOf(wall: string | undefined, otherwise: number): number {
  const ms = Date.parse(wall ?? '');
  return Number.isFinite(ms) ? ms : otherwise;
}

/** How long after the kill was counted the process was gone, in ms; Infinity: it was gone before, or far too late. */
function lateness(exit: ProcessExit, { fromMs, untilMs }: Kill): number {
  const atMs = Date.parse(exit.when?.wall ?? '');
  if (!Number.isFinite(atMs)) return 0;
  if (atMs < fromMs - roundingMs || atMs > untilMs + slowestTeardownMs) return Infinity;
  return Math.max(0, atMs - untilMs);
}
const fits = (exit: ProcessExit, kill: Kill): boolean => Number.isFinite(lateness(exit, kill));
const nearest = (exit: ProcessExit, kills: readonly Kill[]): number =>
  Math.min(Infinity, ...kills.slice(0, 100).map((kill) => lateness(exit, kill)));

/** The index of the kill that the death fits best; -1: none. */
function bestFit(exit: ProcessExit, kills: readonly Kill[]): number {
  let best = -1;
  let least = Infinity;
  for (const [index, kill] of kills.entries()) {
    const late = lateness(exit, kill);
    if (late < least) [best, least] = [index, late];
  }
  return best;
}

/** Whether a kill that no death has used may be this one's: nobody else went in its moment. */
export const mayBeKillOf = (
  exit: ProcessExit,
  { left }: OomBudget,
  exits: readonly ProcessExit[],
): boolean => {
  const unseen = exits.filter(hasUnseenEnd);
  return [...left.values()].some((kills) =>
    kills.some((kill) => fits(exit, kill) && wentWith(unseen, [kill]).length === 0),
  );
};

/** Its parent had reaped it before anybody could look. */
export const hasUnseenEnd = ({ signal, exitCode }: ProcessExit): boolean =>
  signal === null && exitCode === null;

/** Of the processes whose end nobody saw: those that went in the moment of a kill. */
export const wentWith = (
  exits: readonly ProcessExit[],
  kills: readonly Kill[],
): readonly ProcessExit[] =>
  exits.filter((exit) => kills.some((kill) => lateness(exit, kill) <= teardownMs(exit)));
